//! Reports of what ran, believed or not.

use std::collections::HashSet;
use std::sync::Arc;

use agenttrust::Timestamp;

use super::agents::known;
use crate::domain::{Error, Key, ids};
use crate::engine::Engine;
use crate::engine::check_ids::Issued;
use crate::store::{EventRow, ReportStage};
use crate::telemetry::NotKept;

/// An event of a report.
#[derive(Debug)]
pub(crate) struct Event {
    /// The stage of a call that it is about, if it is about one.
    pub(crate) stage: Option<ReportStage>,
    pub(crate) event_type: String,
    pub(crate) tool: String,
    pub(crate) duration_ms: u64,
    pub(crate) success: bool,
    pub(crate) error_type: Option<String>,
    pub(crate) happened_at: Option<Timestamp>,
    pub(crate) check_id: Option<String>,
}

/// Keeps what `key` reports of an agent in a session; returns how many of the events are kept. Believed is the
/// first report of a part of a call that its check id proves.
///
/// # Errors
///
/// Not found for an unknown agent; busy where too many reports wait, or the database takes its time.
pub(crate) async fn keep(
    engine: &Engine,
    key: &Key,
    agent_id: &str,
    session_id: &str,
    events: impl Iterator<Item = Event>,
) -> Result<u64, Error> {
    known(engine, &key.org_id, agent_id)?;
    let now = engine.clock.now();
    let [of_org, of_agent, of_session, by_key]: [Arc<str>; 4] =
        [&key.org_id, agent_id, session_id, &key.id].map(Arc::from);
    let mut proven = HashSet::new();
    let rows = events.map(|event| {
        let issued = Issued { key_id: &key.id, agent_id, session_id, tool: &event.tool };
        let (stage, check_id) = (event.stage, event.check_id.map(Arc::<str>::from));
        let verified = stage.is_some()
            && check_id.as_ref().is_some_and(|id| engine.checks.believes(id, &issued, now))
            // Whichever of a batch is first; the others do not queue as if they were believed.
            && proven.insert((check_id.clone(), stage));
        EventRow {
            id: ids::new("evt_").into(),
            org_id: Arc::clone(&of_org),
            agent_id: Arc::clone(&of_agent),
            session_id: Arc::clone(&of_session),
            key_id: Arc::clone(&by_key),
            event_type: event.event_type.into(),
            tool: event.tool.into(),
            duration_ms: event.duration_ms,
            success: event.success,
            error_type: event.error_type.map(Arc::from),
            happened_at: event.happened_at,
            received_at: now,
            check_id,
            stage,
            verified,
        }
    });
    let rows = rows.collect();
    engine.telemetry.keep(agent_id, rows).await.map_err(|not_kept| {
        Error::busy(match not_kept {
            NotKept::Full => {
                "more reports wait to be kept than there is room for; send these again in a second"
            }
            NotKept::Late => {
                "the database takes its time, and these reports may not be kept; send them again"
            }
        })
    })
}
