//! Approvals: read, waited for, listed, decided, and shown their inputs.

use std::pin::pin;
use std::time::Duration;

use agenttrust::background;
use agenttrust::guard::digest;
use agenttrust::model::{Approval, ApprovalDecision, ApprovalStatus};
use futures_util::future::{Either, select};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use crate::audit::Record;
use crate::domain::names::{check_input, check_name, check_reason};
use crate::domain::role::{Access, Permission};
use crate::domain::{Error, Key, Reach};
use crate::engine::Engine;
use crate::metrics::ApprovalEvent;
use crate::registry::Broken;
use crate::store::{ApprovalFilter, Decided, RequesterRelation, Vote};

/// Returns the approval, if the key may see it: of its agents, or one that it asked for itself. Its input only if the
/// key may decide it.
///
/// # Errors
///
/// Not found, also for an approval that the key may not see, so that an id tells nothing about whose it is.
pub(crate) async fn find(engine: &Engine, reach: Reach<'_>, id: &str) -> Result<Approval, Error> {
    let now = engine.clock.now();
    let org_id = reach.key.org_id.clone();
    let found = engine.reading_store.approval(id.to_owned(), org_id, now).await?;
    let mut approval =
        seen_by(reach.key, found.ok_or_else(|| Error::unknown("approval", id))?.approval);
    let is_seen = reach.covers(&approval.agent_id)
        || reach.names(&approval.agent_id)
            && engine.reading_store.is_asker(id.to_owned(), reach.key.id.clone()).await?;
    if !is_seen {
        return Err(Error::unknown("approval", id));
    }
    if approval.approvals > Some(0) {
        approval.approvers = engine.reading_store.approvers(id.to_owned()).await?;
    }
    Ok(approval)
}

/// Returns what `key` may see of an approval: an input was disclosed to keys that decide.
fn seen_by(key: &Key, mut approval: Approval) -> Approval {
    if key.role.may(Permission::DecideApprovals) == Access::No {
        approval.input = None;
    }
    approval
}

/// Returns the same; a pending one once it changes, or after `wait`. `begin` says whether the caller may wait, and what
/// it holds meanwhile.
///
/// # Errors
///
/// Those of [`find`] and of `begin`.
pub(crate) async fn wait_for<W>(
    engine: &Engine,
    reach: Reach<'_>,
    id: &str,
    wait: Duration,
    begin: impl FnOnce() -> Result<W, Error>,
) -> Result<Approval, Error> {
    // Heard from before the first look, so that no change falls between looking and listening.
    let mut changes = engine.changes.listen();
    let mut closing = engine.closing();
    let mut deadline = pin!(background::sleep(wait));
    let mut approval = find(engine, reach, id).await?;
    if wait.is_zero() || approval.status != ApprovalStatus::Pending {
        return Ok(approval);
    }
    let _waiting = begin()?;
    while approval.status == ApprovalStatus::Pending && !*closing.borrow_and_update() {
        let left = approval.expires_at.map_or(Duration::ZERO, |at| engine.clock.now().until(at));
        let changed = pin!(async {
            loop {
                match changes.recv().await {
                    Ok(changed) if *changed == *id => return,
                    Ok(_) => {}
                    // Some were missed: it may be among them. Or the Guardian is going.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                }
            }
        });
        let lapsed = pin!(background::sleep(left));
        let closed = pin!(closing.changed());
        let news = select(changed, select(lapsed, closed));
        let over = matches!(select(news, deadline.as_mut()).await, Either::Right(_));
        // At the deadline too: not every change is announced in time to be heard.
        approval = find(engine, reach, id).await?;
        if over {
            break;
        }
    }
    Ok(approval)
}

/// Returns the approvals that `key` may see, the newest first, at most as many as the filter says; of one agent, or of
/// all that it may see. With the inputs that it may see and that are not too long for a list.
///
/// # Errors
///
/// Forbidden for an agent that the key may not see.
pub(crate) async fn list(
    engine: &Engine,
    reach: Reach<'_>,
    agent_id: Option<&str>,
    filter: ApprovalFilter,
) -> Result<Vec<Approval>, Error> {
    let key = reach.key;
    let now = engine.clock.now();
    // Asked for agent by agent, because the store lists only so many: those of other agents must not
    // push out the caller's own.
    let of = reach.listed(agent_id)?;
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let mut approvals = Vec::new();
    for agent_id in of {
        let filter = ApprovalFilter { agent_id, ..filter.clone() };
        approvals.extend(engine.reading_store.approvals(key.org_id.clone(), filter, now).await?);
    }
    approvals.sort_by(|one: &Approval, other| {
        (other.created_at, &other.id).cmp(&(one.created_at, &one.id))
    });
    approvals.truncate(limit);
    Ok(approvals.into_iter().map(|approval| seen_by(key, approval)).collect())
}

/// A word about an approval.
#[derive(Debug)]
pub(crate) struct Word {
    pub(crate) approve: bool,
    /// The name of the approver, as the caller says it.
    pub(crate) decided_by: Option<String>,
    /// The reason for the decision.
    pub(crate) reason: Option<String>,
}

/// Counts the word of `key` about an approval.
///
/// This is no [`change`](Engine::change): what is stored decides whether there is anything to record and of which
/// kind, and callers that wait for the approval hear of it before the record is on disk.
///
/// # Errors
///
/// Not found; forbidden for a key of the requester; conflict for one that is decided or has expired.
pub(crate) async fn decide(
    engine: &Engine,
    key: &Key,
    id: &str,
    word: Word,
) -> Result<ApprovalDecision, Error> {
    let approve = word.approve;
    let word = word.checked()?;
    engine.ensure_auditable()?;
    let now = engine.clock.now();
    let found = engine.store.approval(id.to_owned(), key.org_id.clone(), now).await?;
    let row = found.ok_or_else(|| Error::unknown("approval", id))?;
    if let Some(relation) = relation_with_agents(engine, key, &row.approval)
        && !engine.settings.allow_self_approval
    {
        return Err(own_request_of(engine, key, &row.approval, relation));
    }
    if approve && row.approval.status == ApprovalStatus::Pending {
        need_delegation(engine, &key.org_id, &row.approval).await?;
    }
    let vote = Vote {
        approval_id: id.to_owned(),
        org_id: key.org_id.clone(),
        key_id: key.id.clone(),
        decided_by: word.decided_by.clone(),
        reason: word.reason.clone(),
        approve,
        allow_self: engine.settings.allow_self_approval,
        now,
    };
    let mut repeated = false;
    let (mut approval, kind, own_request, votes) = match engine.store.decide(vote).await? {
        Decided::Unknown => return Err(Error::unknown("approval", id)),
        Decided::OwnRequest(relation) => {
            return Err(own_request_of(engine, key, &row.approval, relation));
        }
        Decided::Late(row) => return late(key, row.approval, approve),
        Decided::Counted { row, votes, repeated: again } => {
            repeated = again;
            (row.approval, "approval.vote", false, votes)
        }
        Decided::Done { row, own_request } => {
            let kind = if approve { "approval.approved" } else { "approval.denied" };
            let event = if approve { ApprovalEvent::Approved } else { ApprovalEvent::Denied };
            engine.metrics.approval(event);
            let votes = row.approval.approvals.unwrap_or(0);
            (row.approval, kind, own_request, votes)
        }
    };
    engine.changes.announce(id);
    if own_request {
        tracing::warn!(approval_id = id, key_id = key.id, "a key decided what is its own request");
    }
    approval.approvals = Some(votes);
    engine.record_audit(recorded(kind, key, &approval, &word, own_request)).await?;
    let mut decision = ApprovalDecision::default();
    decision.status = approval.status;
    decision.approvals = Some(votes);
    decision.quorum = approval.quorum;
    decision.repeated = repeated;
    Ok(decision)
}

/// Returns why a key is the requester's by the agents that the approval is about: bound to the one that asks or to one
/// for which it does, or of the owner of a key of one for which it does. Who would not approve what its agent asks for
/// does not approve it either where another agent asks on behalf of its own.
fn relation_with_agents(
    engine: &Engine,
    key: &Key,
    approval: &Approval,
) -> Option<RequesterRelation> {
    let mut givers = approval.on_behalf_of.iter().map(|giver| giver.agent_id.as_str());
    if key.is_bound_to(&approval.agent_id) || givers.clone().any(|giver| key.is_bound_to(giver)) {
        return Some(RequesterRelation::Asked);
    }
    let owner = key.owner.as_deref()?;
    let owns = givers.any(|giver| engine.registry.keys.is_of_owner(&key.org_id, giver, owner));
    owns.then_some(RequesterRelation::Owned)
}

impl Word {
    /// Returns what it says, where that may be said: what is empty is left out.
    fn checked(self) -> Result<Self, Error> {
        let decided_by = self.decided_by.filter(|name| !name.is_empty());
        let reason = self.reason.filter(|reason| !reason.trim().is_empty());
        reason.as_deref().map_or(Ok(()), |reason| check_reason("reason", reason))?;
        decided_by.as_deref().map_or(Ok(()), |name| check_name("decided_by", name))?;
        Ok(Self { decided_by, reason, ..self })
    }
}

/// Returns the record of a word about an approval, for the audit.
fn recorded(
    kind: &'static str,
    key: &Key,
    approval: &Approval,
    word: &Word,
    own_request: bool,
) -> Record {
    let mut about = json!({
        "approval_id": approval.id,
        "tool": approval.action_name,
        "effect": approval.action_effect,
        "session_id": approval.session_id,
        "bound_to": approval.bound_to,
        "input_digest": approval.input_digest,
        "decided_by": word.decided_by,
        "own_request": own_request,
        "approvals": approval.approvals,
        "quorum": approval.quorum,
    });
    if let (Some(about), Some(reason)) = (about.as_object_mut(), &word.reason) {
        about.insert("reason".to_owned(), reason.as_str().into());
    }
    Record::new(kind, &key.org_id).agent(&approval.agent_id).actor(&key.id).body(about)
}

/// Returns the same word from the same key once more changes nothing and is no error: its first answer may
/// have been lost on the way.
fn late(key: &Key, approval: Approval, approve: bool) -> Result<ApprovalDecision, Error> {
    let same = match approval.status {
        ApprovalStatus::Approved | ApprovalStatus::Consumed => approve,
        ApprovalStatus::Denied => !approve,
        _ => false,
    };
    if same && approval.decided_by_key.as_deref() == Some(&key.id) {
        let mut decision = ApprovalDecision::default();
        decision.status = approval.status;
        decision.repeated = true;
        return Ok(decision);
    }
    Err(Error::conflict(match approval.status {
        ApprovalStatus::Expired if approval.decision_reason.is_some() => format!(
            "approval {:?} was withdrawn ({}), so there is nothing to decide any more",
            approval.id,
            approval.decision_reason.unwrap_or_default()
        ),
        ApprovalStatus::Expired => {
            format!("approval {:?} has expired; the action must be asked for again", approval.id)
        }
        status => {
            format!("approval {:?} is {status} already and cannot be decided again", approval.id)
        }
    }))
}

/// Refuses what cannot run any more: the delegation that it was asked for under has ended, for good.
async fn need_delegation(engine: &Engine, org_id: &str, approval: &Approval) -> Result<(), Error> {
    if approval.on_behalf_of.is_empty() {
        return Ok(());
    }
    let cannot = |why: &str| {
        Error::conflict(format!("approval {:?} cannot be approved any more: {why}", approval.id))
    };
    let session = engine.store.session(approval.session_id.clone()).await?;
    let Some(delegation_id) = session.and_then(|session| session.delegation_id) else {
        return Err(cannot("the session that it was asked for in has ended"));
    };
    let chain = || engine.registry.chain(org_id, &delegation_id, engine.clock.now()).map(|_| ());
    if chain() != Err(Broken::Over) {
        return Ok(());
    }
    // Another replica may have made it a moment ago.
    engine.sync().await?;
    match chain() {
        Err(Broken::Over) => Err(cannot(&Broken::Over.reason(&delegation_id))),
        _ => Ok(()),
    }
}

/// Says the same as [`own_request`], and of a key that asked because it issued a token or made a delegation, that it
/// did.
fn own_request_of(
    engine: &Engine,
    key: &Key,
    approval: &Approval,
    relation: RequesterRelation,
) -> Error {
    let id = &approval.id;
    let session = engine.registry.sessions.get(&key.org_id, &approval.session_id);
    let issued = session.as_ref().is_some_and(|it| engine.registry.issuers(it).contains(&key.id));
    if issued && relation == RequesterRelation::Asked && !key.is_bound_to(&approval.agent_id) {
        return Error::forbidden(format!(
            "this key issued the token with which approval {id:?} was asked for, so it cannot decide it; have another \
             key decide, and agents issue tokens with their own keys"
        ));
    }
    let delegation = session.and_then(|session| session.row.delegation_id.clone());
    let chain = delegation.and_then(|delegation_id| {
        engine.registry.chain(&key.org_id, &delegation_id, engine.clock.now()).ok()
    });
    match chain.as_ref().and_then(|chain| chain.made_with(&key.id)) {
        Some(made) if relation == RequesterRelation::Asked => Error::forbidden(format!(
            "this key made delegation {made:?}, which approval {id:?} rests on, so it cannot decide it; have another \
             key decide, and agents delegate with their own keys"
        )),
        _ => own_request(id, relation),
    }
}

/// Says why a key of the requester does not decide, and how an approver comes to.
fn own_request(id: &str, relation: RequesterRelation) -> Error {
    const OWN_KEY: &str = "give the agent a key of its own to ask with (role `agent`)";
    Error::forbidden(match relation {
        RequesterRelation::Asked => format!(
            "this key asked for approval {id:?}, or is bound to its agent or to one for which that acts, so it \
             cannot decide it; {OWN_KEY}, or have another person's operator key decide"
        ),
        RequesterRelation::Made => format!(
            "this key comes from one that asked for approval {id:?}, or that issued the token or made the delegation \
             for it, so it cannot decide it; {OWN_KEY}, or have a key decide that was not made with the one that asked"
        ),
        RequesterRelation::Owned => format!(
            "this key is of one owner with another that asked for approval {id:?}, issued the token for it, or is bound \
             to its agent or to one for which that acts, so it cannot decide it; have the key of another owner decide, \
             or {OWN_KEY}, of an owner of its own"
        ),
    })
}

/// Shows the approver an input, if it is what the digest of the approval commits to. `r` opens the digest; it is
/// not kept. `begin` is called once only the store can refuse.
///
/// # Errors
///
/// Not found; invalid for another input; conflict for an approval that is bound to none or not pending.
pub(crate) async fn disclose(
    engine: &Engine,
    reach: Reach<'_>,
    id: &str,
    (input, r): (Value, String),
    begin: impl FnOnce(),
) -> Result<(), Error> {
    let approval = find(engine, reach, id).await?;
    let Some(expected) = &approval.input_digest else {
        return Err(Error::conflict(format!(
            "approval {id:?} is not bound to an input, so it has no input to show"
        )));
    };
    check_input("input", &input)?;
    if !digest::opens(expected, &r, &input) {
        return Err(Error::invalid("input", "is not what the approval's digest commits to"));
    }
    begin();
    let text = serde_json::to_string(&input)
        .map_err(|error| Error::invalid("input", format!("cannot be kept: {error}")))?;
    if !engine.store.set_approval_input(id.to_owned(), text, engine.clock.now()).await? {
        return Err(Error::conflict(format!(
            "approval {id:?} is not pending any more, so its input is not needed"
        )));
    }
    Ok(())
}
