//! What became of the calls that were allowed, as the audit trail has it.

use agenttrust_guardian::{Guardian, Role};
use anyhow::{Context as _, ensure};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt as _;

/// More than any trail of an example is long.
const MOST: usize = 1 << 20;

/// A call that ran, as it was reported.
#[derive(Clone, Debug, Deserialize)]
pub struct Outcome {
    /// The tool that ran.
    pub tool: String,
    /// Whether it worked.
    pub success: bool,
    /// The type of its error, when it did not.
    pub error_type: Option<String>,
    /// The duration of the call, to the end of its stream where it has one, in milliseconds.
    pub duration_ms: u64,
    /// The agent that it ran for.
    #[serde(default)]
    pub agent_id: String,
}

/// Reads them, oldest first. Flush the guards before, or the latest are missing.
///
/// # Errors
///
/// When the trail cannot be read.
pub async fn outcomes(guardian: &Guardian) -> anyhow::Result<Vec<Outcome>> {
    let auditor = guardian.create_key(Role::Auditor, &[]).await?;
    // The Guardian is a router, so asking it over HTTP takes no socket.
    let request = Request::get("/api/v1/audit?limit=1000").header("x-api-key", auditor);
    let answer = guardian.router().oneshot(request.body(Body::empty())?).await?;
    ensure!(answer.status() == 200, "the audit trail answered {}", answer.status());
    let answer: Value = serde_json::from_slice(&to_bytes(answer.into_body(), MOST).await?)?;
    let entries = answer["entries"].as_array().context("no entries in the answer")?;
    let outcomes = entries.iter().filter(|entry| entry["kind"] == "outcome").map(|entry| {
        let outcome: Outcome = serde_json::from_value(entry["body"].clone())?;
        let agent_id = entry["agent_id"].as_str().unwrap_or_default().to_owned();
        Ok(Outcome { agent_id, ..outcome })
    });
    outcomes.collect()
}
