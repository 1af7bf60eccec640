//! Webhooks: who is told when a call is held, and decided.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::timestamp::Timestamp;
use super::word::wire_words;

wire_words! {
    /// An event that is sent to a webhook.
    pub enum WebhookEvent as "event of a webhook" {
        /// A call that is held, so that an approver has to decide.
        ApprovalPending = "approval.pending",
        /// A held call that was approved.
        ApprovalApproved = "approval.approved",
        /// A held call that was denied.
        ApprovalDenied = "approval.denied",
    }
    default = Unknown;
}

wire_words! {
    /// Whether a message of a webhook has arrived.
    pub enum DeliveryStatus as "status of a delivery" {
        /// A message that is sent, or sent again, later on.
        Waiting = "waiting",
        /// A message that arrived.
        Delivered = "delivered",
        /// A message that never arrived and is not sent again.
        GivenUp = "given_up",
    }
    default = Unknown;
}

/// A request to register a webhook.
///
/// `Debug` shows of the URL no more than the host: the path of an incoming hook is enough to post there.
///
/// ```
/// use agenttrust::model::{CreateWebhookRequest, WebhookEvent};
///
/// let request = CreateWebhookRequest::new("https://example.com/hooks/T0p", [WebhookEvent::ApprovalPending]);
/// assert_eq!(request.events, ["approval.pending"]);
/// assert!(!format!("{request:?}").contains("T0p"));
/// ```
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct CreateWebhookRequest {
    /// The webhook's URL: `https`, at a public address.
    pub url: String,
    /// The events to send.
    pub events: Vec<WebhookEvent>,
}

impl CreateWebhookRequest {
    /// Creates a webhook at this URL for these events.
    #[must_use]
    pub fn new(url: impl Into<String>, events: impl IntoIterator<Item = WebhookEvent>) -> Self {
        Self { url: url.into(), events: events.into_iter().collect() }
    }
}

impl fmt::Debug for CreateWebhookRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateWebhookRequest")
            .field("url", &host(&self.url))
            .field("events", &self.events)
            .finish()
    }
}

/// A webhook as a Guardian tells of it.
///
/// `Debug` shows of the URL no more than the host: who knows the path of an incoming hook may post there.
#[derive(Clone, Deserialize)]
#[non_exhaustive]
pub struct Webhook {
    /// The webhook's id, which is opaque and no secret.
    pub id: String,
    /// The organisation that it is of.
    #[serde(default)]
    pub org_id: String,
    /// The webhook's URL; without the path for callers who may not change it.
    #[serde(default)]
    pub url: String,
    /// The events that are sent to it.
    #[serde(default)]
    pub events: Vec<WebhookEvent>,
    /// The id of the key that registered it.
    #[serde(default)]
    pub created_by: String,
    /// The time when the webhook was registered.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// The time since when the webhook is sent nothing any more.
    #[serde(default)]
    pub disabled_at: Option<Timestamp>,
    /// The reason why the webhook is sent nothing any more.
    #[serde(default)]
    pub disabled_for: Option<String>,
    /// The secret that signs its messages, in the one answer that shows it.
    #[serde(default)]
    pub secret: Option<WebhookSecret>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("id", &self.id)
            .field("org_id", &self.org_id)
            .field("url", &host(&self.url))
            .field("events", &self.events)
            .field("created_by", &self.created_by)
            .field("created_at", &self.created_at)
            .field("disabled_at", &self.disabled_at)
            .field("disabled_for", &self.disabled_for)
            .field("secret", &self.secret)
            .finish()
    }
}

/// Returns a URL without what may be as good as a password.
pub(super) fn host(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
            // Before the last `@` there is a name, and a password.
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}/…")
        }
        None => "…".to_owned(),
    }
}

/// The secret that signs the messages of a webhook, `whsec_…`. `Debug` shows nothing of it, and its memory is wiped
/// when dropped.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct WebhookSecret(Zeroizing<String>);

impl WebhookSecret {
    /// Returns the secret, as the libraries of Standard Webhooks take it. Store it where the receiver's
    /// secrets are: the Guardian shows it this once.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for WebhookSecret {
    fn from(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

/// The delivery of one message of a webhook.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct WebhookDelivery {
    /// The id that the receiver sees as `webhook-id`, each time that the message is sent.
    pub id: String,
    /// The event of the message.
    #[serde(default)]
    pub event: WebhookEvent,
    /// Whether it has arrived.
    #[serde(default)]
    pub status: DeliveryStatus,
    /// The number of times that the message was sent.
    #[serde(default)]
    pub attempts: u64,
    /// The time of the event.
    #[serde(default)]
    pub created_at: Option<Timestamp>,
    /// The time when the message is sent, or sent again; `None` once it is over.
    #[serde(default)]
    pub next_attempt_at: Option<Timestamp>,
    /// The time when the message arrived or was given up.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// The status that the receiver answered last.
    #[serde(default)]
    pub last_status: Option<u16>,
    /// The last error.
    #[serde(default)]
    pub last_error: Option<String>,
}

/// A page of what a webhook was told.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct WebhookDeliveries {
    /// The deliveries, the newest first; those of the last 30 days.
    #[serde(default)]
    pub deliveries: Vec<WebhookDelivery>,
    /// The position of the next page, for [`DeliveryFilter::before`](crate::client::DeliveryFilter::before). `None` at
    /// the end of the list.
    #[serde(default)]
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn debug_shows_neither_the_secret_nor_what_of_the_url_is_as_good_as_one() {
        for url in [
            "https://hooks.example.com/services/T0p?k=T0p#T0p",
            "https://hooks.example.com?T0p",
            "https://T0p:T0p@hooks.example.com/",
            "https://T0p@T0p@hooks.example.com\\T0p",
        ] {
            let hook: Webhook =
                serde_json::from_value(json!({ "id": "whk_1", "url": url, "secret": "whsec_T0p" }))
                    .unwrap();
            let request = CreateWebhookRequest::new(url, []);
            let shown = format!("{hook:?} {request:?}");
            assert!(!shown.contains("T0p"), "{shown}");
            assert_eq!(shown.matches("https://hooks.example.com/…").count(), 2, "{shown}");
            assert_eq!(hook.secret.unwrap().as_str(), "whsec_T0p");
        }
        assert!(!format!("{:?}", CreateWebhookRequest::new("T0p", [])).contains("T0p"));
    }
}
