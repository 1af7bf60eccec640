//! Watching what is reported, and streams that end when the test says so.

use std::time::Duration;

use agenttrust::AgentTrustGuard;
use agenttrust_testkit::eventually;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;
use tokio::sync::watch;

use crate::guardian::Guardian;

/// A Guardian, and the guard whose reports are watched.
pub(crate) struct Watch {
    pub(crate) guardian: Guardian,
    pub(crate) guard: AgentTrustGuard,
}

impl Watch {
    pub(crate) fn new(guardian: Guardian) -> Self {
        let guard = guardian.guard();
        Self { guardian, guard }
    }

    /// Returns everything that was reported so far.
    pub(crate) async fn events(&self) -> Vec<Value> {
        self.guardian.events(&self.guard).await
    }

    /// Returns the next report: the only one beside the `known` that were there before.
    pub(crate) async fn report_after(&self, known: usize) -> Value {
        let reported = async || self.events().await.len() > known;
        eventually("nothing was reported", reported).await;
        // A second one would come with the first.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let events = self.events().await;
        assert_eq!(events.len(), known + 1, "more than one report: {events:#?}");
        events[known].clone()
    }

    /// Returns the one report that there is.
    pub(crate) async fn report(&self) -> Value {
        self.report_after(0).await
    }

    /// Fails when anything has been reported.
    pub(crate) async fn nothing_yet(&self) {
        assert_eq!(self.events().await, Vec::<Value>::new(), "reported too early");
    }
}

pub(crate) fn assert_success(report: &Value) {
    assert_eq!(report["success"], true, "{report}");
    assert_eq!(report["event_type"], "tool_end", "{report}");
    assert!(report["error_type"].is_null(), "{report}");
}

pub(crate) fn assert_failure(report: &Value, error_type: &str) {
    assert_eq!(report["success"], false, "{report}");
    assert_eq!(report["error_type"], error_type, "{report}");
}

/// A gate that the test opens once.
#[derive(Clone, Debug)]
pub(crate) struct Gate(watch::Sender<bool>);

impl Gate {
    pub(crate) fn closed() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn open(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn opened(&self) {
        let mut opened = self.0.subscribe();
        opened.wait_for(|opened| *opened).await.expect("the gate is still there");
    }

    /// Returns a stream of `first` at once, and `last` when the gate is open.
    pub(crate) fn between<T: Send + 'static>(
        &self,
        first: T,
        last: T,
    ) -> impl Stream<Item = T> + Send + use<T> {
        let gate = self.clone();
        let last = stream::once(async move {
            gate.opened().await;
            last
        });
        stream::once(async { first }).chain(last)
    }
}

/// Returns the next piece of an answer that is still being sent.
pub(crate) async fn chunk(response: &mut reqwest::Response) -> Bytes {
    let chunk = tokio::time::timeout(Duration::from_secs(5), response.chunk()).await;
    chunk.expect("a piece comes").expect("no error").expect("not the end")
}
