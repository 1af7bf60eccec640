//! Telemetry: what ran, how long, and whether it worked (SDK guide, section 13).

use super::AgentTrustClient;
use crate::error::Result;
use crate::model::{TelemetryEvent, TelemetryReceipt, TelemetryReport, headers};

/// See [`AgentTrustClient::telemetry`].
#[derive(Clone, Copy, Debug)]
pub struct Telemetry<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> Telemetry<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Reports a batch of events.
    ///
    /// # Errors
    ///
    /// Whatever keeps the batch from being taken. It may be sent again.
    pub async fn report(
        &self,
        agent_id: &str,
        session_id: &str,
        events: &[TelemetryEvent],
    ) -> Result<TelemetryReceipt> {
        self.report_checked(agent_id, session_id, events, &[]).await
    }

    /// Does the same as [`report`](Self::report), with the check that each event belongs to, in the
    /// same order.
    ///
    /// Only events with the id of a check that this key made count as verified. `check_ids` is as long as `events`, with
    /// `None` for an event without a check; a Guardian refuses a list of another length.
    ///
    /// # Errors
    ///
    /// As for [`report`](Self::report).
    pub async fn report_checked(
        &self,
        agent_id: &str,
        session_id: &str,
        events: &[TelemetryEvent],
        check_ids: &[Option<String>],
    ) -> Result<TelemetryReceipt> {
        let body = TelemetryReport {
            agent_id: agent_id.to_owned(),
            session_id: session_id.to_owned(),
            events: events.to_vec(),
        };
        let mut call = self.client.post("/api/v1/telemetry/report").json(&body);
        if check_ids.iter().any(Option::is_some) {
            let ids: Vec<&str> = check_ids.iter().map(|id| id.as_deref().unwrap_or("-")).collect();
            call = call.header(headers::CHECK_IDS, &ids.join(","));
        }
        call.send().await?.json()
    }
}
