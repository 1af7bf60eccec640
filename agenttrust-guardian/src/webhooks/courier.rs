//! Sending what is to be told: one courier a webhook, so that a slow receiver holds up nobody else's.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use agenttrust::__private::background;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use super::patience;
use super::signature::sign;
use crate::audit::Record;
use crate::outbound::{self, Outbound};
use crate::state::State;
use crate::store::{Ended, Leased, StoreError, WebhookRow};

/// How often to look for what is due.
const BEAT: Duration = Duration::from_millis(500);
/// How long a delivery is one replica's own. Longer than any sending takes, so that nobody else sends
/// meanwhile; a replica that died holds it no longer.
const LEASE: Duration = Duration::from_secs(60);
/// How many couriers are on their way at once.
const COURIERS_MOST: usize = 64;

/// The webhooks that a courier is busy with.
type Busy = Arc<Mutex<HashSet<String>>>;

/// Starts sending.
pub(crate) fn start(state: &Arc<State>) {
    background::spawn(tend(Arc::downgrade(state)));
}

async fn tend(state: Weak<State>) {
    let busy = Busy::default();
    let mut troubled = false;
    loop {
        background::sleep(BEAT).await;
        let Some(state) = state.upgrade().filter(|state| !*state.closing.borrow()) else { return };
        match state.background_store.webhooks_with_due(state.clock.now()).await {
            Ok(due) => {
                troubled = false;
                due.into_iter().for_each(|webhook_id| send_out(&state, &busy, webhook_id));
            }
            Err(error) if !troubled => {
                tracing::warn!(%error, "webhooks cannot be looked after; trying again");
                troubled = true;
            }
            Err(_) => {}
        }
    }
}

fn send_out(state: &Arc<State>, busy: &Busy, webhook_id: String) {
    {
        let mut busy = busy.lock().unwrap_or_else(PoisonError::into_inner);
        if busy.len() >= COURIERS_MOST || !busy.insert(webhook_id.clone()) {
            return;
        }
    }
    let errand = Errand { busy: Arc::clone(busy), webhook_id };
    let state = Arc::downgrade(state);
    background::spawn(async move {
        if let Err(error) = errand.run(state).await {
            tracing::warn!(%error, webhook_id = errand.webhook_id, "a webhook could not be served");
        }
    });
}

/// One courier's way: everything that is due to one webhook.
struct Errand {
    busy: Busy,
    webhook_id: String,
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.webhook_id);
    }
}

impl Errand {
    async fn run(&self, state: Weak<State>) -> Result<(), StoreError> {
        while let Some(state) = state.upgrade().filter(|state| !*state.closing.borrow()) {
            let now = state.clock.now();
            let until = now.saturating_add(LEASE);
            let Some(leased) =
                state.background_store.lease(self.webhook_id.clone(), now, until).await?
            else {
                return Ok(());
            };
            let webhook = state.background_store.webhook(self.webhook_id.clone()).await?;
            match webhook.filter(|webhook| webhook.disabled_at.is_none()) {
                Some(webhook) => deliver(&state, &webhook, leased).await?,
                None => {
                    let error = "the webhook was removed or switched off".to_owned();
                    state
                        .background_store
                        .end_delivery(leased, Ended::GivenUp, None, Some(error), now)
                        .await?;
                }
            }
        }
        Ok(())
    }
}

async fn deliver(state: &State, webhook: &WebhookRow, leased: Leased) -> Result<(), StoreError> {
    let answered = post(&state.outbound, webhook, &leased, state.clock.now().unix_seconds()).await;
    let now = state.clock.now();
    let (status, error) = match answered {
        Ok(status) if status.is_success() => {
            let status = Some(status.as_u16());
            return state
                .background_store
                .end_delivery(leased, Ended::Delivered, status, None, now)
                .await;
        }
        Ok(status) if status == StatusCode::GONE => {
            return switch_off(state, webhook, leased).await;
        }
        Ok(status) => (Some(status.as_u16()), format!("the receiver answered {status}")),
        Err(error) => (None, error.to_string()),
    };
    match patience::again(leased.created_at, leased.attempts, now) {
        Some(next) => state.background_store.try_delivery_again(leased, next, status, error).await,
        None => {
            tracing::warn!(
                webhook_id = webhook.id,
                delivery_id = leased.id,
                error,
                "a webhook did not take a message for a day, so it is not told any more"
            );
            state
                .background_store
                .end_delivery(leased, Ended::GivenUp, status, Some(error), now)
                .await
        }
    }
}

/// Signs and sends it.
async fn post(
    outbound: &Outbound,
    webhook: &WebhookRow,
    leased: &Leased,
    at: i64,
) -> Result<StatusCode, outbound::Error> {
    let url = outbound.target(&webhook.url)?;
    let signature = sign(&webhook.secret, &leased.id, at, &leased.body).unwrap_or_default();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("webhook-timestamp", HeaderValue::from(at));
    for (name, value) in [("webhook-id", leased.id.as_str()), ("webhook-signature", &signature)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    outbound.post(url, headers, leased.body.clone()).await
}

/// 410: the receiver wants nothing more, ever.
async fn switch_off(state: &State, webhook: &WebhookRow, leased: Leased) -> Result<(), StoreError> {
    let now = state.clock.now();
    let reason = "the receiver answered 410 Gone".to_owned();
    let status = Some(StatusCode::GONE.as_u16());
    state.background_store.disable_webhook(webhook.id.clone(), reason.clone(), now).await?;
    state
        .background_store
        .end_delivery(leased, Ended::GivenUp, status, Some(reason.clone()), now)
        .await?;
    tracing::warn!(webhook_id = webhook.id, "a webhook is switched off: {reason}");
    let record = Record::new("webhook.disabled", &webhook.org_id)
        .body(json!({ "webhook_id": webhook.id, "reason": reason }));
    if let Err(error) = state.audit.enqueue(record).await {
        tracing::warn!(%error, "that a webhook was switched off could not be recorded");
    }
    Ok(())
}
