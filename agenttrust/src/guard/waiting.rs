//! Waiting for an approval, then asking again.

use std::time::{Duration, Instant};

use super::ask::WhenUnreachable;
use super::authorize::{Authorization, Check, HeldAction, new_idempotency_key};
use super::permit::Permit;
use super::{AgentTrustGuard, Shared};
use crate::background;
use crate::error::{AgentTrustError, Result};
use crate::model::{Approval, ApprovalStatus};

/// The pause before asking a Guardian again that did not answer just after the decision.
const PAUSE: Duration = Duration::from_millis(200);

impl AgentTrustGuard {
    /// Waits for the approval that `held` names, at most `limit`, then retries the check.
    ///
    /// Running out of time is not a denial: it says again what is waited for. A Guardian that
    /// restarts or is slow meanwhile is asked again; a guard that fails open does not while it waits,
    /// and what the wait finds is no miss: a long poll that times out is no check.
    pub(super) async fn wait_for_approval(
        &self,
        check: &Check,
        mut held: HeldAction,
        limit: Duration,
    ) -> Result<Permit> {
        let begun = Instant::now();
        let left = || limit.saturating_sub(begun.elapsed());
        loop {
            let waited = self.shared.client.approvals().wait(&held.approval_id, left()).await;
            let approval = match waited {
                Ok(approval) => approval,
                // Whatever went wrong with asking, the approval is still there to be decided.
                Err(error) => {
                    tracing::warn!(%error, approval_id = held.approval_id, "stopped waiting");
                    return Err(held.into());
                }
            };
            match approval.status {
                // A word of a newer gateway, or used up by another call: the check itself knows.
                ApprovalStatus::Approved | ApprovalStatus::Consumed | ApprovalStatus::Unknown => {}
                ApprovalStatus::Pending => return Err(held.into()),
                ApprovalStatus::Denied => return Err(refused(check, &approval)),
                ApprovalStatus::Expired => return Err(expired(check, held.approval_id)),
            }
            match self.ask_again(check, left).await {
                None => return Err(held.into()),
                Some(Err(error)) => return Err(error),
                Some(Ok(Authorization::Permit(permit))) => return Ok(permit),
                Some(Ok(Authorization::Denied { message, check_id })) => {
                    return Err(AgentTrustError::ActionDenied { message, check_id });
                }
                // Decided, and still not enough: waiting for it again would spin.
                Some(Ok(Authorization::Held(next))) if next.approval_id == held.approval_id => {
                    return Err(next.into());
                }
                Some(Ok(Authorization::Held(mut next))) => {
                    self.disclose(check, &mut next).await;
                    held = next;
                    if left().is_zero() {
                        return Err(held.into());
                    }
                    // A Guardian that holds anew what was approved must not be asked without a break.
                    background::sleep(PAUSE.min(left())).await;
                }
            }
        }
    }

    /// Retries the check until the Guardian decides; `None` when the time is up before it does.
    async fn ask_again(
        &self,
        check: &Check,
        left: impl Fn() -> Duration,
    ) -> Option<Result<Authorization>> {
        // One key for all of it: an answer that got lost on its way may have used the approval up.
        let idempotency_key = new_idempotency_key();
        loop {
            match check.ask(self, WhenUnreachable::Block, &idempotency_key).await {
                Err(error) if is_no_decision(&error) => {
                    if left().is_zero() {
                        return None;
                    }
                    background::sleep(PAUSE.min(left())).await;
                }
                answer => return Some(answer),
            }
        }
    }

    /// Returns whether approvers are shown inputs: as the guard was built, else as its client says.
    pub(super) fn discloses(&self) -> bool {
        let Shared { settings, client, .. } = &*self.shared;
        settings.disclose_on_elevation.unwrap_or(client.inputs_stay_here())
    }

    /// Shows the approver the input, where the guard does so; else says in what is held that it is not seen. Best
    /// effort: without it the approver sees less, and decides on that.
    pub(super) async fn disclose(&self, check: &Check, held: &mut HeldAction) {
        let approval_id = &held.approval_id;
        let Some(disclosure) = &check.disclosure else {
            if check.summary_is_length {
                held.message.push_str(
                    "; its approver sees no input, which `disclose_on_elevation(true)` on the guard would show",
                );
                self.warn_of_unseen();
            }
            return;
        };
        let approvals = self.shared.client.approvals();
        let opening = &disclosure.commitment.opening;
        if let Err(error) = approvals.disclose(approval_id, &disclosure.input, opening).await {
            tracing::warn!(%error, approval_id, "the approver was not shown the input");
            held.message.push_str("; its approver could not be shown the input: ");
            held.message.push_str(&error.message());
        }
    }

    /// Says once that approvers see no inputs, unless the guard was built so.
    fn warn_of_unseen(&self) {
        if self.shared.settings.disclose_on_elevation.is_none() {
            self.shared.warned_of_unseen.call_once(|| {
                tracing::warn!(
                    agent_id = self.subject.agent_id,
                    "the approvers of held calls see no inputs: build the guard with \
                     `disclose_on_elevation(true)` to show them, or with `false` to leave it so"
                );
            });
        }
    }
}

/// Returns whether the Guardian was not asked, or was and did not decide: asking again may work.
fn is_no_decision(error: &AgentTrustError) -> bool {
    matches!(error, AgentTrustError::GuardianUnavailable { .. }) || error.may_pass()
}

fn refused(check: &Check, approval: &Approval) -> AgentTrustError {
    let mut message = format!(
        "tool {:?} is denied: {} refused approval {}",
        check.tool(),
        approval.decided_by.as_deref().unwrap_or("the approver"),
        approval.id,
    );
    if let Some(reason) = &approval.decision_reason {
        message.push_str(": ");
        message.push_str(reason);
    }
    AgentTrustError::ActionDenied { message, check_id: None }
}

fn expired(check: &Check, approval_id: String) -> AgentTrustError {
    AgentTrustError::ApprovalExpired {
        message: format!(
            "no approver decided approval {approval_id} for tool {:?} in time; call it again to ask again",
            check.tool(),
        ),
        approval_id,
    }
}
