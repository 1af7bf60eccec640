//! [`Admin`]: what an admin asks a Guardian in plain HTTP, past the client that is under test.

use agenttrust_guardian::Role;
use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// An admin of a Guardian.
#[derive(Clone, Debug)]
pub struct Admin {
    endpoint: Endpoint,
    key: String,
}

#[derive(Clone, Debug)]
enum Endpoint {
    Router(Router),
    Url(String),
}

impl Admin {
    /// Returns an admin with this key at a router, without a socket.
    #[must_use]
    pub fn inside(router: Router, key: impl Into<String>) -> Self {
        Self { endpoint: Endpoint::Router(router), key: key.into() }
    }

    /// Returns an admin with this key at an address.
    #[must_use]
    pub fn outside(url: impl Into<String>, key: impl Into<String>) -> Self {
        Self { endpoint: Endpoint::Url(url.into()), key: key.into() }
    }

    /// Makes a key of this role, bound to these agents.
    ///
    /// # Errors
    ///
    /// When the Guardian makes none.
    pub async fn create_key(&self, role: Role, agents: &[&str]) -> Result<String> {
        let body = json!({ "role": role.as_str(), "agents": agents });
        let made = self.ask(Method::POST, "/api/v1/keys", Some(body)).await?;
        Ok(made["key"].as_str().context("the answer shows no key")?.to_owned())
    }

    /// Returns what the audit says of this agent, oldest first.
    ///
    /// # Errors
    ///
    /// When the Guardian does not say.
    pub async fn audit(&self, agent_id: &str) -> Result<Vec<Value>> {
        let path = format!("/api/v1/audit?limit=1000&agent_id={agent_id}");
        let page = self.ask(Method::GET, &path, None).await?;
        Ok(page["entries"].as_array().context("the answer lists no entries")?.clone())
    }

    /// Returns the bodies of this agent's audit entries of one kind, oldest first.
    ///
    /// # Errors
    ///
    /// As for [`audit`](Self::audit).
    pub async fn audited(&self, agent_id: &str, kind: &str) -> Result<Vec<Value>> {
        let mut entries = self.audit(agent_id).await?;
        entries.retain(|entry| entry["kind"] == kind);
        Ok(entries.into_iter().map(|mut entry| entry["body"].take()).collect())
    }

    /// Asks for anything.
    ///
    /// # Errors
    ///
    /// When the Guardian does not answer, or not with a success.
    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let (status, answer) = match &self.endpoint {
            Endpoint::Router(router) => self.ask_inside(router.clone(), method, path, body).await?,
            Endpoint::Url(url) => self.ask_outside(url, method, path, body).await?,
        };
        ensure!(status.is_success(), "{path}: {status}: {}", String::from_utf8_lossy(&answer));
        Ok(serde_json::from_slice(&answer)?)
    }

    async fn ask_inside(
        &self,
        router: Router,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Vec<u8>)> {
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-api-key", &self.key)
            .body(body)?;
        let response = router.oneshot(request).await?;
        Ok((response.status(), response.into_body().collect().await?.to_bytes().to_vec()))
    }

    async fn ask_outside(
        &self,
        url: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Vec<u8>)> {
        // A client for this once: the runtime that drives its connection may be gone next time.
        let mut request = reqwest::Client::new()
            .request(method, format!("{url}{path}"))
            .header("x-api-key", &self.key);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let response = request.send().await?;
        Ok((response.status(), response.bytes().await?.to_vec()))
    }
}
