//! Authorizing an action: the one place where a decision becomes a permit or an error.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::AgentTrustGuard;
use super::action::{Action, Input, OnElevation};
use super::ask::WhenUnreachable;
use super::cover;
use super::digest::{self, Commitment};
use super::permit::{Permit, PermitBasis};
use super::running::Approved;
use crate::background;
use crate::client::{CheckOptions, CheckResponse, refuse_scopes};
use crate::error::{AgentTrustError, Result};
use crate::model::{Binds, CheckRequest, Effect, SUMMARY_MAX_CHARS, truncate_summary};

impl AgentTrustGuard {
    /// Asks the Guardian whether `action` may run.
    ///
    /// Hold the returned permit while it runs and [`finish`](Permit::finish) it with the output.
    /// Without a permit, do not run it.
    ///
    /// # Errors
    ///
    /// - [`ActionDenied`](AgentTrustError::ActionDenied): no.
    /// - [`ElevationRequired`](AgentTrustError::ElevationRequired): only after an approver approved it; retry then.
    /// - [`ApprovalExpired`](AgentTrustError::ApprovalExpired): it was waited for and no approver decided in the
    ///   approval's time.
    /// - [`GuardianUnavailable`](AgentTrustError::GuardianUnavailable): the Guardian could not be asked,
    ///   or could not decide within the guard's [`timeout`](super::AgentTrustGuardBuilder::timeout).
    /// - Any other error of the request itself, such as a wrong key. None of them is a permit.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, nothing runs and nothing is reported; a check may have been made.
    pub async fn authorize(&self, action: Action) -> Result<Permit> {
        let guard = self.acting_as(&action);
        if let Some(permit) = cover::permit(&guard, &action) {
            return Ok(permit);
        }
        let around = Approved::around(&guard);
        guard.ask_about(action, around).await
    }

    async fn ask_about(&self, action: Action, around: Option<Approved>) -> Result<Permit> {
        let check = Check { around, ..Check::prepare(self, action)? };
        match check.ask(self, WhenUnreachable::AsBuilt, &new_idempotency_key()).await? {
            Authorization::Permit(permit) => Ok(permit),
            Authorization::Denied { message, check_id } => {
                Err(AgentTrustError::ActionDenied { message, check_id })
            }
            Authorization::Held(mut held) => {
                self.disclose(&check, &mut held).await;
                match check.on_elevation {
                    OnElevation::Fail => Err(held.into()),
                    OnElevation::Wait(limit) => self.wait_for_approval(&check, held, limit).await,
                }
            }
        }
    }

    /// Does the same as [`authorize`](Self::authorize), from code that is not async. Parks this thread until the
    /// answer is there; the asking happens on a background runtime, so that it works inside of a
    /// runtime and outside.
    ///
    /// Inside of a runtime it never waits for an approval, whatever the action says: that would
    /// block one of the runtime's threads for minutes. Threads of `spawn_blocking` count as inside.
    ///
    /// # Errors
    ///
    /// As for [`authorize`](Self::authorize), and
    /// [`GuardianUnavailable`](AgentTrustError::GuardianUnavailable) on this crate's own background
    /// threads, which would wait for themselves.
    pub fn authorize_blocking(&self, mut action: Action) -> Result<Permit> {
        if tokio::runtime::Handle::try_current().is_ok() {
            action = action.on_elevation(OnElevation::Fail);
        }
        let guard = self.acting_as(&action);
        // Here, since what is around a call is known to the thread that makes it.
        if let Some(permit) = cover::permit(&guard, &action) {
            return Ok(permit);
        }
        let around = Approved::around(&guard);
        background::block_on(async move { guard.ask_about(action, around).await })?
    }

    /// Returns this guard, or the same one for the agent that the action names.
    pub(super) fn acting_as(&self, action: &Action) -> Self {
        action.principal.as_ref().map_or_else(|| self.clone(), |subject| self.acting_for(subject))
    }

    /// Refuses an action that leaves out what must be said, and every one of a guard whose settings make no sense.
    fn refuse_unsaid(&self, action: &Action, effect: Option<Effect>) -> Result<()> {
        let settings = &self.shared.settings;
        let tool = &action.tool;
        let why = if let Some(fault) = &settings.fault {
            fault.clone()
        } else if self.subject.agent_id.is_empty() {
            format!(
                "tool {tool:?} did not run, because it is not known whose call it is, and this guard asks for \
                 no agent of its own; authenticate outside of the guard, and let the action name the \
                 agent with `principal` or `principal_in`"
            )
        } else if tool.is_empty() {
            "the tool's name is empty; name the tool that is about to be called".to_owned()
        } else if settings.require_effect && effect.is_none() {
            format!(
                "tool {tool:?} did not run, because it declares no effect and this guard requires one; \
                 declare it, with `#[guarded(effect = \"..\")]` or `Action::effect`"
            )
        } else {
            return refuse_scopes(tool, &action.scopes);
        };
        Err(AgentTrustError::invalid(why))
    }

    /// Returns what the action declares, else what the guard does for those that declare nothing.
    pub(super) fn effect_of(&self, action: &Action) -> Option<Effect> {
        action.effect.or(self.shared.settings.default_effect)
    }
}

/// A check, ready to be sent, and sent again after an approval.
pub(super) struct Check {
    pub(super) body: CheckRequest,
    /// The effect that the action itself declares; the guard's default is in `body`.
    pub(super) declared: Option<Effect>,
    pub(super) options: CheckOptions,
    on_elevation: OnElevation,
    /// The input for the approver, if it was captured and the guard discloses it.
    pub(super) disclosure: Option<Disclosure>,
    /// Whether nothing that travels tells what the input is.
    pub(super) summary_is_length: bool,
    /// The approval that the call around it used.
    around: Option<Approved>,
}

/// The input and the value that opens its digest to the approver.
pub(super) struct Disclosure {
    pub(super) input: serde_json::Value,
    pub(super) commitment: Commitment,
}

/// The decision of a check, where the Guardian allows it as a permit.
pub(super) enum Authorization {
    Permit(Permit),
    Denied { message: String, check_id: Option<String> },
    Held(HeldAction),
}

/// An action that waits for an approval.
pub(super) struct HeldAction {
    pub(super) message: String,
    pub(super) approval_id: String,
    check_id: Option<String>,
}

impl From<HeldAction> for AgentTrustError {
    fn from(held: HeldAction) -> Self {
        Self::ElevationRequired { message: held.message, approval_id: held.approval_id }
    }
}

impl Check {
    pub(super) fn prepare(guard: &AgentTrustGuard, action: Action) -> Result<Self> {
        let effect = guard.effect_of(&action);
        guard.refuse_unsaid(&action, effect)?;
        let tool = action.tool.into_owned();
        let generated = guard.subject.session_is_generated;
        let mut options =
            CheckOptions::default().scopes(action.scopes).session_is_generated(generated);
        let mut summary = action.summary;
        let (mut disclosure, mut summary_is_length) = (None, false);
        let mut input = captured(&tool, action.input, action.binds)?;
        if input.is_none()
            && let Some(long) = summary.take_if(|summary| goes_on(summary))
        {
            // What does not travel is bound as well, and the approver sees that there is more.
            summary = Some(cut(&long));
            input = Some(long.into());
        }
        if let Some(input) = input {
            let settings = &guard.shared.settings;
            let text = digest::canonical(&input)?;
            let commitment = digest::commit_canonical(&settings.binding_key, &input, &text)?;
            options = options
                .input_digest(commitment.digest.clone())
                .key_id(settings.key_id.clone())
                .binds(action.binds);
            if summary.is_none() {
                summary_is_length = !settings.log_inputs;
                summary = Some(summarize(text, settings.log_inputs));
            }
            if guard.discloses() {
                disclosure = Some(Disclosure { input, commitment });
            }
        }
        let body = CheckRequest {
            session_id: Some(guard.subject.session_id.clone()),
            action_effect: effect.map(|effect| effect.as_str().to_owned()),
            action_input_summary: summary
                .map(|summary| truncate_summary(&summary).to_owned())
                .filter(|summary| !summary.is_empty()),
            ..CheckRequest::new(&guard.subject.agent_id, tool)
        };
        Ok(Self {
            body,
            declared: action.effect,
            options,
            on_elevation: action.on_elevation,
            disclosure,
            summary_is_length,
            around: None,
        })
    }

    pub(super) fn tool(&self) -> &str {
        &self.body.action_name
    }

    /// Returns what tells this call from another one of the same tool.
    pub(super) fn input(&self) -> Option<&str> {
        self.options.input_digest.as_deref().or(self.body.action_input_summary.as_deref())
    }

    pub(super) fn read_answer(
        &self,
        guard: &AgentTrustGuard,
        answer: CheckResponse,
    ) -> Authorization {
        let CheckResponse { result, scopes_enforced, .. } = answer;
        let tool = self.tool();
        let reason = result.reason.as_deref().unwrap_or(
            "the answer gives no reason; where that is new, see that the address is that of a Guardian",
        );
        let check_id = result.check_id.clone();
        let decision = if result.elevation_required == Some(true) {
            // Whatever `allowed` says beside it: the cautious reading wins.
            self.held(guard, reason, result.approval_id, check_id)
        } else if !result.allowed {
            Authorization::Denied {
                message: format!("tool {tool:?} is denied: {reason}"),
                check_id,
            }
        } else if !self.options.scopes.is_empty()
            && !scopes_enforced
            && !guard.shared.settings.trust_gateway_scopes
        {
            Authorization::Denied {
                message: format!(
                    "tool {tool:?} declares the scopes {}, which this gateway did not check; \
                     build the guard with `trust_gateway_scopes(true)` to run it all the same",
                    self.options.scopes.join(", ")
                ),
                check_id,
            }
        } else {
            if guard.shared.settings.may_fail_open() {
                guard.shared.recent_refusals.forget(&guard.subject, tool, self.input());
            }
            let permit =
                Permit::new(guard.clone(), tool.to_owned(), check_id, PermitBasis::Allowed);
            return Authorization::Permit(permit.by_approval(result.approval_id));
        };
        if guard.shared.settings.may_fail_open() {
            guard.shared.recent_refusals.remember(&guard.subject, tool, self.input());
        }
        if guard.shared.settings.block_on_deny {
            return decision;
        }
        let (Authorization::Denied { message, check_id }
        | Authorization::Held(HeldAction { message, check_id, .. })) = decision
        else {
            return decision;
        };
        guard.shared.counts.not_blocked.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            agent_id = guard.subject.agent_id,
            tool,
            reason = message,
            "running a call that was not allowed, because the guard has `block_on_deny(false)`"
        );
        self.permit(guard, check_id, PermitBasis::MonitorOnly)
    }

    /// Returns an action that waits for its approval; one that the Guardian did not name cannot be waited for.
    fn held(
        &self,
        guard: &AgentTrustGuard,
        reason: &str,
        approval_id: Option<String>,
        check_id: Option<String>,
    ) -> Authorization {
        let tool = self.tool();
        let Some(approval_id) = approval_id.filter(|id| !id.is_empty()) else {
            let message =
                format!("tool {tool:?} needs an approval that the Guardian did not name: {reason}");
            return Authorization::Denied { message, check_id };
        };
        let settings = &guard.shared.settings;
        let mut message =
            format!("tool {tool:?} needs approval {approval_id}: {reason}; retry it once approved");
        if self.options.input_digest.is_some() && settings.key_is_random {
            message.push_str(
                ", before this process ends: its key is random; `state_file` or AGENTTRUST_STATE keeps one",
            );
            guard.shared.warned_of_key.call_once(|| {
                tracing::warn!(
                    agent_id = guard.subject.agent_id,
                    "approvals end with this process, because the guard's key is random: build it with \
                     `state_file`, or set AGENTTRUST_STATE, for a program that comes back to what was held"
                );
            });
        }
        if let Some(around) = &self.around {
            message.push_str(&around.to_string());
        }
        Authorization::Held(HeldAction { message, approval_id, check_id })
    }

    pub(super) fn permit(
        &self,
        guard: &AgentTrustGuard,
        check_id: Option<String>,
        basis: PermitBasis,
    ) -> Authorization {
        let tool = self.tool().to_owned();
        Authorization::Permit(Permit::new(guard.clone(), tool, check_id, basis))
    }
}

/// Returns the input that was captured, if any was; one that cannot be read is refused, and so is a part of nothing.
fn captured(tool: &str, input: Input, binds: Option<Binds>) -> Result<Option<serde_json::Value>> {
    match (input, binds) {
        (Input::Captured(input), _) => Ok(Some(input)),
        (Input::None, None) => Ok(None),
        (Input::None, Some(part)) => Err(AgentTrustError::invalid(format!(
            "the action of tool {tool:?} says that its input is the {} alone, and has no input; give it \
             one with `input`",
            part.as_str()
        ))),
        (Input::Unreadable(why), _) => Err(AgentTrustError::invalid(format!(
            "the input of tool {tool:?} cannot be captured: {why}"
        ))),
    }
}

/// Returns whether a summary is longer than what travels of it.
fn goes_on(summary: &str) -> bool {
    truncate_summary(summary).len() < summary.len()
}

/// Returns what travels of a summary that goes on, and that it does.
fn cut(summary: &str) -> String {
    summary.chars().take(SUMMARY_MAX_CHARS - 1).chain(['…']).collect()
}

/// Returns what is said about an input: its length, or the text (cut before it is sent) where that was asked
/// for. Of the canonical form, so that it says the same whatever order the program's JSON maps keep.
fn summarize(canonical: String, log_inputs: bool) -> String {
    if log_inputs { canonical } else { format!("[{} chars]", canonical.chars().count()) }
}

/// Returns a new key by which the Guardian knows the repetitions of one check.
pub(super) fn new_idempotency_key() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The longest time that a check may take by default.
pub(super) const CHECK_LIMIT: Duration = Duration::from_secs(5);
