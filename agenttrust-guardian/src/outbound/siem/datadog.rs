//! Datadog's logs, version 2: an array of log entries, each with its event as a text that Datadog reads as JSON.

use http::HeaderName;
use reqwest::Url;
use serde::Serialize;
use serde_json::Value;

use super::super::{Error, Outbound};
use super::endpoint::with_path;
use super::frames::{Frame, Part};
use super::http::{Answer, Reads, headers, post};
use super::sending::Sending;
use super::{Batch, Delivery};
use crate::domain::Secret;
use crate::siem::SiemEvent;

/// The limits of a body. A longer entry would be taken, and cut off without a word.
const FRAME: Frame =
    Frame { open: "[", between: ",", close: "]", events: 1_000, bytes: 5_000_000, one: 1_000_000 };

const API_KEY: HeaderName = HeaderName::from_static("dd-api-key");

/// A log entry. Every member is a text.
#[derive(Serialize)]
struct LogEntry<'a> {
    ddsource: &'static str,
    service: &'static str,
    hostname: &'a str,
    status: &'static str,
    timestamp: String,
    event_id: &'a str,
    message: &'a str,
}

/// Returns where entries go to, below this URL.
pub(super) fn place(url: Url) -> Result<Url, Error> {
    const WRONG: &str =
        "names a path that is not that of logs; it ends with /api/v2/logs, or leave the path out";
    with_path(url, &["/api/v2/logs"], WRONG)
}

/// Sends a batch.
pub(super) async fn deliver(
    outbound: &Outbound,
    url: &Url,
    token: Option<&Secret>,
    batch: &Batch<'_>,
) -> Delivery {
    let headers = headers("application/json", token.map(|token| (API_KEY, "", token)));
    let mut sending = Sending::new(FRAME.cut(batch.events, |event| entry(event, batch.host)));
    while let Some(part) = sending.next() {
        let Part { body, .. } = &part;
        let became = match post(outbound, url, headers.clone(), body.clone(), Reads::Refusal).await
        {
            Ok(answer) if answer.status.is_success() => {
                Delivery::taken(Some(answer.status.as_u16()))
            }
            Ok(answer) => answer.verdict(why(&answer).as_deref()),
            Err(later) => later,
        };
        sending.became(&part, became);
    }
    sending.end()
}

fn entry(event: &SiemEvent, host: &str) -> String {
    let entry = LogEntry {
        ddsource: "agenttrust",
        service: "agenttrust",
        hostname: host,
        status: status(event.severity),
        timestamp: event.at.to_string(),
        event_id: &event.id,
        message: &event.json,
    };
    // Texts alone: there is nothing that JSON could not hold.
    serde_json::to_string(&entry).unwrap_or_default()
}

/// Returns Datadog's word for how grave an event is.
fn status(severity: u8) -> &'static str {
    match severity {
        2 => "notice",
        3 => "warn",
        4 => "error",
        5 => "critical",
        6 => "emergency",
        _ => "info",
    }
}

/// Returns Datadog's word for what is wrong.
fn why(answer: &Answer) -> Option<String> {
    let said = answer.json()?;
    let first = said.get("errors")?.get(0)?;
    // In the one form or in the other.
    let text = first.get("detail").or_else(|| first.get("title")).unwrap_or(first);
    Value::as_str(text).map(str::to_owned)
}
