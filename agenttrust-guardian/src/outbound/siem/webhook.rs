//! A receiver of Standard Webhooks: `{"type":"siem.events","events":[…]}`, signed where it has a secret.

use agenttrust::Timestamp;
use http::{HeaderName, HeaderValue};
use reqwest::Url;

use super::super::{Outbound, sign};
use super::frames::Frame;
use super::http::{Reads, headers, post};
use super::sending::Sending;
use super::{Batch, Delivery};
use crate::domain::Secret;

/// The limits of a body.
const FRAME: Frame = Frame {
    open: r#"{"type":"siem.events","events":["#,
    between: ",",
    close: "]}",
    events: 1_000,
    bytes: 1_000_000,
    one: usize::MAX,
};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Sends a batch. What a receiver says beside its status is not looked at.
pub(super) async fn deliver(
    outbound: &Outbound,
    url: &Url,
    secret: Option<&Secret>,
    batch: &Batch<'_>,
) -> Delivery {
    let mut sending = Sending::new(FRAME.cut(batch.events, |event| event.json.clone()));
    while let Some(part) = sending.next() {
        let mut headers = headers("application/json", None);
        let (id, at) = (part.id(batch.id), Timestamp::now().unix_seconds());
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert(ID, value);
        }
        headers.insert(TIMESTAMP, HeaderValue::from(at));
        let signature = secret.and_then(|secret| sign(secret, &id, at, &part.body));
        if let Some(Ok(value)) = signature.map(|signature| HeaderValue::from_str(&signature)) {
            headers.insert(SIGNATURE, value);
        }
        let became = match post(outbound, url, headers, part.body.clone(), Reads::Status).await {
            Ok(answer) if answer.status.is_success() => {
                Delivery::taken(Some(answer.status.as_u16()))
            }
            Ok(answer) => answer.verdict(None),
            Err(later) => later,
        };
        sending.became(&part, became);
    }
    sending.end()
}
