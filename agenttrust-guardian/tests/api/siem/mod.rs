//! Where the audit's events are sent: destinations, what they may be, and what became of what was sent.

mod exact;
mod kept;
mod refused;
mod sent;

use agenttrust_testkit::siem::HttpReceiver;
use agenttrust_testkit::{ADMIN, Answer};
use serde_json::{Value, json};

use crate::support::{Api, open_with};

const DESTINATIONS: &str = "/api/v1/siem/destinations";
/// A secret as good as a password, which nothing may show.
const TOKEN: &str = "hunter2-of-the-receiver";

/// Returns a Guardian that sends to this machine.
async fn open() -> Api {
    open_with(|builder| builder.allow_private_targets(true)).await
}

/// Returns what makes a destination that nothing is ever sent to, where nothing listens.
fn quiet() -> Value {
    json!({
        "name": "prod", "destination_type": "splunk", "auth_token": TOKEN,
        "endpoint_url": "http://127.0.0.1:9/services/collector", "filter_event_types": ["siem.events_cut"],
    })
}

/// Returns the same, with these members.
fn quiet_with(members: Value) -> Value {
    with(quiet(), members)
}

fn with(mut body: Value, members: Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// Returns what makes a destination of a receiver that is sent each event soon.
fn of(receiver: &HttpReceiver, kind: &str) -> Value {
    json!({
        "name": "here", "destination_type": kind, "endpoint_url": receiver.url(), "auth_token": TOKEN,
        "flush_interval_seconds": 1,
    })
}

async fn make(api: &Api, body: Value) -> Answer {
    api.post(DESTINATIONS, ADMIN, body).await
}

/// Makes it, and returns its path.
async fn made(api: &Api, body: Value) -> String {
    let id = make(api, body).await.ok().text("id");
    format!("{DESTINATIONS}/{id}")
}
