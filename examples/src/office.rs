//! The other side of an agent: a Guardian in this process, and an operator who decides.

use std::collections::BTreeMap;

use agenttrust::{
    AgentTrustClient, AgentTrustGuard, ApprovalFilter, ApprovalStatus, CreateAgentRequest,
};
use agenttrust_guardian::{Guardian, Role};
use anyhow::{Context as _, ensure};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use tower::ServiceExt as _;

/// More than any trail of an example is long.
const MOST: usize = 1 << 20;

/// A Guardian, and the operator's client of it. Agents get keys of their own, which cannot approve
/// anything.
///
/// A program in production has neither: its guard asks a Guardian that is served elsewhere, through
/// `AgentTrustClient::from_env()`, and the operator sits at another desk.
#[derive(Debug)]
pub struct Office {
    guardian: Guardian,
    key: String,
    operator: AgentTrustClient,
}

impl Office {
    /// Starts it, in memory, as strict as a Guardian that is served.
    ///
    /// # Errors
    ///
    /// When the Guardian does not start.
    pub async fn in_memory() -> anyhow::Result<Self> {
        let guardian = Guardian::in_memory().await?;
        let key = guardian.create_key(Role::Operator, &[]).await?;
        let operator = guardian.client_with_key(&key)?;
        Ok(Self { guardian, key, operator })
    }

    /// Registers an agent that may use what `capabilities` cover, and returns its guard.
    ///
    /// # Errors
    ///
    /// When the Guardian refuses one of them.
    pub async fn register(
        &self,
        name: &str,
        capabilities: &[&str],
    ) -> anyhow::Result<AgentTrustGuard> {
        let request = CreateAgentRequest {
            name: name.to_string(),
            capabilities: capabilities.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        let id = self.guardian.client().agents().create(&request).await?.id;
        let key = self.guardian.create_key(Role::Agent, &[&id]).await?;
        let client = self.guardian.client_with_key(&key)?;
        // So that the operator sees which document it is. Nobody else does.
        Ok(AgentTrustGuard::builder(client, &id).disclose_on_elevation(true).build())
    }

    /// Approves, as the operator, the call that this guard's agent is held at and that would be done to `document`.
    /// Returns the approval, if there was one to give.
    ///
    /// # Errors
    ///
    /// When it is decided already, or has expired.
    pub async fn approve_for(
        &self,
        guard: &AgentTrustGuard,
        document: &str,
    ) -> agenttrust::Result<Option<String>> {
        let filter =
            ApprovalFilter::default().status(ApprovalStatus::Pending).agent_id(guard.agent_id());
        let approvals = self.operator.approvals();
        for held in approvals.list(&filter).await? {
            // The list is without the inputs; they are shown one by one, and to operators alone.
            let input = approvals.get(&held.id).await?.input.unwrap_or_default();
            if input["name"] == document {
                approvals.approve(&held.id, "operator").await?;
                return Ok(Some(held.id));
            }
        }
        Ok(None)
    }

    /// Returns the operator's client, which can approve and deny.
    #[must_use]
    pub fn operator(&self) -> &AgentTrustClient {
        &self.operator
    }

    /// Returns what the audit trail says of this guard's agent, tool by tool: each decision, and of each call
    /// that ran how it was reported to have gone. Close the guard before, or reports are missing.
    ///
    /// # Errors
    ///
    /// When the trail cannot be read.
    pub async fn trail(
        &self,
        guard: &AgentTrustGuard,
    ) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
        // The Guardian is a router, so asking it over HTTP takes no socket.
        let request = Request::get("/api/v1/audit?limit=1000").header("x-api-key", &self.key);
        let answer = self.guardian.router().oneshot(request.body(Body::empty())?).await?;
        ensure!(answer.status() == 200, "the audit trail answered {}", answer.status());
        let answer: Value = serde_json::from_slice(&to_bytes(answer.into_body(), MOST).await?)?;
        let entries = answer["entries"].as_array().context("no entries in the answer")?;
        let mut trail = BTreeMap::<_, Vec<_>>::new();
        // Reports come in batches, whenever one is due: after the decisions, to be the same each time.
        for field in ["decision", "success"] {
            for entry in entries.iter().filter(|entry| entry["agent_id"] == guard.agent_id()) {
                let body = &entry["body"];
                let Some(tool) = body["tool"].as_str() else { continue };
                let what = match &body[field] {
                    Value::String(decision) => decision,
                    Value::Bool(true) => "ok",
                    Value::Bool(false) => "error",
                    _ => continue,
                };
                trail.entry(tool.to_owned()).or_default().push(what.to_owned());
            }
        }
        Ok(trail)
    }

    /// Closes the Guardian. Close the guards before: their last reports would find no Guardian.
    pub async fn close(self) {
        self.guardian.close().await;
    }
}
