//! What an agent tells while it works: each event as soon as it is whole, all of them about one task, and an end to it.

use std::time::{Duration, Instant};

use agenttrust::background;
use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Map, Value};

use super::super::events::{Event, Events, Piece, Unreadable};
use super::super::{Error, Incoming};
use super::exchange::{self, members, unanswered};
use super::words::{self, Call};
use super::{SendError, Update, Updates, Version, Way, http_json, json_rpc};

/// The time that an agent may be silent in the middle of a stream.
const SILENT_MOST: Duration = Duration::from_secs(900);
/// The time that a stream may go on.
const STREAM_MOST: Duration = Duration::from_secs(3_600);
/// The most bytes that an agent may send in one stream.
const STREAM_MAX_BYTES: usize = 64 << 20;

/// A stream that is heard.
struct Hearing {
    incoming: Incoming,
    events: Events,
    version: Version,
    /// The id of the request, where the answers have it.
    id: Option<String>,
    /// The task and the context that all of it is about, once that is known.
    about: Option<(String, String)>,
    begun: Instant,
    came: usize,
    over: bool,
}

/// Asks for a stream; returns once its first word is there.
///
/// # Errors
///
/// Those of [`SendError`].
pub(super) async fn open(way: &Way<'_>, call: &Call<'_>) -> Result<Updates, SendError> {
    let begun = Instant::now();
    let version = way.interface.version;
    let answering = exchange::send(way, call, true).await?;
    if !answering.is_stream() {
        let update = words::told(answering.whole(way).await?, version);
        let update = update.map_err(|error| words::lies(&error))?;
        see_task(&update, call)?;
        return Ok(only(update));
    }
    let exchange::Answering { incoming, id, .. } = answering;
    let (events, over, came) = (Events::default(), false, 0);
    let mut hearing = Hearing { incoming, events, version, id, about: None, begun, came, over };
    let left = way.timeout.saturating_sub(begun.elapsed());
    let heard = background::timeout(left, hearing.next(left)).await;
    let late = |_| Some(Err(SendError::InDoubt("it told nothing in time".to_owned())));
    let first = match heard.unwrap_or_else(late) {
        Some(Ok(first)) => first,
        Some(Err(SendError::InDoubt(why))) if call.only_reads() => {
            return Err(SendError::NotSent(why));
        }
        Some(Err(error)) => return Err(error),
        None if call.only_reads() => return Ok(stream::empty().boxed()),
        None => {
            return Err(SendError::InDoubt("its stream ended before it said anything".to_owned()));
        }
    };
    see_task(&first, call)?;
    let rest = stream::unfold(hearing, |mut hearing| async {
        let next = hearing.next(SILENT_MOST).await?;
        Some((next, hearing))
    });
    Ok(stream::iter([Ok(first)]).chain(rest).boxed())
}

/// Returns a stream of this alone.
pub(super) fn only(update: Update) -> Updates {
    stream::iter([Ok(update)]).boxed()
}

fn see_task(update: &Update, call: &Call<'_>) -> Result<(), SendError> {
    match update {
        Update::Task(task) => words::need_task(&task.id, call),
        Update::Status { task_id, .. } | Update::Artifact { task_id, .. } => {
            words::need_task(task_id, call)
        }
        Update::Message(_) => Ok(()),
    }
}

impl Hearing {
    /// Returns what is told next, and within this time; `None` at the end.
    async fn next(&mut self, within: Duration) -> Option<Result<Update, SendError>> {
        if self.over {
            return None;
        }
        let next = self.heard(within).await.transpose();
        let ends = |update: &Update| match update {
            Update::Message(_) => true,
            Update::Task(task) => task.status.state.is_terminal(),
            Update::Status { status, .. } => status.state.is_terminal(),
            Update::Artifact { .. } => false,
        };
        // What follows the last word is not waited for.
        self.over = next.as_ref().is_none_or(|next| next.as_ref().map_or(true, ends));
        next
    }

    async fn heard(&mut self, within: Duration) -> Result<Option<Update>, SendError> {
        loop {
            while let Some(piece) = self.events.next().map_err(unreadable)? {
                let Piece::Event(Event { data: Some(data), .. }) = piece else { continue };
                if data.is_empty() {
                    continue;
                }
                let told = self.told(&data)?;
                // A message in the middle of a task says nothing of how it stands.
                if self.about.is_some() && matches!(told, Update::Message(_)) {
                    continue;
                }
                self.see_one_task(&told)?;
                return Ok(Some(told));
            }
            let left = STREAM_MOST.saturating_sub(self.begun.elapsed()).min(within);
            let chunk = self.incoming.chunk(left).await;
            let Some(chunk) = chunk.map_err(|error| unanswered(error, false))? else {
                return Ok(None);
            };
            self.came = self.came.saturating_add(chunk.len());
            if self.came > STREAM_MAX_BYTES {
                return Err(unanswered(Error::TooLong(STREAM_MAX_BYTES), false));
            }
            self.events.push(&chunk);
        }
    }

    /// Returns what one event says.
    fn told(&self, data: &str) -> Result<Update, SendError> {
        let members = members(data.as_bytes())
            .ok_or_else(|| SendError::Lies("an event of its is no object in JSON".to_owned()))?;
        let result = match &self.id {
            Some(id) => json_rpc::result(members, id)?,
            None => plain(members)?,
        };
        words::told(result, self.version).map_err(|error| words::lies(&error))
    }

    /// Sees that all of it is about one task.
    fn see_one_task(&mut self, update: &Update) -> Result<(), SendError> {
        let (task_id, context_id) = match update {
            Update::Task(task) => (&task.id, &task.context_id),
            Update::Status { task_id, context_id, .. }
            | Update::Artifact { task_id, context_id, .. } => (task_id, context_id),
            Update::Message(_) => return Ok(()),
        };
        match &mut self.about {
            None => self.about = Some((task_id.clone(), context_id.clone())),
            Some((known, _)) if known != task_id => {
                return Err(SendError::Lies("its stream goes on about another task".to_owned()));
            }
            Some((_, known)) if known.is_empty() => known.clone_from(context_id),
            Some((_, known)) if !context_id.is_empty() && known != context_id => {
                return Err(SendError::Lies("its stream goes on in another context".to_owned()));
            }
            Some(_) => {}
        }
        Ok(())
    }
}

/// Returns what an event says that no JSON-RPC is around.
fn plain(members: Map<String, Value>) -> Result<Value, SendError> {
    match http_json::refused(http::StatusCode::INTERNAL_SERVER_ERROR, &members) {
        Some(refused) => Err(refused),
        None => Ok(Value::Object(members)),
    }
}

fn unreadable(why: Unreadable) -> SendError {
    SendError::Lies(match why {
        Unreadable::TooLong => "an event of its is too long".to_owned(),
        Unreadable::NotUtf8 => "an event of its is no UTF-8".to_owned(),
    })
}
