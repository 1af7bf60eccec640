//! A server that agents come to with their tokens.

use std::sync::{Arc, Mutex, PoisonError};

use agenttrust::{AgentIdentity, AgentTrustClient, AgentTrustGuard};
use agenttrust_tests::socket::Socket;
use agenttrust_tower::{AuthenticateLayer, GuardLayer};
use anyhow::Result;
use axum::extract::State;
use axum::routing::get;
use axum::{Extension, Router};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

pub(crate) struct Site {
    socket: Socket,
    pub(crate) guard: AgentTrustGuard,
    pub(crate) visits: Visits,
}

/// The agents that the handler saw, and whether each one's credentials reached it.
#[derive(Clone, Default)]
pub(crate) struct Visits(Arc<Mutex<Vec<(AgentIdentity, bool)>>>);

impl Visits {
    pub(crate) fn all(&self) -> Vec<(AgentIdentity, bool)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The answer of the server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) challenge: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) problem: Value,
}

impl Site {
    /// Serves it, with `gateway` to ask by.
    pub(crate) fn serve(
        gateway: &AgentTrustClient,
        layer: impl FnOnce(AuthenticateLayer) -> AuthenticateLayer,
    ) -> Result<Self> {
        let visits = Visits::default();
        let guard = AgentTrustGuard::gateway(gateway.clone()).build();
        let router = Router::new()
            .route("/notes/{name}", get(visit).delete(visit))
            .with_state(visits.clone())
            .layer(GuardLayer::http(guard.clone()))
            .route("/unguarded", get(visit).with_state(visits.clone()))
            .layer(layer(AuthenticateLayer::new(gateway.clone())));
        Ok(Self { socket: Socket::serve(router)?, guard, visits })
    }

    pub(crate) async fn get(&self, path: &str, credentials: &[&str]) -> Result<Answer> {
        let mut headers = HeaderMap::new();
        for value in credentials {
            headers.append("authorization", value.parse()?);
        }
        self.get_with(path, headers).await
    }

    /// Asks for the path with these headers.
    pub(crate) async fn get_with(&self, path: &str, headers: HeaderMap) -> Result<Answer> {
        // A client for this once: the runtime that drives its connection may be gone next time.
        let request = reqwest::Client::new().get(format!("{}{path}", self.socket.url()));
        let response = request.headers(headers).send().await?;
        let text = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned)
        };
        let (challenge, retry_after) = (text("www-authenticate"), text("retry-after"));
        let status = response.status();
        let problem = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
        Ok(Answer { status, challenge, retry_after, problem })
    }

    /// Asks for the path as the holder of this token.
    pub(crate) async fn get_as(&self, path: &str, token: &str) -> Result<Answer> {
        self.get(path, &[&format!("Bearer {token}")]).await
    }
}

async fn visit(
    State(visits): State<Visits>,
    Extension(identity): Extension<AgentIdentity>,
    headers: HeaderMap,
) -> &'static str {
    let shown = headers.contains_key("authorization");
    visits.0.lock().unwrap_or_else(PoisonError::into_inner).push((identity, shown));
    "a note"
}
