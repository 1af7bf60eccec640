//! Approvals: reading, deciding, waiting (SDK guide, sections 8 and 9).

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::AgentTrustClient;
use super::path::{segment, with_query};
use super::request::Answer;
use crate::background;
use crate::error::Result;
use crate::model::{Approval, ApprovalDecision, ApprovalStatus};
use crate::transport::TransportError;

/// The time for which one request of a wait asks the gateway to hold its answer.
const LONG_POLL: Duration = Duration::from_secs(30);
/// The pause between questions to a gateway that answers at once.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads, decides and waits for approvals; [`AgentTrustClient::approvals`] returns it.
///
/// An approver has a key of role `operator`: the key that asked may not decide.
///
/// ```no_run
/// use std::time::Duration;
///
/// use agenttrust::AgentTrustClient;
/// use agenttrust::client::DecisionOptions;
/// use agenttrust::model::ApprovalStatus;
///
/// # async fn example(operator: AgentTrustClient, agent: AgentTrustClient) -> agenttrust::Result<()> {
/// let duplicate = DecisionOptions::new("alice").reason("the refund is a duplicate");
/// operator.approvals().deny_with("apr_1", &duplicate).await?;
///
/// let approval = agent.approvals().wait("apr_1", Duration::from_secs(60)).await?;
/// if approval.status == ApprovalStatus::Pending {
///     println!("not decided within a minute; it waits on");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Approvals<'a> {
    client: &'a AgentTrustClient,
}

/// A filter for a list of approvals.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ApprovalFilter {
    /// The status of the approvals.
    pub status: Option<ApprovalStatus>,
    /// The agent whose calls are held.
    pub agent_id: Option<String>,
}

impl ApprovalFilter {
    /// Lists only those that stand at `status`.
    #[must_use]
    pub fn status(mut self, status: ApprovalStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Lists only those of this agent.
    #[must_use]
    pub fn agent_id(mut self, agent_id: impl Into<String>) -> Self {
        self.agent_id = Some(agent_id.into());
        self
    }
}

/// The approver of a decision, and the reason.
///
/// ```
/// use agenttrust::client::DecisionOptions;
///
/// let options = DecisionOptions::new("alice").reason("the refund is a duplicate");
/// assert_eq!(options.decided_by, "alice");
/// ```
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct DecisionOptions {
    /// The approver's name, in the caller's words; recorded beside the key that really decided.
    pub decided_by: String,
    /// The reason for the decision: shown to the caller whose action was held, and recorded. At most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl DecisionOptions {
    /// Creates a decision by this person or program.
    #[must_use]
    pub fn new(decided_by: impl Into<String>) -> Self {
        Self { decided_by: decided_by.into(), reason: None }
    }

    /// Sets why it is decided so.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}

impl<'a> Approvals<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Approves a held action. `decided_by` is recorded beside the key that really decided.
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not decide: not an
    /// operator's, or the one that asked. [`Api`](crate::AgentTrustError::Api) with status 409 for an
    /// approval that is already decided or has expired.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the action may have been approved: [`get`](Self::get) says so.
    pub async fn approve(&self, approval_id: &str, decided_by: &str) -> Result<()> {
        self.decide(approval_id, "approve", &DecisionOptions::new(decided_by)).await.map(drop)
    }

    /// Does the same as [`approve`](Self::approve), with a reason; returns where the approval stands now, which is
    /// still pending where it takes more approvers.
    ///
    /// # Errors
    ///
    /// As for [`approve`](Self::approve), and [`Validation`](crate::AgentTrustError::Validation) for a reason
    /// that is too long or holds control characters.
    pub async fn approve_with(
        &self,
        approval_id: &str,
        options: &DecisionOptions,
    ) -> Result<ApprovalDecision> {
        self.decide(approval_id, "approve", options).await?.json()
    }

    /// Denies a held action.
    ///
    /// # Errors
    ///
    /// As for [`approve`](Self::approve).
    pub async fn deny(&self, approval_id: &str, decided_by: &str) -> Result<()> {
        self.decide(approval_id, "deny", &DecisionOptions::new(decided_by)).await.map(drop)
    }

    /// Does the same as [`deny`](Self::deny), with a reason, which the caller of the held action is told.
    ///
    /// # Errors
    ///
    /// As for [`approve_with`](Self::approve_with).
    pub async fn deny_with(
        &self,
        approval_id: &str,
        options: &DecisionOptions,
    ) -> Result<ApprovalDecision> {
        self.decide(approval_id, "deny", options).await?.json()
    }

    async fn decide(
        &self,
        approval_id: &str,
        verb: &str,
        options: &DecisionOptions,
    ) -> Result<Answer> {
        let path = format!("/mcp/approvals/{}/{verb}", segment("approval id", approval_id)?);
        self.client.post(path).json(options).send().await
    }

    /// Returns the approval with this id.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such approval.
    pub async fn get(&self, approval_id: &str) -> Result<Approval> {
        let path = format!("/mcp/approvals/{}", segment("approval id", approval_id)?);
        self.client.get(path).send().await?.object("approval")
    }

    /// Returns the approvals that match `filter`, newest first.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) from a gateway that has no such list.
    pub async fn list(&self, filter: &ApprovalFilter) -> Result<Vec<Approval>> {
        let given = [
            ("status", filter.status.map(|status| status.to_string())),
            ("agent_id", filter.agent_id.clone()),
        ];
        let path = with_query("/mcp/approvals", given);
        self.client.get(path).send().await?.list("approvals")
    }

    /// Waits until the approval is no longer pending, at most `limit`, and returns where it stands.
    ///
    /// A gateway that knows long polling answers within 100 ms of the decision; any other is asked
    /// twice a second. One that is away for a while, breaks off, takes too long or has too much to do
    /// (408, 429, 5xx) is asked again: a question that got no answer decides nothing.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such approval. Running out of
    /// time is no error where the gateway answered at least once: the approval comes back as it stands,
    /// pending.
    ///
    /// # Cancel safety
    ///
    /// Dropping it changes nothing; the approval stays as it is.
    pub async fn wait(&self, approval_id: &str, limit: Duration) -> Result<Approval> {
        let id = segment("approval id", approval_id)?;
        let begun = Instant::now();
        let mut seen = None;
        loop {
            let left = limit.saturating_sub(begun.elapsed());
            let hold = left.min(LONG_POLL);
            let asked = Instant::now();
            let path = format!("/mcp/approvals/{id}?wait={}", hold.as_secs());
            let call = self.client.get(path).timeout(hold + self.client.inner.timeout);
            // The caller's limit also ends a question that the gateway holds too long; a floor lets
            // a last look through.
            let poll_timeout = left.max(PAUSE);
            let mut pause = PAUSE;
            let now = match background::timeout(poll_timeout, call.ask()).await {
                Ok(Ok(answer)) => {
                    let approval: Approval = answer.object("approval")?;
                    if approval.status != ApprovalStatus::Pending || left.is_zero() {
                        return Ok(approval);
                    }
                    Ok(approval)
                }
                Ok(Err(failed)) if failed.error.may_pass() => {
                    pause = pause.max(failed.retry_after.unwrap_or_default());
                    Err(failed.error)
                }
                Ok(Err(failed)) => return Err(failed.error),
                Err(elapsed) => Err(TransportError::classify(elapsed.into()).into()),
            };
            let pending = match (now, seen.take()) {
                // A question without an answer takes nothing back.
                (Err(_), Some(before)) => Ok(before),
                (now, _) => now,
            };
            let left = limit.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return pending;
            }
            seen = pending.ok();
            let pause = pause.saturating_sub(asked.elapsed()).min(left);
            if !pause.is_zero() {
                background::sleep(pause).await;
            }
        }
    }

    /// Shows the approver the input that the approval's digest commits to.
    pub(crate) async fn disclose(
        &self,
        approval_id: &str,
        input: &Value,
        opening: &str,
    ) -> Result<()> {
        let path = format!("/mcp/approvals/{}/input", segment("approval id", approval_id)?);
        self.client.put(path).json(&json!({ "input": input, "r": opening })).send().await?;
        Ok(())
    }
}
