//! How a call ended, told once. One that is dropped was cancelled.

use std::sync::Arc;
use std::time::Instant;

use agenttrust::background;

use crate::engine::Engine;
use crate::services::telemetry::{self, Event};
use crate::store::ReportStage;

use super::subject::Subject;

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Success,
    /// The type of what went wrong, and nothing of what it says.
    Failure(&'static str),
}

impl Outcome {
    /// No caller waits for its answer any more.
    pub(super) const CANCELLED: Self = Self::Failure("Cancelled");
}

/// A call that runs.
#[derive(Debug)]
pub(super) struct Report {
    engine: Arc<Engine>,
    subject: Subject,
    tool: String,
    check_id: Option<String>,
    begun: Instant,
    told: bool,
}

impl Report {
    /// Begins the report of a call, and with it the time that the call takes.
    pub(super) fn begin(
        engine: &Arc<Engine>,
        subject: &Subject,
        tool: String,
        check_id: Option<String>,
    ) -> Self {
        let (engine, subject, begun) = (Arc::clone(engine), subject.clone(), Instant::now());
        Self { engine, subject, tool, check_id, begun, told: false }
    }

    /// Tells how it ended, without waiting.
    pub(super) fn finish(mut self, outcome: Outcome) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Outcome) {
        self.told = true;
        let (success, error_type) = match outcome {
            Outcome::Success => (true, None),
            Outcome::Failure(error_type) => (false, Some(error_type.to_owned())),
        };
        let event = Event {
            stage: Some(ReportStage::End),
            event_type: if success { "tool_end" } else { "tool_error" }.to_owned(),
            tool: self.tool.clone(),
            duration_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            success,
            error_type,
            happened_at: Some(self.engine.clock.now()),
            check_id: self.check_id.take(),
        };
        let (engine, subject) = (Arc::clone(&self.engine), self.subject.clone());
        background::spawn(async move {
            let session = subject.session_id.as_deref().unwrap_or_default();
            let events = std::iter::once(event);
            let kept =
                telemetry::keep(&engine, &subject.key, &subject.agent_id, session, events).await;
            if let Err(error) = kept {
                tracing::warn!(error = error.message(), "how a call ended could not be kept");
            }
        });
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if !self.told {
            self.tell(Outcome::CANCELLED);
        }
    }
}
