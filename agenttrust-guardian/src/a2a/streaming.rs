//! What happens to a task, as a stream to its caller: how it stands at once, then each event as it comes, for as long as
//! the caller may hear it.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::background;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream;
use serde_json::{Value, json};

use super::refusal::{INTERNAL_ERROR, Refusal};
use super::who::Alive;
use super::written;
use crate::domain::limits::Share;
use crate::domain::task::{TaskEvent, Version};
use crate::engine::Engine;
use crate::outbound::events::Event;
use crate::services::tasks::Following;
use crate::wire;

/// How often it is looked whether the caller still may.
const TICK: Duration = Duration::from_millis(500);
/// After so much silence the caller hears a comment: who is gone is noticed then.
const BEAT: Duration = Duration::from_secs(15);
/// How long a stream may go on; who wants to hear more subscribes again.
const STREAM_MOST: Duration = Duration::from_secs(3_600);
const COMMENT: &[u8] = b": nothing new\n\n";

/// A task that is told of.
#[derive(Debug)]
pub(super) struct Telling {
    engine: Arc<Engine>,
    alive: Alive,
    version: Version,
    /// The id of the request, which stands in every event.
    id: Value,
    following: Following,
    begun: Instant,
    told_at: Instant,
    /// How it stood when it began to be followed was told.
    has_begun: bool,
    over: bool,
    _share: Share,
}

/// What waiting came to.
enum Waited {
    Event(Box<TaskEvent>),
    Beat,
    End,
    Over(&'static str),
}

impl Telling {
    pub(super) fn new(
        engine: Arc<Engine>,
        alive: Alive,
        (version, id): (Version, Value),
        following: Following,
        share: Share,
    ) -> Self {
        let now = Instant::now();
        let (begun, told_at, has_begun, over) = (now, now, false, false);
        Self {
            engine,
            alive,
            version,
            id,
            following,
            begun,
            told_at,
            has_begun,
            over,
            _share: share,
        }
    }

    /// The stream as an answer.
    pub(super) fn into_response(self) -> Response {
        wire::events(Body::from_stream(stream::unfold(Some(self), |telling| async {
            let mut telling = telling?;
            let said = telling.next().await?;
            // Nothing is held once the last word was said.
            let rest = (!telling.over).then_some(telling);
            Some((Ok::<_, Infallible>(said), rest))
        })))
    }

    /// What is said next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        self.told_at = Instant::now();
        if !self.has_begun {
            self.has_begun = true;
            let task = self.following.task().clone();
            return Some(self.told(&TaskEvent::Task(Box::new(task))));
        }
        match self.wait().await {
            Waited::Event(event) => Some(self.told(&event)),
            Waited::Beat => Some(Bytes::from_static(COMMENT)),
            Waited::End => None,
            Waited::Over(why) => {
                self.over = true;
                let refusal = Refusal::new(INTERNAL_ERROR, why).id(&self.id);
                Some(Event::of(refusal.to_json().to_string()).write())
            }
        }
    }

    fn told(&mut self, event: &TaskEvent) -> Bytes {
        let state = match event {
            TaskEvent::Task(task) => Some(task.status.state),
            TaskEvent::Status { status, .. } => Some(status.state),
            TaskEvent::Artifact { .. } => None,
        };
        self.over = state.is_some_and(|state| state.is_terminal());
        let task = self.following.task();
        let about = (task.id.as_str(), task.context_id.as_str());
        let result = written::event(self.version, about, event);
        let message = json!({ "jsonrpc": "2.0", "id": self.id, "result": result });
        Event::of(message.to_string()).write()
    }

    async fn wait(&mut self) -> Waited {
        let Self { engine, alive, following, begun, told_at, .. } = self;
        // One and the same over all ticks: what it waits for may take longer than one of them.
        let mut next = pin!(following.next());
        loop {
            if let Some(why) = alive.over(engine) {
                return Waited::Over(why);
            }
            if *engine.closing().borrow() || begun.elapsed() > STREAM_MOST {
                return Waited::End;
            }
            if told_at.elapsed() >= BEAT {
                return Waited::Beat;
            }
            match select(next.as_mut(), pin!(background::sleep(TICK))).await {
                Either::Left((Some(event), _)) => return Waited::Event(Box::new(event)),
                Either::Left((None, _)) => return Waited::End,
                Either::Right(_) => {}
            }
        }
    }
}
