//! Sending a batch: for as long as the receiver takes, while the lease is kept.

use std::pin::pin;
use std::sync::Weak;
use std::time::Duration;

use agenttrust::background;
use futures_util::future::{Either, select};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::alive;
use crate::domain::{Secret, ids};
use crate::engine::Engine;
use crate::outbound::Outbound;
use crate::outbound::siem::{Batch, Delivery, Endpoint};
use crate::services::sealed;
use crate::siem::SiemEvent;
use crate::store::{DestinationRow, SecretOf};

/// The time that a destination is one replica's own ...
const LEASE: Duration = Duration::from_secs(9);
/// ... and where there is no other replica.
const LEASE_ALONE: Duration = Duration::from_secs(3_600);
/// The part of that after which it is renewed.
const RENEWED_AFTER: u32 = 3;

/// Returns how long a lease is.
pub(super) fn lease_of(engine: &Engine) -> Duration {
    if engine.settings.has_replicas { LEASE } else { LEASE_ALONE }
}

/// Returns after how much of it a lease is renewed.
pub(super) fn renewed_after(engine: &Engine) -> Duration {
    lease_of(engine) / RENEWED_AFTER
}

/// The sending of a batch: the address, the secrets that it takes, and the client. It does not hold the Guardian, so
/// one that its program drops is not kept by a receiver that does not answer.
pub(super) struct Sending {
    outbound: Outbound,
    endpoint: Endpoint,
    token: Option<Secret>,
    host: String,
    renewed_after: Duration,
}

impl Sending {
    /// Gets ready to send to a destination.
    ///
    /// # Errors
    ///
    /// A sentence for the operator, where it cannot be sent to as things are.
    pub(super) fn to(engine: &Engine, row: &DestinationRow) -> Result<Self, String> {
        let endpoint = engine.outbound.endpoint(row.kind, &row.endpoint);
        let token = row.secret.as_ref().map(|secret| {
            sealed::open(&engine.sealer, SecretOf::SiemDestination, &row.id, secret)
                .map_err(|error| format!("not sent: {}", error.message()))
        });
        Ok(Self {
            outbound: engine.outbound.clone(),
            endpoint: endpoint.map_err(|error| format!("not sent: {error}"))?,
            token: token.transpose()?,
            host: engine.settings.host().to_owned(),
            renewed_after: renewed_after(engine),
        })
    }

    /// Sends it; `None` where the destination is another replica's meanwhile, or was changed, or the Guardian closes.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it hangs up; what was sent may have been taken.
    pub(super) async fn send(
        &self,
        engine: &Weak<Engine>,
        row: &DestinationRow,
        events: &[SiemEvent],
        (changes, mut closing): (watch::Receiver<u64>, watch::Receiver<bool>),
    ) -> Option<Delivery> {
        let id = id_of(&row.id, events);
        let batch = Batch { id: &id, events, host: &self.host };
        let sending = pin!(self.outbound.deliver(&self.endpoint, self.token.as_ref(), &batch));
        let lost = pin!(self.lose(engine, row, changes));
        let closed = pin!(closing.wait_for(|closing| *closing));
        match select(sending, select(lost, closed)).await {
            Either::Left((delivery, _)) => Some(delivery),
            Either::Right(_) => None,
        }
    }

    /// Keeps the lease; ends once it is lost, or the destination was changed.
    async fn lose(
        &self,
        engine: &Weak<Engine>,
        row: &DestinationRow,
        mut changes: watch::Receiver<u64>,
    ) {
        loop {
            // Whichever comes first.
            let _ = background::timeout(self.renewed_after, changes.changed()).await;
            let Some(engine) = alive(engine) else { return };
            let now = engine.clock.now();
            let (id, owner) = (row.id.clone(), engine.siem.owner());
            let until = now.saturating_add(lease_of(&engine));
            let leased = engine.background_store.lease_destination(id, owner, now, until).await;
            match leased {
                Ok(Some((leased, _))) if leased.epoch == row.epoch => {}
                Ok(_) => return,
                // The receiver's answer is worth more than an early end.
                Err(error) => tracing::debug!(%error, "a lease could not be renewed"),
            }
        }
    }
}

/// Returns the same for the same events.
fn id_of(destination_id: &str, events: &[SiemEvent]) -> String {
    let mut digest = Sha256::new_with_prefix(destination_id);
    for event in events {
        digest.update(&event.id);
    }
    let digest = agenttrust::internal::hex::encode(&digest.finalize());
    format!("{}{}", ids::MESSAGE_PREFIX, digest.get(..32).unwrap_or(&digest))
}
