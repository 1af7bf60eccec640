//! Agents and people of an issuer that others wrote, `oidc-provider`, at `agenttrust serve`. Their tokens are verified
//! and open sessions. Clients that others wrote come with them to MCP servers and agents behind the Guardian.
//!
//! The issuer is the one of `tests/peers/oidc`, after `npm ci` in there; where it or a client is not, their tests skip
//! and say so.

mod a2a;
mod issuer;
mod mcp;
mod published;
mod rotated;
mod tokens;

use std::path::PathBuf;

use anyhow::Result;
use http::Method;
use reqwest::StatusCode;
use serde_json::{Value, json};

use self::issuer::Issuer;
use crate::mcp::guardian_with_agent::GuardianWithAgent;
use crate::programs::node_of;

const PROVIDERS: &str = "/api/v1/federation/providers";

/// Returns the Node.js of the issuer; none, and a word about why, where it is not installed.
fn node() -> Option<PathBuf> {
    node_of("oidc")
}

/// Registers an issuer, with these members beside its name.
async fn register(guardian: &GuardianWithAgent, issuer: &Issuer, members: Value) -> Result<Value> {
    let mut body = json!({ "issuer": issuer.url(), "name": "People and agents" });
    for (name, member) in members.as_object().into_iter().flatten() {
        body[name] = member.clone();
    }
    guardian.served.admin().ask(Method::POST, PROVIDERS, Some(body)).await
}

/// Asks as an admin, and returns the answer whatever it is.
async fn asked(
    guardian: &GuardianWithAgent,
    path: &str,
    body: &Value,
) -> Result<(StatusCode, Value)> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let request = client.post(format!("{}{path}", guardian.served.url()));
    let request = request.header("x-api-key", guardian.served.admin_key());
    let answer = request.body(body.to_string()).send().await?;
    let (status, body) = (answer.status(), answer.bytes().await?);
    Ok((status, serde_json::from_slice(&body)?))
}

/// Returns what a token is worth.
async fn verified(guardian: &GuardianWithAgent, token: &str) -> Result<Value> {
    let path = "/api/v1/federation/tokens/verify";
    guardian.served.admin().ask(Method::POST, path, Some(json!({ "token": token }))).await
}

/// Opens a session with a token, if it does.
async fn begun(guardian: &GuardianWithAgent, token: &str) -> Result<(StatusCode, Value)> {
    asked(guardian, "/api/v1/federation/sessions/init", &json!({ "token": token })).await
}
