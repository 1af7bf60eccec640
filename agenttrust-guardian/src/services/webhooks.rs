//! Webhooks: registered, listed and removed, and what became of their deliveries.

use reqwest::Url;
use serde_json::json;

use crate::audit::Record;
use crate::domain::{Error, Event, Key, Secret, Span, ids};
use crate::engine::Engine;
use crate::outbound::new_secret;
use crate::store::{DeliveryRow, SecretOf, StoreError, WEBHOOKS_MOST, WebhookRow};

/// Registers a webhook at `url` for these events, and returns it with its secret, which is shown this once.
///
/// # Errors
///
/// Invalid for a URL that may not be called and for events that are not known, too many where the organisation
/// has as many as it may have, unavailable where there is no key to keep its secret by.
pub(crate) async fn create(
    engine: &Engine,
    key: &Key,
    url: String,
    events: &[String],
) -> Result<(WebhookRow, Secret), Error> {
    let target = engine.target_of("url", &url)?;
    let events = read_events(events)?;
    let (id, secret) = (ids::new("whk_"), new_secret()?);
    let row = WebhookRow {
        secret: engine.sealer.seal(&SecretOf::Webhook.about(&id), &secret)?,
        id,
        org_id: key.org_id.clone(),
        url,
        events,
        created_by: key.id.clone(),
        created_at: engine.clock.now(),
        disabled_at: None,
        disabled_for: None,
    };
    let stored = async {
        if engine.store.insert_webhook(row.clone()).await? {
            return Ok(());
        }
        Err(Error::too_many(format!(
            "this organisation has {WEBHOOKS_MOST} webhooks, which is the most; remove one first"
        )))
    };
    // Not the path: it may be as good as a password.
    let about = json!({
        "webhook_id": row.id,
        "origin": target.origin().ascii_serialization(),
        "events": row.events,
    });
    let record = |_: &()| Record::new("webhook.created", &row.org_id).actor(&key.id).body(about);
    engine.change(stored, record).await?;
    Ok((row, secret))
}

fn read_events(words: &[String]) -> Result<Vec<Event>, Error> {
    let mut events = Vec::new();
    for (place, word) in words.iter().enumerate().take(Event::ALL.len() + 1) {
        let event = Event::from_word(word).ok_or_else(|| {
            Error::invalid(
                &format!("events[{place}]"),
                "is not known; use approval.pending, approval.approved or approval.denied",
            )
        })?;
        if events.contains(&event) {
            return Err(Error::invalid(&format!("events[{place}]"), "is there twice"));
        }
        events.push(event);
    }
    if events.is_empty() {
        return Err(Error::invalid("events", "is empty; name at least approval.pending"));
    }
    Ok(events)
}

/// Returns the webhooks of the organisation; without their paths, unless `whole` is true.
///
/// # Errors
///
/// Those of the database.
pub(crate) async fn list(
    engine: &Engine,
    key: &Key,
    whole: bool,
) -> Result<Vec<WebhookRow>, StoreError> {
    let mut rows = engine.reading_store.webhooks(key.org_id.clone()).await?;
    if !whole {
        rows.iter_mut().for_each(|row| row.url = origin(&row.url));
    }
    Ok(rows)
}

/// Returns a URL without what may be as good as a password: a program that knows the path of an incoming hook may post
/// there.
fn origin(url: &str) -> String {
    // Read as it is called: the parser takes `\` for `/`, and leaves tabs out.
    Url::parse(url)
        .map_or_else(|_| "…".to_owned(), |url| format!("{}/…", url.origin().ascii_serialization()))
}

/// Removes a webhook; what it was not told yet, it is not told any more.
///
/// # Errors
///
/// Not found.
pub(crate) async fn remove(engine: &Engine, key: &Key, id: &str) -> Result<(), Error> {
    let removed = async {
        match engine.store.delete_webhook(id.to_owned(), key.org_id.clone()).await? {
            true => Ok(()),
            false => Err(Error::unknown("webhook", id)),
        }
    };
    let about = json!({ "webhook_id": id });
    let record = |_: &()| Record::new("webhook.removed", &key.org_id).actor(&key.id).body(about);
    engine.change(removed, record).await
}

/// Returns a span of the deliveries of a webhook, the newest first; and whether there are more.
///
/// # Errors
///
/// Not found.
pub(crate) async fn deliveries(
    engine: &Engine,
    key: &Key,
    id: &str,
    span: &Span,
) -> Result<(Vec<DeliveryRow>, bool), Error> {
    let webhook = engine.reading_store.webhook(id.to_owned()).await?;
    if webhook.is_none_or(|webhook| webhook.org_id != key.org_id) {
        return Err(Error::unknown("webhook", id));
    }
    let (id, before) = (id.to_owned(), span.before.clone());
    Ok(span.cut(engine.reading_store.deliveries(id, before, span.looked_for()).await?))
}
