//! What the audit has arrives at destinations: whole, in its order, and again only with the ids that it had.

mod flat;
mod going_on;
mod kills;
mod replicas;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agenttrust_testkit::siem::{HttpReceiver, Vendor};
use agenttrust_testkit::{ADMIN, Api, eventually_within};
use serde_json::{Value, json};

use crate::kill9::Agent;
use crate::served::Caller;

/// The limit for a test that would hang.
const NEVER: Duration = Duration::from_secs(90);
/// The secret of a webhook.
const SECRET: &str = "whsec_MDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmY=";
/// The options by which a Guardian may reach a receiver here.
const OPEN: [&str; 2] = ["--allow-outbound", "127.0.0.0/8"];

const DESTINATIONS: &str = "/api/v1/siem/destinations";

/// A row of the audit, as far as it has to arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    /// The id of its event.
    id: String,
    kind: String,
}

fn receiver() -> HttpReceiver {
    HttpReceiver::start(Vendor::Webhook, SECRET)
}

/// Returns the body that makes a destination of this receiver.
fn body(receiver: &HttpReceiver, batch_size: usize, flush_seconds: u64) -> Value {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let name = format!("siem {}", NUMBER.fetch_add(1, Ordering::Relaxed));
    json!({
        "name": name, "destination_type": "webhook", "endpoint_url": receiver.url(), "auth_token": SECRET,
        "batch_size": batch_size, "flush_interval_seconds": flush_seconds, "format": "raw",
    })
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field}: {value}")).to_owned()
}

/// A Guardian that answers: a served one, or one in the test.
trait Asked {
    async fn read(&self, path: &str) -> Value;
}

impl Asked for Caller {
    async fn read(&self, path: &str) -> Value {
        self.sure("GET", path, ADMIN, &Value::Null).await
    }
}

impl<G> Asked for Api<G> {
    async fn read(&self, path: &str) -> Value {
        self.get(path, ADMIN).await.ok().body
    }
}

/// Returns every row of a log, in its order.
async fn audited(asked: &impl Asked, log: &str) -> Vec<Row> {
    let (mut after, mut rows) = (0, Vec::new());
    loop {
        let page = asked.read(&format!("/api/v1/audit?log={log}&after={after}&limit=1000")).await;
        rows.extend(page["entries"].as_array().unwrap().iter().map(|entry| Row {
            id: format!("evt_{}", &text(entry, "hash")[..32]),
            kind: text(entry, "kind"),
        }));
        match page["next_after"].as_u64() {
            Some(next) => after = next,
            None => return rows,
        }
    }
}

/// Returns the ids of what arrived from a log, each where it came first. One that came again is what it was.
fn arrived(receiver: &HttpReceiver, log: &str) -> Vec<String> {
    let mut seen: HashMap<String, Value> = HashMap::new();
    let mut ids = Vec::new();
    for event in receiver.taken() {
        if event.json["log"] != log {
            continue;
        }
        match seen.get(&event.id) {
            Some(before) => assert_eq!(*before, event.json, "another event of the same id"),
            None => {
                ids.push(event.id.clone());
                seen.insert(event.id, event.json);
            }
        }
    }
    ids
}

/// Returns what has to arrive at a destination that was made when this log had so many rows.
fn expected(rows: &[Row], made_after: usize) -> Vec<String> {
    rows.iter().skip(made_after).map(|row| row.id.clone()).collect()
}

/// Waits until everything of a log arrived that the audit has, in its order and nothing else.
async fn all_arrive(asked: &impl Asked, receiver: &HttpReceiver, log: &str, made_after: usize) {
    let rows = audited(asked, log).await;
    let expected = expected(&rows, made_after);
    let look = async || {
        let arrived = arrived(receiver, log);
        if arrived == expected { Ok(()) } else { Err((arrived.len(), expected.len())) }
    };
    eventually_within(NEVER, "not every event arrives, and in its order", look).await;
    assert_eq!(receiver.wrong(), Vec::<String>::new());
}

/// Returns an agent with a key of its own.
async fn agent(caller: &Caller) -> Agent {
    let body = json!({ "name": "worker", "capabilities": ["*"] });
    let id = text(&caller.sure("POST", "/api/v1/agents", ADMIN, &body).await, "id");
    let body = json!({ "role": "agent", "agents": [id] });
    let key = text(&caller.sure("POST", "/api/v1/keys", ADMIN, &body).await, "key");
    Agent { id, key }
}
