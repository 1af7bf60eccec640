//! Events of a task while it goes on, as they come.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use http::header::CONTENT_TYPE;

use super::AgentTrustClient;
use super::a2a_rpc::{Rpc, event, failed, result};
use super::body_stream::BodyStream;
use super::sse::Events;
use crate::background;
use crate::error::{AgentTrustError, Result};
use crate::model::TaskEvent;
use crate::transport::{TransportError, TransportErrorKind};

/// The longest time that an agent may say nothing. Our Guardian says each 15 seconds that it is still there, others may
/// not.
const IDLE: Duration = Duration::from_secs(300);

/// The longest thing that is told at once.
const TOLD_LIMIT: usize = 8 * 1024 * 1024;

/// The events of a task, as they happen; see [`A2a::send_message_streaming`](super::A2a::send_message_streaming).
///
/// It may be read from any runtime, or from none, and is a [`Stream`] as well. It ends once the task has ended, and
/// where the task waits: for an approval, or for another message. After an error [`subscribe`](super::A2a::subscribe)
/// hears the rest, and [`get_task`](super::A2a::get_task) returns its state.
#[must_use = "nothing is told before it is read"]
pub struct TaskEvents {
    body_stream: BodyStream,
    told: Told,
}

/// The events that came in and were not read yet.
enum Told {
    Events(Events),
    /// The one answer of a gateway that does not stream.
    Answer(Vec<u8>),
    Nothing,
}

impl TaskEvents {
    /// Sends `rpc` and waits until it is answered, as long as any request may take.
    pub(super) async fn open(client: &AgentTrustClient, rpc: Rpc) -> Result<Self> {
        let (timeout, client) = (client.inner.timeout, client.clone());
        let asking =
            async move { rpc.call(&client).open_stream("text/event-stream").await.map_err(failed) };
        let opened = background::timeout(timeout, BodyStream::open(asking, IDLE)).await;
        let body_stream = opened
            .unwrap_or_else(|elapsed| Err(TransportError::classify(elapsed.into()).into()))?;
        let told = match is_stream(&body_stream) {
            true => Told::Events(Events::up_to(TOLD_LIMIT)),
            false => Told::Answer(Vec::new()),
        };
        Ok(Self { body_stream, told })
    }

    /// Returns the next thing that is told, as soon as it is; `None` when nothing more is, as after an error.
    ///
    /// # Errors
    ///
    /// Those of [`send_message`](super::A2a::send_message), where the gateway refuses in the stream;
    /// [`Network`](AgentTrustError::Network) when the connection breaks or is silent for 5 minutes,
    /// [`Json`](AgentTrustError::Json) for what cannot be read. After each of them something may have been missed.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing is lost.
    pub async fn next(&mut self) -> Option<Result<TaskEvent>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<TaskEvent>>> {
        loop {
            if let Told::Events(events) = &mut self.told
                && let Some(told) = events.next()
            {
                // A comment that has a name, by which some keep the connection.
                if told.data.is_empty() {
                    continue;
                }
                return Poll::Ready(Some(self.read(told.data.as_bytes())));
            }
            let taken = match ready!(self.body_stream.poll(cx)) {
                Some(Ok(piece)) => self.take_in(&piece),
                Some(Err(error)) => Err(error),
                None => {
                    let told = std::mem::replace(&mut self.told, Told::Nothing);
                    let Told::Answer(answer) = told else { return Poll::Ready(None) };
                    return Poll::Ready(Some(self.read(&answer)));
                }
            };
            if let Err(error) = taken {
                self.end();
                return Poll::Ready(Some(Err(error.into())));
            }
        }
    }

    fn take_in(&mut self, piece: &[u8]) -> Result<(), TransportError> {
        match &mut self.told {
            Told::Events(events) => events.feed(piece),
            Told::Answer(answer) if answer.len() + piece.len() > TOLD_LIMIT => {
                let long = format!("the answer is longer than {TOLD_LIMIT} bytes");
                Err(TransportError::new(TransportErrorKind::Broken, long))
            }
            Told::Answer(answer) => {
                answer.extend_from_slice(piece);
                Ok(())
            }
            Told::Nothing => Ok(()),
        }
    }

    /// Returns what is told in an answer of JSON-RPC. An error is the last of it.
    fn read(&mut self, answer: &[u8]) -> Result<TaskEvent> {
        let answer = serde_json::from_slice(answer).map_err(AgentTrustError::Json);
        let told = answer.and_then(result).and_then(event);
        if told.is_err() {
            self.end();
        }
        told
    }

    /// Lets go of the connection, and of what had come in and was not read.
    fn end(&mut self) {
        self.body_stream.end();
        self.told = Told::Nothing;
    }
}

/// Returns whether the body is a stream of events, and not the one answer of a gateway that does not stream.
fn is_stream(body_stream: &BodyStream) -> bool {
    let said = body_stream.headers().get(CONTENT_TYPE).and_then(|said| said.to_str().ok());
    said.is_some_and(|said| said.trim_start().to_ascii_lowercase().starts_with("text/event-stream"))
}

impl Stream for TaskEvents {
    type Item = Result<TaskEvent>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl fmt::Debug for TaskEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskEvents")
            .field("over", &self.body_stream.is_over())
            .finish_non_exhaustive()
    }
}
