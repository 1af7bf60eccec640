//! A receiver of events that is as strict as the documentation of Splunk's HTTP Event Collector is.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use agenttrust_tests::bounded::until;
use anyhow::Result;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::{Json, Router};
use serde_json::{Deserializer, Value, json};
use tokio::net::TcpListener;

/// The token that has to come with events.
pub(super) const TOKEN: &str = "12345678-1234-1234-1234-1234567890AB";

/// The events that it took, and how it answers.
#[derive(Debug, Default)]
struct Kept {
    events: Vec<Value>,
    /// Events with this text in them it refuses for good.
    poison: Option<&'static str>,
}

/// A collector on a free port.
#[derive(Clone, Debug)]
pub(super) struct Collector {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
}

impl Collector {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let kept = Arc::<Mutex<Kept>>::default();
        let router = Router::new().fallback(collect).with_state(Arc::clone(&kept));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, kept })
    }

    /// Returns where it takes events.
    pub(super) fn url(&self) -> String {
        format!("http://{}/services/collector", self.address)
    }

    /// Refuses for good what has this text in it, or nothing any more.
    pub(super) fn refuse(&self, text: Option<&'static str>) {
        self.kept.lock().unwrap().poison = text;
    }

    /// Returns what it took, as far as `wanted` wants it.
    pub(super) fn events(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let kept = self.kept.lock().unwrap();
        kept.events.iter().filter(|event| wanted(&event["event"])).cloned().collect()
    }

    /// Waits until it took so many events that are wanted, and returns them.
    pub(super) async fn took(
        &self,
        count: usize,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Vec<Value>> {
        until(&format!("the collector took {count} events"), async || {
            let events = self.events(&wanted);
            Ok(Some(events).filter(|events| events.len() >= count))
        })
        .await
    }
}

/// Returns whether an event is of a decision about this tool.
pub(super) fn decides(tool: &str) -> impl Fn(&Value) -> bool {
    move |event| event["unmapped"]["decision"]["tool"] == tool
}

async fn collect(
    State(kept): State<Arc<Mutex<Kept>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    let mut kept = kept.lock().unwrap();
    let (status, code, text) = judged(&mut kept, &uri, &headers, &body);
    let mut said = json!({ "text": text, "code": code });
    if code == 6 {
        said["invalid-event-number"] = json!(0);
    }
    (status, Json(said))
}

fn judged(
    kept: &mut Kept,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> (StatusCode, u16, &'static str) {
    if !["/services/collector", "/services/collector/event"].contains(&uri.path()) {
        return (StatusCode::NOT_FOUND, 404, "The requested URL was not found on this server.");
    }
    match headers.get("authorization").map(|given| given.as_bytes()) {
        None => return (StatusCode::UNAUTHORIZED, 2, "Token is required"),
        Some(given) if given != format!("Splunk {TOKEN}").as_bytes() => {
            return (StatusCode::FORBIDDEN, 4, "Invalid token");
        }
        Some(_) => {}
    }
    let sent: Result<Vec<Value>, _> = Deserializer::from_slice(body).into_iter().collect();
    let Ok(sent) = sent else { return (StatusCode::BAD_REQUEST, 6, "Invalid data format") };
    if sent.is_empty() {
        return (StatusCode::BAD_REQUEST, 5, "No data");
    }
    for one in &sent {
        if one.get("event").is_none() {
            return (StatusCode::BAD_REQUEST, 12, "Event field is required");
        }
        if kept.poison.is_some_and(|text| one.to_string().contains(text)) {
            return (StatusCode::BAD_REQUEST, 6, "Invalid data format");
        }
    }
    kept.events.extend(sent);
    (StatusCode::OK, 0, "Success")
}
