//! What happens to a task, as a stream to its caller: how it stands at once, then each event as it comes, for as long
//! as the caller may hear it.

use std::borrow::Cow;
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
use serde_json::Value;

use super::encode;
use super::refusal::{INTERNAL_ERROR, Refusal};
use super::request_context::Alive;
use crate::domain::Error;
use crate::domain::limits::Share;
use crate::domain::task::{HeldText, Shown, Version};
use crate::engine::Engine;
use crate::outbound::events::Event;
use crate::services::tasks::Following;
use crate::wire;

/// The time after which it is looked again whether the caller still may.
const TICK: Duration = Duration::from_millis(500);
/// The silence after which the caller hears a comment. A caller that is gone is noticed then, and one that waits 5 s
/// for a byte, as clients do unless they are told otherwise, goes on waiting.
const BEAT: Duration = Duration::from_secs(3);
/// The longest time that a stream goes on; a caller that wants to hear more subscribes again.
const STREAM_MOST: Duration = Duration::from_secs(3_600);
const COMMENT: &[u8] = b": nothing new\n\n";
/// The length of a text that is handed on at once, so that it is one piece with what is around it.
const TEXT_AT_ONCE: usize = wire::PIECE - (4 << 10);

/// A stream that tells a caller of its task.
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
    /// The event that is being sent.
    saying: Option<Saying>,
    over: bool,
    _share: Share,
}

/// An event that is handed on piece by piece.
#[derive(Debug)]
struct Saying {
    /// The text before it, until that was sent.
    before: String,
    rest: Bytes,
    _held: HeldText,
}

impl Saying {
    /// Returns the next piece. It ends the event once nothing is left.
    fn next(&mut self) -> Bytes {
        let mut piece = std::mem::take(&mut self.before).into_bytes();
        let text = self.rest.split_to(self.rest.len().min(TEXT_AT_ONCE));
        piece.extend_from_slice(&text);
        if self.rest.is_empty() {
            piece.extend_from_slice(b"}\n\n");
        }
        piece.into()
    }
}

/// The event that ended a wait.
enum Waited {
    Event(Arc<Shown>),
    Beat,
    End,
    Over(&'static str),
}

impl Telling {
    /// Creates the stream that tells of what follows.
    ///
    /// # Errors
    ///
    /// Too many where the caller holds too much already.
    pub(super) fn new(
        engine: Arc<Engine>,
        alive: Alive,
        (version, id): (Version, Value),
        mut following: Following,
        share: Share,
    ) -> Result<Self, Error> {
        let now = Instant::now();
        let first = following.first();
        let (begun, told_at, over, saying) = (now, now, false, None);
        let mut telling = Self {
            engine,
            alive,
            version,
            id,
            following,
            begun,
            told_at,
            saying,
            over,
            _share: share,
        };
        if let Some(first) = first {
            telling.say(&first)?;
        }
        Ok(telling)
    }

    /// Returns the stream as an answer.
    pub(super) fn into_response(self) -> Response {
        wire::events(Body::from_stream(stream::unfold(Some(self), |telling| async {
            let mut telling = telling?;
            let said = telling.next().await?;
            // Nothing is held once the last word was said.
            let is_over = telling.over && telling.saying.is_none();
            let rest = (!is_over).then_some(telling);
            Some((Ok::<_, Infallible>(said), rest))
        })))
    }

    /// Returns what is said next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        self.told_at = Instant::now();
        if self.saying.is_none() {
            match self.wait().await {
                Waited::Event(event) => {
                    if let Err(error) = self.say(&event) {
                        return Some(self.end(error.message().to_owned()));
                    }
                }
                Waited::Beat => return Some(Bytes::from_static(COMMENT)),
                Waited::End => return None,
                Waited::Over(why) => return Some(self.end(why)),
            }
        } else if self.alive.over(&self.engine).is_some() {
            // In the middle of an event no other one can be told.
            return None;
        }
        let saying = self.saying.as_mut()?;
        let piece = saying.next();
        if saying.rest.is_empty() {
            self.saying = None;
        }
        Some(piece)
    }

    /// Returns the last word, which says why it is that.
    fn end(&mut self, why: impl Into<Cow<'static, str>>) -> Bytes {
        self.over = true;
        let refusal = Refusal::new(INTERNAL_ERROR, why).id(&self.id);
        Event::of(refusal.to_json().to_string()).write()
    }

    /// Begins to say what happened.
    fn say(&mut self, event: &Arc<Shown>) -> Result<(), Error> {
        let (version, about) = (self.version, self.following.about());
        let counted = (&self.engine.limits.task_bytes, &self.alive.counted);
        let held = event.hold(version, counted, |event| encode::event(version, about, event))?;
        self.over = event.state().is_some_and(|state| state.is_terminal());
        let before = format!("data: {{\"id\":{},\"jsonrpc\":\"2.0\",\"result\":", self.id);
        self.saying = Some(Saying { before, rest: held.text.clone(), _held: held });
        Ok(())
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
                Either::Left((Some(event), _)) => return Waited::Event(event),
                Either::Left((None, _)) => return Waited::End,
                Either::Right(_) => {}
            }
        }
    }
}
