//! The stream of revocations: what a gateway listens to that caches what tokens are worth.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use super::AgentTrustClient;
use super::body_stream::BodyStream;
use super::sse::{Event, Events};
use crate::background;
use crate::error::{AgentTrustError, Result};
use crate::model::Revocation;
use crate::transport::TransportError;

/// The longest time that the stream may be silent. The Guardian sends something every 15 seconds.
const IDLE: Duration = Duration::from_secs(45);

/// Revocations as they happen; see [`Tokens::revocations`](super::Tokens::revocations).
///
/// It may be read from any runtime, or from none: what it needs of one is on a background runtime. It
/// is a [`Stream`] as well.
///
/// # What a cache has to do
///
/// - Use only what the Guardian said after the stream was there.
/// - On a revocation, forget what it [`concerns`](Revocation::concerns), and keep no answer of the
///   Guardian that was asked for before and comes in after: it may be older.
/// - On an error, or when the stream ends, forget everything; then open another one. A stream ends when
///   the Guardian stops, when the key that opened it is revoked, when it was read too slowly (an
///   error with the code `LAGGED`) and when nothing came for 45 seconds.
///
/// ```no_run
/// use agenttrust::AgentTrustClient;
///
/// # fn forget_all() {}
/// # fn forget_where(_: impl Fn(&str, &str) -> bool) {}
/// # async fn example(client: AgentTrustClient) -> agenttrust::Result<()> {
/// let mut revocations = client.tokens().revocations().await?;
/// while let Some(Ok(revocation)) = revocations.next().await {
///     forget_where(|token, agent_id| revocation.concerns(token, agent_id));
/// }
/// forget_all();
/// # Ok(())
/// # }
/// ```
#[must_use = "revocations come only while they are read"]
pub struct Revocations {
    body_stream: BodyStream,
    events: Events,
}

impl Revocations {
    /// Opens the stream and waits until it is there, as long as any request may take.
    pub(super) async fn open(client: &AgentTrustClient) -> Result<Self> {
        let timeout = client.inner.timeout;
        let opened = background::timeout(timeout, Self::open_by(client.clone(), IDLE)).await;
        opened.unwrap_or_else(|elapsed| Err(TransportError::classify(elapsed.into()).into()))
    }

    async fn open_by(client: AgentTrustClient, idle: Duration) -> Result<Self> {
        let asking = async move {
            let call = client.get("/api/v1/revocations/stream");
            Ok(call.open_stream("text/event-stream").await?)
        };
        let body_stream = BodyStream::open(asking, idle).await?;
        let mut opened = Self { body_stream, events: Events::default() };
        match poll_fn(|cx| opened.poll_event(cx)).await {
            Some(Ok(event)) if event.name == "ready" => Ok(opened),
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Err(AgentTrustError::Api {
                message: "the gateway's stream of revocations does not say when it is ready, so \
                          some could be missed; ask tokens again each time instead"
                    .to_owned(),
                code: "NOT_READY".to_owned(),
                status: 200,
            }),
        }
    }

    /// Returns the next revocation, as soon as there is one; `None` when the stream is over, as it is after
    /// an error.
    ///
    /// # Errors
    ///
    /// [`Network`](AgentTrustError::Network) when the connection breaks or is silent for 45 seconds,
    /// [`Api`](AgentTrustError::Api) with the code `LAGGED` when revocations came faster than they were
    /// read, [`Json`](AgentTrustError::Json) for one that cannot be read. After each of them
    /// something may have been missed.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing is lost.
    pub async fn next(&mut self) -> Option<Result<Revocation>> {
        poll_fn(|cx| self.poll_revocation(cx)).await
    }

    fn poll_revocation(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Revocation>>> {
        loop {
            let read = match ready!(self.poll_event(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => Err(error),
                Some(Ok(event)) => match event.name.as_str() {
                    "revocation" => {
                        serde_json::from_str(&event.data).map_err(AgentTrustError::Json)
                    }
                    "lagged" => Err(lagged()),
                    // Something else that a newer Guardian tells.
                    _ => continue,
                },
            };
            if read.is_err() {
                self.end();
            }
            return Poll::Ready(Some(read));
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event>>> {
        loop {
            if let Some(event) = self.events.next() {
                return Poll::Ready(Some(Ok(event)));
            }
            let read = match ready!(self.body_stream.poll(cx)) {
                Some(Ok(piece)) => self.events.feed(&piece),
                Some(Err(error)) => Err(error),
                None => {
                    self.end();
                    return Poll::Ready(None);
                }
            };
            if let Err(error) = read {
                self.end();
                return Poll::Ready(Some(Err(error.into())));
            }
        }
    }

    /// Lets go of the connection, and of what had come in and was not read.
    fn end(&mut self) {
        self.body_stream.end();
        self.events = Events::default();
    }
}

fn lagged() -> AgentTrustError {
    AgentTrustError::Api {
        message: "revocations came faster than they were read, and some were missed; forget \
                  everything that is cached and open the stream again"
            .to_owned(),
        code: "LAGGED".to_owned(),
        status: 200,
    }
}

impl Stream for Revocations {
    type Item = Result<Revocation>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_revocation(cx)
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("over", &self.body_stream.is_over())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body::Frame;
    use http_body_util::StreamBody;
    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::*;
    use crate::transport::TransportErrorKind;

    /// Returns what the gateway says, and the stream of what it said so far.
    async fn stream(said: &'static str, idle: Duration) -> (Says, Result<Revocations>) {
        let (says, mut hears) = unbounded_channel::<io::Result<Bytes>>();
        says.send(Ok(Bytes::from_static(said.as_bytes()))).unwrap();
        let frames = futures_util::stream::poll_fn(move |cx| {
            hears.poll_recv(cx).map(|said| said.map(|said| said.map(Frame::data)))
        });
        let body = std::sync::Mutex::new(Some(StreamBody::new(frames)));
        let body = std::sync::Arc::new(body);
        let service = tower::service_fn(move |request: Request<Bytes>| {
            assert_eq!(request.headers()["accept"], "text/event-stream");
            assert_eq!(request.headers()["x-api-key"], "sk_test_1");
            let body = body.lock().unwrap().take().unwrap();
            async move { Ok::<_, io::Error>(Response::new(body)) }
        });
        let client = AgentTrustClient::builder().service(service).api_key("sk_test_1").build();
        (Says(says), Revocations::open_by(client.unwrap(), idle).await)
    }

    struct Says(UnboundedSender<io::Result<Bytes>>);

    impl Says {
        fn say(&self, text: &'static str) {
            self.0.send(Ok(Bytes::from_static(text.as_bytes()))).unwrap();
        }

        /// Returns whether no caller listens any more.
        fn is_unheard(&self) -> bool {
            self.0.is_closed()
        }
    }

    const READY: &str = "event: ready\ndata: {}\n\n";
    const AGENT: &str =
        "event: revocation\ndata: {\"kind\": \"agent\", \"agent_id\": \"agt_1\"}\n\n";

    async fn ready(idle: Duration) -> (Says, Revocations) {
        let (says, opened) = stream(READY, idle).await;
        (says, opened.unwrap())
    }

    /// Returns an error, then nothing more, and the connection is let go.
    async fn ends_with_an_error(says: &Says, revocations: &mut Revocations) -> AgentTrustError {
        let error = revocations.next().await.unwrap().unwrap_err();
        assert!(revocations.next().await.is_none());
        assert!(says.is_unheard());
        error
    }

    #[tokio::test]
    async fn revocations_come_in_order_and_other_events_are_passed_over() {
        let (says, mut revocations) = ready(IDLE).await;
        says.say(": still here\n\nevent: weather\ndata: fine\n\n");
        says.say(AGENT);
        says.say("event: revocation\ndata: {\"kind\": \"token\", \"token_sha256\": \"00\"}\n\n");
        says.say("event: revocation\ndata: {\"kind\": \"planet\"}\n\n");
        let mut next = async || revocations.next().await.unwrap().unwrap();
        assert_eq!(next().await, Revocation::of_agent("agt_1"));
        assert_eq!(next().await, Revocation::of_token("00", None, ""));
        assert_eq!(next().await, Revocation::Unknown);
        drop(says);
        assert!(revocations.next().await.is_none());
        assert!(revocations.next().await.is_none());
    }

    #[tokio::test]
    async fn stream_that_is_never_ready_is_no_stream() {
        let (says, opened) = stream(AGENT, IDLE).await;
        assert_eq!(opened.unwrap_err().code(), "NOT_READY");
        assert!(says.is_unheard());
        let (_says, opened) = stream(": hello\n\n", Duration::from_millis(20)).await;
        assert_eq!(opened.unwrap_err().code(), "NETWORK_ERROR");
    }

    #[tokio::test]
    async fn stream_ends_with_an_error_when_revocations_were_missed_or_cannot_be_read() {
        let (says, mut revocations) = ready(IDLE).await;
        says.say("event: lagged\ndata: {}\n\n");
        says.say(AGENT);
        assert_eq!(ends_with_an_error(&says, &mut revocations).await.code(), "LAGGED");

        let (says, mut revocations) = ready(IDLE).await;
        says.say("event: revocation\ndata: {\"kind\": \"agent\"}\n\n");
        says.say(AGENT);
        assert_eq!(ends_with_an_error(&says, &mut revocations).await.code(), "JSON_ERROR");

        let (says, mut revocations) = ready(IDLE).await;
        says.0.send(Err(io::ErrorKind::ConnectionReset.into())).unwrap();
        says.say(AGENT);
        assert_eq!(ends_with_an_error(&says, &mut revocations).await.code(), "NETWORK_ERROR");
    }

    #[tokio::test]
    async fn silent_connection_is_noticed() {
        let (says, mut revocations) = ready(Duration::from_millis(20)).await;
        let error = ends_with_an_error(&says, &mut revocations).await;
        let AgentTrustError::Network(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), TransportErrorKind::Timeout);
    }

    #[tokio::test]
    async fn connection_that_says_anything_is_not_silent() {
        let idle = Duration::from_millis(300);
        let (says, mut revocations) = ready(idle).await;
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(revocations.poll_revocation(&mut cx).is_pending());
        tokio::time::sleep(2 * idle).await;
        says.say(": still here\n\n");
        assert!(revocations.poll_revocation(&mut cx).is_pending());
    }

    #[test]
    fn revocations_can_be_read_by_any_task() {
        fn holds<T: Send + Unpin + Stream + fmt::Debug + 'static>() {}
        holds::<Revocations>();
    }
}
