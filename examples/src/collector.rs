//! What a security team runs: a collector of events, as Splunk has one.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Json, Router};
use serde_json::{Deserializer, Value, json};

use crate::Served;

/// The token that has to come with events.
const TOKEN: &str = "11111111-2222-3333-4444-555555555555";

/// A receiver on a free port of this machine that takes what Splunk's HTTP Event Collector takes, and keeps it in
/// memory.
#[derive(Debug)]
pub struct Collector {
    events: Events,
    served: Served,
}

type Events = Arc<Mutex<Vec<Value>>>;

impl Collector {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// When the system gives no port.
    pub async fn start() -> anyhow::Result<Self> {
        let events = Events::default();
        let router = Router::new().fallback(collect).with_state(Arc::clone(&events));
        Ok(Self { events, served: Served::on_loopback(router).await? })
    }

    /// Returns where it takes events.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/services/collector", self.served.url())
    }

    /// Returns what has to come with them.
    #[must_use]
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// Returns the events that it took, the oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes the events of one request, if all of them are such.
async fn collect(
    State(events): State<Events>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, Json<Value>) {
    let says = |status, code: u8, text: &str| (status, Json(json!({ "text": text, "code": code })));
    let given = headers.get(header::AUTHORIZATION).and_then(|given| given.to_str().ok());
    if given != Some(format!("Splunk {TOKEN}").as_str()) {
        return says(StatusCode::FORBIDDEN, 4, "Invalid token");
    }
    // One object after another, each an event and what is said of it.
    let said: Result<Vec<Value>, _> = Deserializer::from_str(&body).into_iter().collect();
    let said = said.unwrap_or_default();
    let sent: Vec<_> = said.iter().filter_map(|said| said.get("event")).cloned().collect();
    if sent.is_empty() || sent.len() < said.len() {
        return says(StatusCode::BAD_REQUEST, 6, "Invalid data format");
    }
    events.lock().unwrap_or_else(PoisonError::into_inner).extend(sent);
    says(StatusCode::OK, 0, "Success")
}
