//! Sending what is to be told: one job a webhook, so that a slow receiver holds up no other.

use std::sync::{Arc, Weak};
use std::time::Duration;

use agenttrust::background;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use super::jobs::{Job, Jobs};
use super::{alive, backoff};
use crate::audit::Record;
use crate::domain;
use crate::engine::Engine;
use crate::metrics::WebhookResult;
use crate::outbound::{self, sign};
use crate::services::sealed;
use crate::store::{Ended, Leased, SecretOf, StoreError, WebhookRow};

/// The time after which it is looked again for what is due.
const BEAT: Duration = Duration::from_millis(500);
/// The time that a delivery is one replica's own. It is longer than any sending takes, so that no other replica sends
/// meanwhile; a replica that died holds it no longer.
const LEASE: Duration = Duration::from_secs(60);
/// The number of jobs that are on their way at once.
const JOBS_MOST: usize = 64;

/// Starts sending.
pub(crate) fn start(engine: &Arc<Engine>) {
    background::spawn(tend(Arc::downgrade(engine)));
}

async fn tend(engine: Weak<Engine>) {
    let jobs = Jobs::at_most(JOBS_MOST);
    let mut troubled = false;
    loop {
        background::sleep(BEAT).await;
        let Some(engine) = alive(&engine) else { return };
        match engine.background_store.webhooks_with_due(engine.clock.now()).await {
            Ok(due) => {
                troubled = false;
                due.into_iter().for_each(|webhook_id| send_out(&engine, &jobs, webhook_id));
            }
            Err(error) if !troubled && !*engine.closing.borrow() => {
                tracing::warn!(%error, "webhooks cannot be looked after; trying again");
                troubled = true;
            }
            Err(_) => {}
        }
    }
}

fn send_out(engine: &Arc<Engine>, jobs: &Jobs, webhook_id: String) {
    let Some(job) = jobs.begin(webhook_id) else { return };
    let engine = Arc::downgrade(engine);
    background::spawn(async move {
        let done = run(&job, &engine).await;
        if let (Err(error), Some(_)) = (done, alive(&engine)) {
            tracing::warn!(%error, webhook_id = job.id, "a webhook could not be served");
        }
    });
}

/// Sends everything that is due to one webhook.
async fn run(job: &Job, engine: &Weak<Engine>) -> Result<(), StoreError> {
    while let Some(engine) = alive(engine) {
        let now = engine.clock.now();
        let until = now.saturating_add(LEASE);
        let Some(leased) = engine.background_store.lease(job.id.clone(), now, until).await? else {
            return Ok(());
        };
        let webhook = engine.background_store.webhook(job.id.clone()).await?;
        match webhook.filter(|webhook| webhook.disabled_at.is_none()) {
            Some(webhook) => deliver(&engine, &webhook, leased).await?,
            None => {
                let error = "the webhook was removed or switched off".to_owned();
                engine
                    .background_store
                    .end_delivery(leased, Ended::GivenUp { status: None, error }, now)
                    .await?;
            }
        }
    }
    Ok(())
}

async fn deliver(engine: &Engine, webhook: &WebhookRow, leased: Leased) -> Result<(), StoreError> {
    let answered = post(engine, webhook, &leased, engine.clock.now().unix_seconds()).await;
    let now = engine.clock.now();
    let (status, error) = match answered {
        Ok(status) if status.is_success() => {
            engine.metrics.webhooks.count(WebhookResult::Delivered);
            let delivered = Ended::Delivered { status: status.as_u16() };
            return engine.background_store.end_delivery(leased, delivered, now).await;
        }
        Ok(status) if status == StatusCode::GONE => {
            engine.metrics.webhooks.count(WebhookResult::GivenUp);
            return switch_off(engine, webhook, leased).await;
        }
        Ok(status) => (Some(status.as_u16()), format!("the receiver answered {status}")),
        Err(DeliveryError::Call(outbound::Error::Redirected { status, to })) => {
            let error = outbound::Error::Redirected { status, to };
            (Some(status.as_u16()), error.to_string())
        }
        Err(error) => (None, error.to_string()),
    };
    match backoff::next_attempt(leased.created_at, leased.attempts, now) {
        Some(next) => {
            engine.metrics.webhooks.count(WebhookResult::Failed);
            engine.background_store.try_delivery_again(leased, next, status, error).await
        }
        None => {
            tracing::warn!(
                webhook_id = webhook.id,
                delivery_id = leased.id,
                error,
                "a webhook did not take a message for a day, so it is not told any more"
            );
            engine.metrics.webhooks.count(WebhookResult::GivenUp);
            let given_up = Ended::GivenUp { status, error };
            engine.background_store.end_delivery(leased, given_up, now).await
        }
    }
}

/// The reason why a message was not told.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    #[error(transparent)]
    Call(#[from] outbound::Error),
    #[error("not sent: {}", .0.message())]
    Secret(domain::Error),
    #[error(
        "not sent: the secret that is kept for the webhook cannot be used; remove the webhook and register it again"
    )]
    NoSecret,
}

/// Signs and sends it. What cannot be signed is not sent.
async fn post(
    engine: &Engine,
    webhook: &WebhookRow,
    leased: &Leased,
    at: i64,
) -> Result<StatusCode, DeliveryError> {
    let url = engine.outbound.target(&webhook.url)?;
    let secret = sealed::open(&engine.sealer, SecretOf::Webhook, &webhook.id, &webhook.secret);
    let secret = secret.map_err(DeliveryError::Secret)?;
    let signature = sign(&secret, &leased.id, at, &leased.body).ok_or(DeliveryError::NoSecret)?;
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("webhook-timestamp", HeaderValue::from(at));
    for (name, value) in [("webhook-id", leased.id.as_str()), ("webhook-signature", &signature)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    Ok(engine.outbound.post(url, headers, leased.body.clone()).await?)
}

/// Disables a webhook whose receiver answered 410 and wants nothing more, ever.
async fn switch_off(
    engine: &Engine,
    webhook: &WebhookRow,
    leased: Leased,
) -> Result<(), StoreError> {
    let now = engine.clock.now();
    let reason = "the receiver answered 410 Gone".to_owned();
    let status = Some(StatusCode::GONE.as_u16());
    let given_up = Ended::GivenUp { status, error: reason.clone() };
    engine.background_store.disable_webhook(webhook.id.clone(), reason.clone(), now).await?;
    engine.background_store.end_delivery(leased, given_up, now).await?;
    tracing::warn!(webhook_id = webhook.id, "a webhook is switched off: {reason}");
    let record = Record::new("webhook.disabled", &webhook.org_id)
        .body(json!({ "webhook_id": webhook.id, "reason": reason }));
    if let Err(error) = engine.audit.enqueue(record).await {
        tracing::warn!(%error, "that a webhook was switched off could not be recorded");
    }
    Ok(())
}
