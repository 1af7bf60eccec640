//! Real sockets and files, and receivers that take what their vendors document and nothing else.

mod acknowledged;
mod failing;
mod files;
mod formats;
mod long_answers;
mod places;
mod syslog;
mod syslog_failing;

use std::time::Duration;

use agenttrust_testkit::siem::{HttpReceiver, Vendor};

use super::super::{Outbound, Reach};
use super::*;
use crate::domain::{DestinationKind, Secret};
use crate::siem::SiemEvent;

const TOKEN: &str = "token-hunter2";
const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const VENDORS: [Vendor; 4] = [Vendor::Splunk, Vendor::Datadog, Vendor::Elastic, Vendor::Webhook];

/// Returns one that reaches this machine, and has short time-outs.
fn outbound() -> Outbound {
    let ranges = ["127.0.0.0/8", "::1"].map(|range| range.parse().unwrap());
    let delivery_timeouts = DeliveryTimeouts {
        answer: Duration::from_millis(700),
        acknowledged: Duration::from_millis(900),
        end: Duration::from_millis(700),
        on_its_way: Duration::from_millis(200),
    };
    Outbound { delivery_timeouts, ..Outbound::new(Reach::new(false, &ranges)) }
}

/// Returns one that waits for whatever a busy machine needs.
fn patient() -> Outbound {
    Outbound { delivery_timeouts: DeliveryTimeouts::default(), ..outbound() }
}

fn kind(vendor: Vendor) -> DestinationKind {
    match vendor {
        Vendor::Splunk => DestinationKind::Splunk,
        Vendor::Datadog => DestinationKind::Datadog,
        Vendor::Elastic => DestinationKind::Elastic,
        Vendor::Webhook => DestinationKind::Webhook,
    }
}

fn token(vendor: Vendor) -> &'static str {
    if vendor == Vendor::Webhook { WEBHOOK_SECRET } else { TOKEN }
}

fn receiver(vendor: Vendor) -> HttpReceiver {
    HttpReceiver::start(vendor, token(vendor))
}

/// Returns events as they are written, with all that is hard to write.
fn events(count: usize) -> Vec<SiemEvent> {
    padded(count, 0)
}

/// Returns the same, each longer by so many bytes.
fn padded(count: usize, more: usize) -> Vec<SiemEvent> {
    let of = |n: usize| {
        let id = format!("evt_{n:032x}");
        let text = format!("\"ä\u{1f600}\\\u{2028}\u{85}\u{2029}\u{7f}{}", "x".repeat(more));
        let json = serde_json::json!({ "metadata": { "uid": id }, "n": n, "text": text });
        let at = "2026-01-02T03:04:05.678901Z".parse().unwrap();
        let severity = u8::try_from(n % 8).unwrap();
        SiemEvent { id, at, kind: "decision".to_owned(), severity, json: json.to_string() }
    };
    (0..count).map(of).collect()
}

fn ids(events: &[SiemEvent]) -> Vec<String> {
    events.iter().map(|event| event.id.clone()).collect()
}

async fn deliver(
    outbound: &Outbound,
    (kind, url): (DestinationKind, &str),
    token: Option<&str>,
    events: &[SiemEvent],
) -> Delivery {
    let endpoint = outbound.endpoint(kind, url).unwrap();
    let token = token.map(|token| Secret::from(token.to_owned()));
    let batch = Batch { id: "msg_1", events, host: "guardian-1" };
    outbound.deliver(&endpoint, token.as_ref(), &batch).await
}

/// Sends events to a receiver by a client that may call it.
async fn send(outbound: &Outbound, receiver: &HttpReceiver, events: &[SiemEvent]) -> Delivery {
    let vendor = VENDORS.into_iter().find(|vendor| receiver.is_of(*vendor)).unwrap();
    deliver(outbound, (kind(vendor), &receiver.url()), Some(token(vendor)), events).await
}

fn reason(delivery: Delivery) -> String {
    match delivery {
        Delivery::Later { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}
