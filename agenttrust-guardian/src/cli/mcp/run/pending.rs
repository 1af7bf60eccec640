//! [`PendingRequests`]: the requests that wait for an answer of the server, and what is to be done once it comes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use agenttrust::{CallOutcome, Permit};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

/// The number of requests of the client that may wait.
const MOST: usize = 4096;
/// The begin of the ids of this program's own requests: no client makes such an id up.
const OWN: &str = "agenttrust";

/// The answer that a request waits for.
#[derive(Debug)]
pub(super) enum Waiting {
    /// An answer that passes.
    Passing,
    /// A list of tools; whether it is the first page.
    Listing { first: bool },
    /// The Guardian's word: the server was not asked yet.
    Checking(Checking),
    /// The outcome of a call that was permitted.
    Running(Permit),
}

/// A call that is asked about. When it is dropped, the task that asks about it leaves off.
#[derive(Debug)]
pub(super) struct Checking {
    /// The number that tells it from another one of its id.
    number: u64,
    _wanted: oneshot::Sender<()>,
}

/// The ticket by which the task that asks about a call knows it.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) number: u64,
    /// The channel that ends once the call is no longer wanted.
    pub(super) unwanted: oneshot::Receiver<()>,
}

/// The reason why a request cannot wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    SameId,
    TooMany,
}

/// The request that an answer belongs to.
pub(super) enum Whose {
    Client(Waiting),
    /// The program's own request, with where its answer is waited for.
    Own(oneshot::Sender<Map<String, Value>>),
    /// No request waits for it: it was cancelled, or was never there.
    Nobody,
}

/// The requests of the client, and of this program itself, that wait for an answer.
#[derive(Debug)]
pub(super) struct PendingRequests {
    /// Ids of this program's own begin with it.
    own: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The requests that wait, by id as JSON.
    waiting: HashMap<String, Waiting>,
    asked: HashMap<String, oneshot::Sender<Map<String, Value>>>,
    number: u64,
}

impl PendingRequests {
    pub(super) fn new() -> Self {
        let own = format!("{OWN}-{}", uuid::Uuid::new_v4());
        Self { own, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request that goes on to the server at once.
    pub(super) fn begin(&self, id: &Value, waiting: Waiting) -> Result<(), Refused> {
        self.state().begin(id, waiting)
    }

    /// Notes a call that is asked about first.
    pub(super) fn check(&self, id: &Value) -> Result<Ticket, Refused> {
        let mut state = self.state();
        state.number += 1;
        let number = state.number;
        let (wanted, unwanted) = oneshot::channel();
        let checking = Checking { number, _wanted: wanted };
        state.begin(id, Waiting::Checking(checking)).map(|()| Ticket { number, unwanted })
    }

    /// Makes a call that was permitted, by `send`, unless it was cancelled meanwhile: then the permit is given back.
    pub(super) fn run(&self, id: &Value, number: u64, permit: Permit, send: impl FnOnce()) {
        let mut state = self.state();
        let waiting = state.waiting.get_mut(&id.to_string());
        if let Some(waiting) = waiting.filter(|waiting| waiting.is_check(number)) {
            *waiting = Waiting::Running(permit);
            // While nothing else can be sent about it: a cancellation comes after the call.
            send();
        }
    }

    /// Ends a call that is not made; returns whether its caller still waits for the answer.
    pub(super) fn refuse(&self, id: &Value, number: u64) -> bool {
        let mut state = self.state();
        let id = id.to_string();
        let is_told = state.waiting.get(&id).is_some_and(|waiting| waiting.is_check(number));
        if is_told {
            state.waiting.remove(&id);
        }
        is_told
    }

    /// Forgets a request that was cancelled.
    pub(super) fn cancel(&self, id: &Value) -> Option<Waiting> {
        self.state().waiting.remove(&id.to_string())
    }

    /// Notes a request of this program's own; returns its id, and where its answer comes.
    pub(super) fn ask(&self) -> (Value, oneshot::Receiver<Map<String, Value>>) {
        let mut state = self.state();
        state.number += 1;
        let id = Value::from(format!("{}-{}", self.own, state.number));
        let (answer, answered) = oneshot::channel();
        state.asked.retain(|_, waiting| !waiting.is_closed());
        state.asked.insert(id.to_string(), answer);
        (id, answered)
    }

    /// Returns whose answer the one with this id is.
    pub(super) fn answered(&self, id: &Value) -> Whose {
        let mut state = self.state();
        let id = id.to_string();
        if let Some(own) = state.asked.remove(&id) {
            return Whose::Own(own);
        }
        match state.waiting.get(&id) {
            // The server was not asked: whatever it answers is not to that.
            None | Some(Waiting::Checking(_)) => Whose::Nobody,
            Some(_) => state.waiting.remove(&id).map_or(Whose::Nobody, Whose::Client),
        }
    }

    /// Returns the request whose id is another one that is written alike, such as `1` for `"1"`: a server that takes
    /// one for the other answers it so.
    pub(super) fn alike(&self, id: &Value) -> Option<(Value, Waiting)> {
        let alike = match id {
            Value::String(text) => {
                serde_json::from_str::<Value>(text).ok().filter(Value::is_number)?
            }
            Value::Number(number) => Value::from(number.to_string()),
            _ => return None,
        };
        match self.answered(&alike) {
            Whose::Client(waiting) => Some((alike, waiting)),
            Whose::Own(_) | Whose::Nobody => None,
        }
    }

    /// Ends everything that waits, since no answer comes any more; returns the ids.
    pub(super) fn end(&self) -> Vec<Value> {
        ended(std::mem::take(&mut self.state().waiting))
    }

    /// Ends everything that the server was asked, since an answer came and nothing says to what; returns the ids.
    pub(super) fn end_asked(&self) -> Vec<Value> {
        let mut state = self.state();
        state.asked.clear();
        let all = std::mem::take(&mut state.waiting).into_iter();
        let (checked, asked) = all.partition(|(_, it)| matches!(it, Waiting::Checking(_)));
        state.waiting = checked;
        drop(state);
        ended(asked)
    }
}

fn ended(waiting: HashMap<String, Waiting>) -> Vec<Value> {
    let ended = waiting.into_iter().map(|(id, waiting)| {
        waiting.unanswered();
        serde_json::from_str(&id).unwrap_or_default()
    });
    ended.collect()
}

impl Waiting {
    /// Tells of a call that it came to no answer.
    pub(super) fn unanswered(self) {
        if let Self::Running(permit) = self {
            permit.finish_with(CallOutcome::failure("NoReply"));
        }
    }

    fn is_check(&self, number: u64) -> bool {
        matches!(self, Self::Checking(checking) if checking.number == number)
    }
}

impl State {
    fn begin(&mut self, id: &Value, waiting: Waiting) -> Result<(), Refused> {
        if self.waiting.len() >= MOST {
            return Err(Refused::TooMany);
        }
        let id = id.to_string();
        if self.waiting.contains_key(&id) {
            return Err(Refused::SameId);
        }
        self.waiting.insert(id, waiting);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    #[test]
    fn request_of_an_id_that_waits_is_refused_and_so_is_one_too_many() {
        let pending = PendingRequests::new();
        assert_eq!(pending.begin(&json!(1), Waiting::Passing), Ok(()));
        assert_eq!(pending.begin(&json!(1), Waiting::Passing), Err(Refused::SameId));
        assert!(matches!(pending.check(&json!(1)), Err(Refused::SameId)));
        // Another one than the number.
        assert_eq!(pending.begin(&json!("1"), Waiting::Passing), Ok(()));
        assert!(matches!(pending.answered(&json!(1)), Whose::Client(Waiting::Passing)));
        assert!(matches!(pending.answered(&json!(1)), Whose::Nobody));
        for id in 1..MOST {
            assert_eq!(pending.begin(&json!(id), Waiting::Passing), Ok(()));
        }
        assert_eq!(pending.begin(&json!("x"), Waiting::Passing), Err(Refused::TooMany));
        assert_eq!(pending.end().len(), MOST);
        assert_eq!(pending.begin(&json!("x"), Waiting::Passing), Ok(()));
    }

    #[test]
    fn answer_to_a_call_that_the_server_was_not_asked_for_is_none() {
        let pending = PendingRequests::new();
        let number = pending.check(&json!(7)).unwrap().number;
        assert!(matches!(pending.answered(&json!(7)), Whose::Nobody));
        assert!(!pending.refuse(&json!(7), number + 1));
        assert!(pending.refuse(&json!(7), number));
        assert!(!pending.refuse(&json!(7), number), "it is told once");
        let mut before = pending.check(&json!(7)).unwrap();
        assert!(before.unwanted.try_recv().is_err_and(|error| error == TryRecvError::Empty));
        assert!(matches!(pending.cancel(&json!(7)), Some(Waiting::Checking(_))));
        assert!(before.unwanted.try_recv().is_err_and(|error| error == TryRecvError::Closed));
        pending.check(&json!(7)).unwrap();
        assert!(!pending.refuse(&json!(7), before.number), "another one is not the one before");
    }

    #[test]
    fn answer_to_an_id_that_is_written_alike_is_to_the_one_that_waits() {
        let pending = PendingRequests::new();
        for (asked, answered) in [(json!(1), json!("1")), (json!("2"), json!(2))] {
            assert_eq!(pending.begin(&asked, Waiting::Passing), Ok(()));
            assert!(pending.alike(&asked).is_none(), "{asked} is the same");
            let found = pending.alike(&answered);
            assert!(matches!(found, Some((id, Waiting::Passing)) if id == asked), "{answered}");
            assert!(pending.alike(&answered).is_none(), "it is answered");
        }
        assert!(pending.alike(&json!("x")).is_none() && pending.alike(&json!([1])).is_none());
    }

    #[test]
    fn answer_that_is_to_nothing_ends_what_the_server_was_asked_and_nothing_else() {
        let pending = PendingRequests::new();
        let number = pending.check(&json!(1)).unwrap().number;
        pending.begin(&json!(2), Waiting::Passing).unwrap();
        let (_, mut own) = pending.ask();
        assert_eq!(pending.end_asked(), [json!(2)]);
        assert!(own.try_recv().is_err_and(|error| error == TryRecvError::Closed));
        assert!(pending.refuse(&json!(1), number), "it is still asked about");
    }
}
