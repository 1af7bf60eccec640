//! One event for trial.

use std::pin::pin;
use std::time::Duration;

use agenttrust::background;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::known;
use crate::audit::Entry;
use crate::domain::{Error, Key, ids};
use crate::engine::Engine;
use crate::outbound::siem::{Batch, Delivery};
use crate::services::sealed;
use crate::siem::{self, SiemEvent};
use crate::store::{DestinationRow, SecretOf};

/// The time that a receiver may take.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(20);

/// The outcome of a trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tried {
    /// The status that the receiver answered, where it answers by HTTP and did.
    pub(crate) status: Option<u16>,
    /// The fault; `None` where the receiver took the event.
    pub(crate) wrong: Option<String>,
}

/// Sends a destination one event, now, also while it is paused, and tells what came of it. That the receiver did not
/// take it is no error.
///
/// # Errors
///
/// Not found; unavailable where the database does not answer, and where the token does not open.
pub(crate) async fn test(engine: &Engine, key: &Key, id: &str) -> Result<Tried, Error> {
    let row = known(engine, key, id).await?;
    let token = row
        .secret
        .as_ref()
        .map(|secret| sealed::open(&engine.sealer, SecretOf::SiemDestination, &row.id, secret));
    let token = token.transpose()?;
    let endpoint = match engine.outbound.endpoint(row.kind, &row.endpoint) {
        Ok(endpoint) => endpoint,
        // What was opened once may not be open any more.
        Err(error) => return Ok(Tried { status: None, wrong: Some(error.to_string()) }),
    };
    let event = event(engine, key, &row)?;
    let (batch_id, events) = (ids::new(ids::MESSAGE_PREFIX), [event]);
    let batch = Batch { id: &batch_id, events: &events, host: engine.settings.host() };
    let sending = pin!(engine.outbound.deliver(&endpoint, token.as_ref(), &batch));
    Ok(background::timeout(TRIAL_TIMEOUT, sending).await.map_or_else(|_| silent(), tried))
}

/// Returns an event that is in no log.
fn event(engine: &Engine, key: &Key, row: &DestinationRow) -> Result<SiemEvent, Error> {
    let hash = Sha256::digest(ids::new(&row.id));
    let entry = Entry {
        log: engine.settings.log.clone(),
        seq: 0,
        at: format!("{:.6}", engine.clock.now()),
        kind: "siem.test".to_owned(),
        org_id: row.org_id.clone(),
        agent_id: None,
        actor: Some(key.id.clone()),
        body: json!({ "destination_id": row.id, "name": row.name }),
        prev_hash: "0".repeat(64),
        hash: agenttrust::internal::hex::encode(&hash),
    };
    siem::encode(&entry, row.format).map_err(|error| {
        tracing::error!(%error, "an event for trial could not be made");
        Error::unavailable("the event for trial could not be made; look at the Guardian's log")
    })
}

fn silent() -> Tried {
    let wrong = format!("the receiver did not take it within {} seconds", TRIAL_TIMEOUT.as_secs());
    Tried { status: None, wrong: Some(wrong) }
}

fn tried(delivery: Delivery) -> Tried {
    match delivery {
        Delivery::Taken { status, refused, later } => {
            let refused = refused.into_iter().next().map(|(_, reason)| reason);
            let later = (!later.is_empty()).then(|| "the receiver wants it again later".to_owned());
            Tried { status, wrong: refused.or(later) }
        }
        Delivery::Refused { status, reason } => Tried { status: Some(status), wrong: Some(reason) },
        Delivery::Later { status, reason, .. } => Tried { status, wrong: Some(reason) },
    }
}
