//! What becomes of a held check: the approval that it falls under, or a new one.

use std::time::Duration;

use agenttrust::model::{Approval, BoundTo};

use super::context::DecisionContext;
use super::policy::counted;
use super::{Check, budget};
use crate::domain::{Decision, Unserved, duration, ids};
use crate::engine::Engine;
use crate::metrics::ApprovalEvent;
use crate::policy::{ApprovalRequirements, DEFAULT_WINDOW, Verdict};
use crate::registry::Chain;
use crate::store::{HeldCheck, NewApproval, Settled, Unused};

/// Turns a verdict into what is answered; a held check finds, opens or uses its approval.
pub(super) async fn settle(
    engine: &Engine,
    context: &DecisionContext<'_>,
    verdict: Verdict,
) -> Decision {
    let (terms, policies, reason) = match verdict {
        Verdict::Allow { policies, reason, limits } => {
            let charges = budget::charges(context, limits);
            let counted = !charges.is_empty();
            let allowed = Decision::Allowed { policies, reason, approval: None, counted };
            return budget::take(engine, charges).await.unwrap_or(allowed);
        }
        Verdict::Deny { policies, reason } => {
            return Decision::Denied { policies, reason, approval: None };
        }
        Verdict::Hold { terms, policies, reason, .. } => (terms, policies, reason),
    };
    // Policies may have been reloaded since the verdict: an approval is worth what they say now.
    let limits = match engine.policies.load().decide_approved(&context.facts) {
        Verdict::Allow { limits, .. } => limits,
        Verdict::Deny { policies, reason } | Verdict::Hold { policies, reason, .. } => {
            return Decision::Denied { policies, reason, approval: None };
        }
    };
    let reason = with_reach(reason, terms, binding(context.check).0);
    let held = HeldCheck {
        approval: wanted(engine, context, terms, reason.clone()),
        askers: askers(engine, context),
        check_id: context.ids.allowed.clone(),
        now: context.evaluation.now,
        charges: budget::charges(context, limits),
        charged_at: engine.clock.undisturbed(),
        task_message: context.check.task_message.clone(),
        elevating: context.check.access.as_ref().map(|asked| asked.elevating.clone()),
    };
    let settled = match engine.store.settle(held).await {
        Ok(settled) => settled,
        Err(error) => {
            tracing::error!(%error, "an approval could not be opened, so the check is denied");
            return Decision::denied(
                "the action needs approval, and the Guardian's database cannot keep one at present; \
                 try again when it is back",
            );
        }
    };
    decision_of(engine, context, settled, policies, reason)
}

fn decision_of(
    engine: &Engine,
    context: &DecisionContext<'_>,
    settled: Settled,
    policies: Vec<String>,
    reason: String,
) -> Decision {
    let (agent, tool) = (&context.check.agent_id, &context.check.tool);
    match settled {
        Settled::Opened(row, unused) => {
            engine.metrics.approval(ApprovalEvent::Opened);
            tell_of(&row.approval, &context.evaluation.agent.agent.name);
            let reason = with_expiry(with_unused(reason, unused), context, &row.approval);
            let approval = Box::new(row.approval);
            Decision::Held { policies, reason, approval, new: true }
        }
        Settled::Waiting(row) => {
            let reason = with_expiry(reason, context, &row.approval);
            let approval = Box::new(row.approval);
            Decision::Held { policies, reason, approval, new: false }
        }
        Settled::Ready(row) => {
            let reason = with_expiry(reason, context, &row.approval);
            Decision::Held { policies, reason, approval: Box::new(row.approval), new: false }
        }
        Settled::Needed(unserved) => {
            let reason = with_unserved(reason, unserved);
            Decision::Requestable { policies, reason, unserved }
        }
        Settled::Used(row) => {
            engine.metrics.approval(ApprovalEvent::Used);
            engine.changes.announce(&row.approval.id);
            let reason = format!("approved as {}: {reason}", row.approval.id);
            let (approval, counted) = (Some(Box::new(row.approval)), false);
            Decision::Allowed { policies, reason, approval, counted }
        }
        Settled::Denied(row) => {
            let left = left(context, &row.approval);
            let left = left.map(|left| format!(" for another {left}")).unwrap_or_default();
            let why = row.approval.decision_reason.as_deref();
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            let reason = format!("approval {} was denied{why}, which holds{left}", row.approval.id);
            Decision::Denied { policies, reason, approval: Some(Box::new(row.approval)) }
        }
        Settled::OutOfBudget(spent) => budget::exhausted(engine, spent),
        Settled::Inactive => Decision::denied(format!(
            "agent {agent:?} was revoked or suspended while it asked; an operator can tell which"
        )),
        Settled::TooManyPending => Decision::denied(format!(
            "agent {agent:?} has 20 approvals pending, which is the most, those with them that were cancelled within 10 \
             minutes; have some decided first"
        )),
        Settled::TooManyDenials { agent_id } => {
            let whom = whom(agent, &agent_id);
            Decision::denied(format!(
                "tool {tool:?} was denied to agent {agent_id:?}{whom} 3 times within 10 minutes; no further \
                 approvals are opened for now"
            ))
        }
        Settled::DeniedToGiver { approval_id, agent_id } => {
            let whom = whom(agent, &agent_id);
            Decision::denied(format!(
                "approval {approval_id} of the same was denied to agent {agent_id:?}{whom}, which holds for what \
                 is asked on its behalf"
            ))
        }
    }
}

/// Says what another agent than the one that asks has to do with it.
fn whom(agent: &str, other: &str) -> &'static str {
    if agent == other { "" } else { ", for which it acts," }
}

fn wanted(
    engine: &Engine,
    context: &DecisionContext<'_>,
    terms: ApprovalRequirements,
    reason: String,
) -> NewApproval {
    let (check, chain) = (context.check, context.evaluation.session.chain());
    let (bound_to, bound_value) = binding(check);
    let (window, single_use) = reach(terms, bound_to);
    NewApproval {
        id: ids::new("apr_"),
        org_id: check.key.org_id.clone(),
        agent_id: check.agent_id.clone(),
        session_id: bound_session(check).to_owned(),
        tool: check.tool.clone(),
        effect: context.facts.effect.as_str(),
        scopes: bound_scopes(context.facts.scopes),
        bound_to,
        bound_value,
        key_id: check.key_id.clone().filter(|_| bound_to.is_digest()),
        summary: check.summary.clone(),
        reason,
        on_behalf_of: chain.map(Chain::on_behalf_of).unwrap_or_default(),
        quorum: terms.quorum.max(1),
        window,
        single_use,
        expires_at: context
            .evaluation
            .now
            .saturating_add(terms.pending.unwrap_or(engine.settings.approval_ttl)),
        input: check.access.as_ref().map(|asked| asked.shown.clone()),
    }
}

/// Returns the session that the approval is bound to. One that was issued always is; one that the guard made up would
/// keep the program from coming back to what was approved.
pub(super) fn bound_session(check: &Check) -> &str {
    let given = check
        .session_id
        .as_deref()
        .filter(|id| !check.session_is_generated || id.starts_with(ids::SESSION_PREFIX));
    given.unwrap_or_default()
}

/// Returns the keys that ask: the one that the check came with, those that issued the tokens of its session, and those
/// that made the delegations under which the agent acts. A gateway asks for an agent that comes with a token, and its
/// own key does not tell whose agent that is: so one key of each owner among the keys of the agent counts as well.
fn askers(engine: &Engine, context: &DecisionContext<'_>) -> Vec<String> {
    let (check, session) = (context.check, &context.evaluation.session);
    let mut askers = vec![check.key.id.clone()];
    if let Some(issued) = session.issued() {
        askers.extend(engine.registry.issuers(issued));
        if issued.row.is_of_token() && !check.key.is_bound_to(&check.agent_id) {
            let keys = &engine.registry.keys;
            askers.extend(keys.one_of_each_owner(&check.key.org_id, &check.agent_id));
        }
    }
    let makers = session.chain().into_iter().flat_map(Chain::makers);
    askers.extend(makers.map(str::to_owned));
    askers
}

/// Tells the person at the terminal of a call that is held. Written out, because any caller may have chosen the names.
fn tell_of(approval: &Approval, agent: &str) {
    let Approval { id, action_name, action_effect, on_behalf_of, .. } = approval;
    let givers = on_behalf_of.iter().map(|giver| format!(", for {:?}", giver.agent_name));
    let givers: String = givers.collect();
    tracing::info!(
        "held {id}: {agent:?}{givers} wants {action_name:?} ({action_effect}); decide with `agenttrust approvals \
         show {id}`, then `approve` or `deny`"
    );
}

/// Returns how long an approval or its denial still stands, for people.
fn left(context: &DecisionContext<'_>, approval: &Approval) -> Option<String> {
    approval.expires_at.map(|at| duration::say(context.evaluation.now.until(at)))
}

/// Says how long an approver has to decide.
fn with_expiry(reason: String, context: &DecisionContext<'_>, approval: &Approval) -> String {
    match left(context, approval) {
        Some(left) => format!("{reason}; it expires in {left}"),
        None => reason,
    }
}

/// Says of an approval that lies unused why this check does not fall under it.
fn with_unused(reason: String, unused: Option<Unused>) -> String {
    match unused.filter(|unused| !unused.differs.is_empty()) {
        Some(Unused { id, differs }) => {
            format!(
                "{reason}; approval {id} of this tool lies unused: it is {}",
                differs.join(", ")
            )
        }
        None => reason,
    }
}

/// Says why the approval that was presented does not serve.
fn with_unserved(reason: String, unserved: Option<Unserved>) -> String {
    let why = match unserved {
        None => return reason,
        Some(Unserved::Over) => {
            "the approval that was presented is over: it was used, has expired or was withdrawn, or less was approved \
             than is needed now"
        }
        Some(Unserved::OutOfScope) => {
            "the approval that was presented was given for something else"
        }
        Some(Unserved::Unverifiable) => {
            "the approval that was presented is not known here, or not decided yet"
        }
    };
    format!("{reason}; {why}")
}

/// Returns what of the input the approval is bound to: of a summary every character, which is also what the
/// approver sees.
pub(super) fn binding(check: &Check) -> (BoundTo, String) {
    if let Some(asked) = &check.access {
        return (BoundTo::Evaluation, asked.digest.clone());
    }
    match (&check.digest, &check.summary) {
        (Some(digest), _) => (check.binds.map_or(BoundTo::Input, BoundTo::from), digest.clone()),
        (None, Some(summary)) if counted(summary).is_none() => (BoundTo::Summary, summary.clone()),
        (None, _) => (BoundTo::Name, String::new()),
    }
}

/// Returns the same list for the same set of scopes.
pub(super) fn bound_scopes(scopes: &[String]) -> Vec<String> {
    let mut scopes = scopes.to_vec();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

/// Returns how long and how often an approval serves: more than once within five minutes only where the
/// whole input is bound.
pub(super) fn reach(terms: ApprovalRequirements, bound_to: BoundTo) -> (Duration, bool) {
    let window = terms.window.unwrap_or(DEFAULT_WINDOW);
    if matches!(bound_to, BoundTo::Input | BoundTo::Evaluation) {
        (window, terms.single_use)
    } else {
        (window.min(DEFAULT_WINDOW), true)
    }
}

/// Returns the reason for a hold, and for how long and how often its approval will serve, where a policy says that: for
/// those who decide, who else would take it for one call, and for the caller, where it is less than the policies grant.
fn with_reach(reason: String, terms: ApprovalRequirements, bound_to: BoundTo) -> String {
    let (window, single_use) = reach(terms, bound_to);
    let Some(granted) = terms.window else { return reason };
    if granted <= window && single_use == terms.single_use {
        let calls = if single_use { "one call" } else { "any number of calls with this input" };
        let window = duration::say(window);
        return format!(
            "{reason}; an approval of it serves {calls} within {window} of the decision"
        );
    }
    let why = match bound_to {
        BoundTo::Request => "the request is bound without its body",
        BoundTo::Method => "the method is bound without its messages",
        BoundTo::Summary => "a summary is bound and not the input",
        _ => "nothing of the input is bound",
    };
    format!(
        "{reason}; an approval of it serves one call within {} s and not the {} s that the policies \
         grant, because {why}",
        window.as_secs(),
        granted.as_secs(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_window_is_only_for_an_approval_bound_to_the_input() {
        let hour = Duration::from_secs(3_600);
        let terms = ApprovalRequirements {
            window: Some(hour),
            single_use: false,
            ..ApprovalRequirements::default()
        };
        assert_eq!(reach(terms, BoundTo::Input), (hour, false));
        assert_eq!(reach(terms, BoundTo::Evaluation), (hour, false));
        assert_eq!(reach(terms, BoundTo::Summary), (DEFAULT_WINDOW, true));
        assert_eq!(reach(terms, BoundTo::Name), (DEFAULT_WINDOW, true));
        assert_eq!(reach(terms, BoundTo::Request), (DEFAULT_WINDOW, true));
        assert_eq!(reach(terms, BoundTo::Method), (DEFAULT_WINDOW, true));
        let short = ApprovalRequirements { window: Some(Duration::from_secs(60)), ..terms };
        assert_eq!(reach(short, BoundTo::Name), (Duration::from_secs(60), true));
        assert_eq!(reach(ApprovalRequirements::default(), BoundTo::Input), (DEFAULT_WINDOW, true));
    }

    #[test]
    fn a_hold_says_how_long_and_how_often_its_approval_serves_and_where_that_is_less_than_is_granted()
     {
        let terms = |window, single_use| ApprovalRequirements {
            window,
            single_use,
            ..ApprovalRequirements::default()
        };
        let minutes = |count: u64| Some(Duration::from_secs(count * 60));
        let said = |terms, bound_to| with_reach("held".to_owned(), terms, bound_to);
        let hour = terms(minutes(60), false);
        for (bound_to, why) in [
            (BoundTo::Request, "without its body"),
            (BoundTo::Method, "without its messages"),
            (BoundTo::Summary, "a summary is bound"),
            (BoundTo::Name, "nothing of the input is bound"),
        ] {
            let said = said(hour, bound_to);
            assert!(said.contains("one call within 300 s and not the 3600 s"), "{said}");
            assert!(said.starts_with("held; ") && said.contains(why), "{said}");
        }
        // Several calls become one.
        assert!(said(terms(minutes(1), false), BoundTo::Request).contains("one call within 60 s"));
        for (terms, bound_to) in
            [(hour, BoundTo::Input), (terms(minutes(60), false), BoundTo::Evaluation)]
        {
            let several = "any number of calls with this input within 60 min of the decision";
            assert_eq!(said(terms, bound_to), format!("held; an approval of it serves {several}"));
        }
        for (terms, bound_to) in
            [(terms(minutes(60), true), BoundTo::Input), (terms(minutes(5), true), BoundTo::Name)]
        {
            let said = said(terms, bound_to);
            assert!(said.contains("an approval of it serves one call within "), "{said}");
        }
        assert_eq!(said(ApprovalRequirements::default(), BoundTo::Name), "held");
    }
}
