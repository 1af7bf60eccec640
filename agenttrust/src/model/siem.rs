//! SIEM streaming: where the audit's events are sent, and what became of them there (SDK guide, section 11).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;
use super::tolerant::{lenient, or_default};
use super::webhook::host;
use super::word::wire_words;

wire_words! {
    /// The form in which a destination is sent events.
    pub enum SiemFormat as "format of events" {
        /// Classes of the Open Cybersecurity Schema Framework, which SIEMs read without a parser of ours.
        Ocsf = "ocsf",
        /// Events as the audit has them.
        Raw = "raw",
    }
    default = Unknown;
}

/// A request to make a SIEM destination.
///
/// `Debug` shows neither the token nor more of the URL than its host, whose path may be as good as a password.
///
/// ```
/// use agenttrust::CreateSiemDestinationRequest;
///
/// let request = CreateSiemDestinationRequest {
///     name: "splunk-prod".to_string(),
///     destination_type: "splunk".to_string(),
///     endpoint_url: "https://siem.example.com/services/collector".to_string(),
///     auth_token: Some("T0p".to_string()),
///     batch_size: Some(100),
///     flush_interval_seconds: Some(30),
///     filter_event_types: None,
/// };
/// assert!(serde_json::to_string(&request)?.contains(r#""batch_size":100"#));
/// assert!(!format!("{request:?}").contains("T0p"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateSiemDestinationRequest {
    /// The destination's name, for people.
    pub name: String,
    /// The kind of receiver: `splunk`, `datadog`, `elastic`, `webhook`, `syslog` or `file`.
    pub destination_type: String,
    /// The receiver's URL: `https://…`, for syslog `syslog+tls://host:6514` or `syslog+tcp://host:601`, for a file
    /// `file:///absolute/path`.
    pub endpoint_url: String,
    /// The secret of the receiver: the token of Splunk's collector, the API key of Datadog or Elastic, the `whsec_…` by
    /// which messages to a webhook are signed. It is sealed, and shown by no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_token: Option<String>,
    /// The largest number of events in one delivery, 1 to 1,000; 100 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// The longest time that an event waits for others to go with it, in seconds, 1 to 3,600; 30 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush_interval_seconds: Option<u32>,
    /// The events to send: kinds of the audit as `decision`, families as `approval.*`; everything by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_event_types: Option<Vec<String>>,
}

impl fmt::Debug for CreateSiemDestinationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateSiemDestinationRequest")
            .field("name", &self.name)
            .field("destination_type", &self.destination_type)
            .field("endpoint_url", &host(&self.endpoint_url))
            .field("auth_token", &hidden(self.auth_token.as_ref()))
            .field("batch_size", &self.batch_size)
            .field("flush_interval_seconds", &self.flush_interval_seconds)
            .field("filter_event_types", &self.filter_event_types)
            .finish()
    }
}

/// A request to change a SIEM destination; absent members stay as they are.
///
/// `Debug` shows neither the token nor more of the URL than its host.
///
/// ```
/// use agenttrust::UpdateSiemDestinationRequest;
///
/// let pause = UpdateSiemDestinationRequest { is_active: Some(false), ..Default::default() };
/// assert_eq!(serde_json::to_string(&pause)?, r#"{"is_active":false}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateSiemDestinationRequest {
    /// The destination's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The receiver's URL. With another host, our Guardian wants the token beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// The secret of the receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_token: Option<String>,
    /// Whether events are sent to it. What happens while they are not is sent once they are again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// The largest number of events in one delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// The longest time that an event waits for others to go with it, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush_interval_seconds: Option<u32>,
    /// The events to send; an empty list means everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter_event_types: Option<Vec<String>>,
}

impl fmt::Debug for UpdateSiemDestinationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateSiemDestinationRequest")
            .field("name", &self.name)
            .field("endpoint_url", &self.endpoint_url.as_deref().map(host))
            .field("auth_token", &hidden(self.auth_token.as_ref()))
            .field("is_active", &self.is_active)
            .field("batch_size", &self.batch_size)
            .field("flush_interval_seconds", &self.flush_interval_seconds)
            .field("filter_event_types", &self.filter_event_types)
            .finish()
    }
}

/// Says whether there is a secret.
fn hidden(secret: Option<&String>) -> Option<&'static str> {
    secret.map(|_| "..")
}

/// A SIEM destination as a gateway tells of it.
///
/// `Debug` shows neither a token nor more of the URL than its host.
#[derive(Clone, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SiemDestination {
    /// The destination's id, which is opaque.
    #[serde(default)]
    pub id: String,
    /// The organisation whose events it is sent.
    #[serde(default, alias = "orgId", deserialize_with = "or_default")]
    pub org_id: String,
    /// The destination's name, for people.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The kind of receiver.
    #[serde(default, alias = "destinationType", deserialize_with = "or_default")]
    pub destination_type: String,
    /// The receiver's URL; at our Guardian without the path for callers who may not change it.
    #[serde(default, alias = "endpointUrl", deserialize_with = "or_default")]
    pub endpoint_url: String,
    /// The secret of the receiver, at gateways that tell it. Ours never does.
    #[serde(default, alias = "authToken", skip_serializing_if = "Option::is_none")]
    pub auth_token: Option<String>,
    /// Whether events are sent to it; absent reads as `false`.
    #[serde(default, alias = "isActive", deserialize_with = "or_default")]
    pub is_active: bool,
    /// The largest number of events in one delivery.
    #[serde(default, alias = "batchSize", deserialize_with = "or_default")]
    pub batch_size: u32,
    /// The longest time that an event waits for others to go with it, in seconds.
    #[serde(default, alias = "flushIntervalSeconds", deserialize_with = "or_default")]
    pub flush_interval_seconds: u32,
    /// The events that are sent; absent and empty mean everything.
    #[serde(default, alias = "filterEventTypes", skip_serializing_if = "Option::is_none")]
    pub filter_event_types: Option<Vec<String>>,
    /// The form in which events are sent; `None` from a gateway that knows one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<SiemFormat>,
    /// The age of the oldest event that is still to be sent, in seconds, or of a row of the audit that the gateway did
    /// not read for it yet; `None` where the gateway does not say.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<u64>,
    /// The time since when the receiver accepts nothing, where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// The last error, where the receiver accepts nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The status that it answered last, where it answers by HTTP and did.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub last_status: Option<u16>,
    /// What is weak about it, such as that what it is sent is unsigned, where something is and the gateway says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The id of the key that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// The time when the destination was made.
    #[serde(default, alias = "createdAt", skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// The time when the destination was changed last.
    #[serde(default, alias = "updatedAt", skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

impl fmt::Debug for SiemDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiemDestination")
            .field("id", &self.id)
            .field("org_id", &self.org_id)
            .field("name", &self.name)
            .field("destination_type", &self.destination_type)
            .field("endpoint_url", &host(&self.endpoint_url))
            .field("auth_token", &hidden(self.auth_token.as_ref()))
            .field("is_active", &self.is_active)
            .field("batch_size", &self.batch_size)
            .field("flush_interval_seconds", &self.flush_interval_seconds)
            .field("filter_event_types", &self.filter_event_types)
            .field("format", &self.format)
            .field("lag_seconds", &self.lag_seconds)
            .field("failing_since", &self.failing_since)
            .field("last_error", &self.last_error)
            .field("last_status", &self.last_status)
            .field("warning", &self.warning)
            .field("created_by", &self.created_by)
            .field("created_at", &self.created_at)
            .field("updated_at", &self.updated_at)
            .finish()
    }
}

/// The result of one delivery of events to a destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SiemDelivery {
    /// The delivery's id, which is opaque and its own for each sending.
    #[serde(default)]
    pub id: String,
    /// The destination.
    #[serde(default, alias = "destinationId", deserialize_with = "or_default")]
    pub destination_id: String,
    /// The number of events that were sent.
    #[serde(default, alias = "batchSize", deserialize_with = "or_default")]
    pub batch_size: u32,
    /// The result: `success` or `failed`.
    #[serde(default, deserialize_with = "or_default")]
    pub status: String,
    /// The status that the receiver answered, where it answers by HTTP and did.
    #[serde(
        default,
        alias = "statusCode",
        deserialize_with = "lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub status_code: Option<u16>,
    /// The error of a failed delivery.
    #[serde(default, alias = "errorMessage", skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The time when it was sent.
    #[serde(default, alias = "deliveredAt", skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
}

/// The result of sending a destination an event for trial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SiemTest {
    /// Whether the receiver took it; absent reads as `false`.
    #[serde(default, deserialize_with = "or_default")]
    pub success: bool,
    /// The status that it answered, where it answers by HTTP and did.
    #[serde(
        default,
        alias = "statusCode",
        deserialize_with = "lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub status_code: Option<u16>,
    /// The error of a failed trial.
    #[serde(default, alias = "errorMessage", skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// A row of the audit that a destination is not sent any more: the receiver refused it for good, and others had to
/// follow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SiemSetAside {
    /// The id of this record, which is opaque.
    #[serde(default)]
    pub id: String,
    /// The id of the event, which a receiver sees each time that it is sent; `None` where the row could not become one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The audit log that it is of.
    #[serde(default)]
    pub log: String,
    /// The row's number in that log.
    #[serde(default)]
    pub seq: u64,
    /// The time when the row was written, in the row's own words.
    #[serde(default)]
    pub at: String,
    /// The kind of the event, in the audit's words.
    #[serde(default)]
    pub kind: String,
    /// The status that the receiver answered, where it answers by HTTP.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub status_code: Option<u16>,
    /// The reason of the refusal, in the receiver's words.
    #[serde(default)]
    pub reason: String,
    /// The time when the row was set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside_at: Option<Timestamp>,
}

/// A page of what a destination is not sent any more.
#[derive(Clone, Debug, Default, Deserialize)]
#[non_exhaustive]
pub struct SiemSetAsideList {
    /// The rows that were set aside, the newest first; our Guardian keeps the newest 10,000 of a destination.
    #[serde(default)]
    pub set_aside: Vec<SiemSetAside>,
    /// The number of rows that are not kept any more.
    #[serde(default, deserialize_with = "or_default")]
    pub dropped: u64,
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
    fn debug_shows_neither_the_token_nor_what_of_the_url_is_as_good_as_one() {
        for url in ["https://siem.example.com/T0p?k=T0p", "syslog+tls://T0p@siem.example.com:6514"]
        {
            let said = json!({
                "name": "n", "destination_type": "webhook", "endpoint_url": url, "auth_token": "T0p",
            });
            let made: CreateSiemDestinationRequest = serde_json::from_value(said.clone()).unwrap();
            let changed: UpdateSiemDestinationRequest =
                serde_json::from_value(said.clone()).unwrap();
            let known: SiemDestination = serde_json::from_value(said).unwrap();
            let shown = format!("{made:?} {changed:?} {known:?}");
            assert!(!shown.contains("T0p"), "{shown}");
            assert_eq!(shown.matches("://siem.example.com").count(), 3, "{shown}");
            assert_eq!(shown.matches(r#"auth_token: Some("..")"#).count(), 3, "{shown}");
        }
    }
}
