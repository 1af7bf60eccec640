//! Events of a task while it goes on, without `.await`.

use super::wait;
use crate::client as asynchronous;
use crate::error::Result;
use crate::model::TaskEvent;

/// The events of a task, as they happen: an iterator, which is over as the stream is. The async one is
/// [`crate::client::TaskEvents`], which says when it ends and how long it waits.
///
/// ```
/// # use agenttrust::blocking::AgentTrustClient;
/// # let client = AgentTrustClient::builder().service(tower::service_fn(
/// #     |_: http::Request<bytes::Bytes>| async {
/// #         let said = "data: {\"jsonrpc\": \"2.0\", \"id\": 1, \"result\": {\"kind\": \"task\", \"id\": \"task_1\"}}\n\n";
/// #         let mut said = http::Response::new(said.to_owned());
/// #         said.headers_mut().insert("content-type", http::HeaderValue::from_static("text/event-stream"));
/// #         Ok::<_, std::io::Error>(said)
/// #     },
/// # )).build()?;
/// # let mut seen = 0;
/// for event in client.a2a().send_message_streaming("agent-b", "Write a long report")? {
///     println!("{:?}", event?);
/// #   seen += 1;
/// }
/// # assert_eq!(seen, 1);
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is told before it is read"]
pub struct TaskEvents {
    /// `None` once waiting for it has failed.
    events: Option<asynchronous::TaskEvents>,
}

impl TaskEvents {
    pub(super) fn new(events: asynchronous::TaskEvents) -> Self {
        Self { events: Some(events) }
    }
}

impl Iterator for TaskEvents {
    type Item = Result<TaskEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut events = self.events.take()?;
        let waited = wait(async move {
            let event = events.next().await;
            Ok((events, event))
        });
        match waited {
            Ok((events, event)) => {
                self.events = Some(events);
                event
            }
            Err(error) => Some(Err(error)),
        }
    }
}
