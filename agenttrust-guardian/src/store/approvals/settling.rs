//! What a held check gets: the approval that it falls under, or a new one.
//!
//! One transaction decides it, so that two of them at once cannot open two approvals or use one twice.

use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::model::{AgentStatus, ApprovalStatus, BoundTo, Delegator};

use super::super::budgets::{self, Charge, Spent};
use super::super::changes::{Kind, append_change};
use super::super::db::{Statement, Target, query};
use super::super::row::from_row;
use super::super::{Transaction, outbox, to_json, unreadable};
use super::requester::votes;
use super::{ApprovalRow, Raw, Store, StoreError, columns, find, micros};
use crate::domain::{Elevating, Event, Fingerprint, Unserved};

/// The number of approvals of one agent that may be pending at once.
const PENDING_MOST: i64 = 20;
/// The number of denials for one agent and tool ...
const DENIALS_MOST: i64 = 3;
/// ... within this time, and no more approvals are opened. For as long those count as pending that were cancelled.
const DENIALS_WITHIN: Duration = Duration::from_secs(600);

const INSERT: &str = "INSERT INTO approvals (id, org_id, agent_id, session_id, tool, effect, \
                      scopes, scopes_hash, bound_to, bound_value, summary, reason, status, quorum, \
                      window_micros, single_use, created_at, expires_at, key_id, input, on_behalf_of, \
                      task_message) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'pending', $13, $14, \
                      $15, $16, $17, $18, $19, $20, $21)";
const ADD_ASKER: &str = "INSERT INTO approval_askers (approval_id, key_id) VALUES ($1, $2) \
                         ON CONFLICT (approval_id, key_id) DO NOTHING";
// Whoever asks has asked, also where it approved before: its own vote then counts no more.
const ADD_ASKER_TO_SAME: &str = "INSERT INTO approval_askers (approval_id, key_id) \
                                 SELECT id, $10 FROM approvals \
                                 WHERE org_id = $1 AND agent_id = $2 AND session_id = $3 \
                                 AND tool = $4 AND bound_to = $5 AND bound_value = $6 \
                                 AND effect = $7 AND scopes_hash = $8 AND expires_at > $9 \
                                 AND status IN ('pending', 'approved') \
                                 ON CONFLICT (approval_id, key_id) DO NOTHING";
const STANDING: &str = "SELECT status FROM agents WHERE id = $1";
const EXPIRE_SAME: &str = "UPDATE approvals SET status = 'expired', input = NULL \
                           WHERE org_id = $1 AND agent_id = $2 AND session_id = $3 AND tool = $4 \
                           AND bound_to = $5 AND bound_value = $6 AND effect = $7 \
                           AND scopes_hash = $8 \
                           AND status IN ('pending', 'approved') AND expires_at <= $9";
// Whatever effect and scopes were denied: who was told no must not get another hearing by calling the
// same thing by another name.
const FIND_DENIED: &str = concat!(
    "SELECT ",
    columns!("NULL", "$8"),
    " FROM approvals WHERE org_id = $1 AND agent_id = $2 AND session_id = $3 AND tool = $4 \
     AND bound_to = $5 AND bound_value = $6 AND status = 'denied' AND expires_at > $7 \
     ORDER BY created_at DESC, id DESC LIMIT 1"
);
// One that can be used comes first. What policy demands now counts as well as what it demanded then: one
// approved with a smaller quorum, or longer ago than the window that is wanted now, is passed over. So
// is one that too few keys which still work have approved. And one that a message of a task asked for is
// that message's own, or who cancelled it would find it approved for the next one like it.
const FIND_SAME: &str = concat!(
    "SELECT ",
    columns!("input", "$12"),
    " FROM approvals WHERE org_id = $1 AND agent_id = $2 AND session_id = $3 AND tool = $4 \
     AND bound_to = $5 AND bound_value = $6 AND effect = $7 AND scopes_hash = $8 \
     AND expires_at > $9 AND task_message = $13 \
     AND (status = 'pending' \
     OR (status = 'approved' AND quorum >= $10 AND decided_at > $9 - $11 AND ",
    votes!("approvals.id", "$12"),
    " >= quorum)) \
     ORDER BY CASE status WHEN 'approved' THEN 0 ELSE 1 END, created_at DESC, id DESC LIMIT 1"
);
// One that was approved for the same agent and tool, and for something else of the call.
const FIND_UNUSED: &str = "SELECT id, session_id, bound_to, bound_value, effect, scopes_hash, key_id, \
                           task_message FROM approvals WHERE org_id = $1 AND agent_id = $2 AND tool = $3 \
                           AND status = 'approved' AND uses = 0 AND expires_at > $4 \
                           ORDER BY decided_at DESC, id DESC LIMIT 1";
// The same, denied to an agent for which another one asks now: in whichever session that was.
const FIND_DENIED_TO_GIVER: &str = "SELECT id FROM approvals WHERE org_id = $1 AND agent_id = $2 AND tool = $3 \
                                    AND bound_to = $4 AND bound_value = $5 AND status = 'denied' \
                                    AND expires_at > $6 ORDER BY created_at DESC, id DESC LIMIT 1";
// One that was cancelled has been before people as well: it counts for as long as a denial does.
const COUNT_PENDING: &str = "SELECT COUNT(*) FROM approvals WHERE agent_id = $1 \
                             AND ((status = 'pending' AND expires_at > $2) OR (status = 'expired' \
                             AND bound_to = 'evaluation' AND decision_reason IS NOT NULL AND expires_at > $3))";
const COUNT_DENIED: &str = "SELECT COUNT(*) FROM approvals WHERE agent_id = $1 AND tool = $2 \
                            AND status = 'denied' AND decided_at > $3";
// The conditions are repeated here on purpose: this one statement is what makes one use one use.
const CONSUME: &str = "UPDATE approvals SET status = 'consumed', uses = uses + 1, \
                       used_by_check = $2, used_at = $3, succeeded = NULL, outcome_at = NULL \
                       WHERE id = $1 AND status = 'approved' AND expires_at > $3";
const USE: &str = "UPDATE approvals SET uses = uses + 1, used_by_check = $2, used_at = $3, \
                   succeeded = NULL, outcome_at = NULL \
                   WHERE id = $1 AND status = 'approved' AND expires_at > $3";
const LET_MESSAGE_GO: &str = "UPDATE task_messages SET approved_by = $2 WHERE id = $1";
/// The approval that a held check asks for, and what it is bound to.
#[derive(Clone, Debug)]
pub(crate) struct NewApproval {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) agent_id: String,
    pub(crate) session_id: String,
    pub(crate) tool: String,
    pub(crate) effect: &'static str,
    /// The scopes in their order, each once, so that the same set is the same list.
    pub(crate) scopes: Vec<String>,
    pub(crate) bound_to: BoundTo,
    pub(crate) bound_value: String,
    /// The name of the key that the digest was made under.
    pub(crate) key_id: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) reason: String,
    /// The agents for which the agent asks, the nearest first.
    pub(crate) on_behalf_of: Vec<Delegator>,
    pub(crate) quorum: u32,
    pub(crate) window: Duration,
    pub(crate) single_use: bool,
    pub(crate) expires_at: Timestamp,
    /// The input that the approver is shown from the beginning, as JSON.
    pub(crate) input: Option<String>,
}

impl NewApproval {
    /// Binds who asks for what, from `$1` to `$6`.
    fn bind(&self, sql: &'static str) -> Statement {
        query(sql)
            .bind(&self.org_id)
            .bind(&self.agent_id)
            .bind(&self.session_id)
            .bind(&self.tool)
            .bind(self.bound_to.as_str())
            .bind(&self.bound_value)
    }

    /// Binds what [`bind`](Self::bind) does, then effect and scopes as `$7` and `$8`.
    fn bind_exactly(&self, sql: &'static str) -> Statement {
        self.bind(sql).bind(self.effect).bind(self.scopes_hash())
    }

    /// Returns the agent that asks, and those for which it does.
    fn agents(&self) -> impl Iterator<Item = &str> {
        let givers = self.on_behalf_of.iter().map(|giver| giver.agent_id.as_str());
        std::iter::once(self.agent_id.as_str()).chain(givers)
    }

    /// Returns what an index can hold of the scopes, however many they are.
    fn scopes_hash(&self) -> String {
        Fingerprint::from_text(&to_json(&self.scopes)).to_hex()
    }
}

/// An approval that lies unused, because it was given for something else.
#[derive(Clone, Debug)]
pub(crate) struct Unused {
    pub(crate) id: String,
    /// The differences from the check, in words that go on from "it is".
    pub(crate) differs: Vec<&'static str>,
}

from_row! {
    struct RawUnused {
        id: String,
        session_id: String,
        bound_to: String,
        bound_value: String,
        effect: String,
        scopes_hash: String,
        key_id: Option<String>,
        task_message: String,
    }
}

impl RawUnused {
    fn compared_with(self, wanted: &NewApproval, task_message: &str) -> Unused {
        // Of digests under two keys it cannot be told whether their inputs are the same.
        let keys = self.key_id.is_some() && wanted.key_id.is_some() && self.key_id != wanted.key_id;
        let bound_to = self.bound_to != wanted.bound_to.as_str();
        let input = bound_to || (!keys && self.bound_value != wanted.bound_value);
        let differs = [
            (self.session_id != wanted.session_id, "for another session"),
            (keys, "under another key of the guard"),
            (input, "for another input"),
            (self.effect != wanted.effect, "for another effect"),
            (self.scopes_hash != wanted.scopes_hash(), "for other scopes"),
            (self.task_message != task_message, "for another message"),
        ];
        let differs = differs.into_iter().filter_map(|(differs, word)| differs.then_some(word));
        Unused { id: self.id, differs: differs.collect() }
    }
}

/// A held check: the agent that asks, its name, and the time.
#[derive(Clone, Debug)]
pub(crate) struct HeldCheck {
    pub(crate) approval: NewApproval,
    pub(crate) askers: Vec<String>,
    pub(crate) check_id: String,
    pub(crate) now: Timestamp,
    /// The budgets that the call counts towards once it is approved, ...
    pub(crate) charges: Vec<Charge>,
    /// ... and when, by the clock of the budgets.
    pub(crate) charged_at: Timestamp,
    /// The message of a task that is checked: what it uses is kept with it, and serves no other.
    pub(crate) task_message: Option<String>,
    /// The way in which an evaluation of AuthZEN comes by an approval. Every other check uses the one that it falls
    /// under, or opens one.
    pub(crate) elevating: Option<Elevating>,
}

/// The result of settling a held check.
#[derive(Clone, Debug)]
pub(crate) enum Settled {
    /// A new approval was opened, although this other one lies unused.
    Opened(ApprovalRow, Option<Unused>),
    /// An approval was pending already.
    Waiting(ApprovalRow),
    /// An approval was given, and this check has used it.
    Used(ApprovalRow),
    /// An approval was given, and is not used by a request for one.
    Ready(ApprovalRow),
    /// The check needs an approval; with the reason why the one that was presented does not serve.
    Needed(Option<Unserved>),
    /// An approval was denied, and the denial still holds.
    Denied(ApprovalRow),
    /// No approval is opened or used: the call has no room in a budget.
    OutOfBudget(Spent),
    /// The agent lost its standing while it asked.
    Inactive,
    /// The agent has as many pending as it may have.
    TooManyPending,
    /// The tool was denied too often of late to this agent: the one that asks, or one for which it asks.
    TooManyDenials { agent_id: String },
    /// The approval was denied to an agent for which it asks, and the denial still holds.
    DeniedToGiver { approval_id: String, agent_id: String },
}

impl Store {
    /// Finds or opens the approval that a held check falls under, and uses it if it is approved.
    pub(crate) async fn settle(&self, held: HeldCheck) -> Result<Settled, StoreError> {
        let own_votes = self.own_votes;
        self.run(move |db| async move {
            // Who is only told reads, and waits for nobody: lists have many of these.
            if held.elevating == Some(Elevating::Told) {
                let refused = refused(Target::from(&db), &held, own_votes).await?;
                return Ok(refused.unwrap_or(Settled::Needed(None)));
            }
            let mut transaction = db.begin().await?;
            // Two checks at once must not open two approvals, or use one twice.
            transaction.lock(&held.approval.agent_id).await?;
            let (now, charged_at) = (held.now, held.charged_at);
            let charges = held.charges.clone();
            let message = held.task_message.clone();
            let settled = settle(&mut transaction, held, own_votes).await?;
            if let Settled::Used(_) = &settled
                && let Some(spent) = budgets::take(&mut transaction, charges, charged_at).await?
            {
                // Nothing is committed, so the approval stays as it was.
                return Ok(Settled::OutOfBudget(spent));
            }
            // Together: a message never loses an approval that it has used.
            if let (Settled::Used(row), Some(message)) = (&settled, message) {
                let go = query(LET_MESSAGE_GO).bind(message).bind(&row.approval.id);
                go.execute(&mut transaction).await?;
            }
            if let Settled::Opened(row, _) = &settled {
                outbox::enqueue(&mut transaction, Event::Pending, &row.approval, now).await?;
            }
            if let Settled::Opened(row, _) | Settled::Used(row) = &settled {
                let approval = &row.approval;
                append_change(
                    &mut transaction,
                    Kind::Approval,
                    &approval.org_id,
                    &approval.id,
                    now,
                )
                .await?;
            }
            transaction.commit().await?;
            Ok(settled)
        })
        .await
    }
}

async fn settle(
    transaction: &mut Transaction,
    held: HeldCheck,
    own_votes: bool,
) -> Result<Settled, sqlx::Error> {
    if let Some(refused) = refused(Target::from(&mut *transaction), &held, own_votes).await? {
        return Ok(refused);
    }
    let HeldCheck { approval: wanted, askers, check_id, now, task_message, elevating, .. } = held;
    let task_message = task_message.unwrap_or_default();
    let at = now.unix_micros();
    wanted.bind_exactly(EXPIRE_SAME).bind(at).execute(&mut *transaction).await?;
    for asker in &askers {
        let add = wanted.bind_exactly(ADD_ASKER_TO_SAME).bind(at).bind(asker);
        add.execute(&mut *transaction).await?;
    }
    let same = find_same(transaction, (&wanted, &task_message), own_votes, now).await?;
    if let Some(Elevating::Presented(id)) = &elevating
        && same.as_ref().is_none_or(|row| row.approval.id != *id || !is_approved(row))
    {
        let found = find(&mut *transaction, id, &wanted.org_id, own_votes, now).await?;
        return Ok(Settled::Needed(Some(unserved(found.as_ref(), &wanted))));
    }
    let Some(row) = same else {
        let wanted = (wanted, task_message);
        return open_approval(transaction, wanted, askers, own_votes, now).await;
    };
    if row.approval.status == ApprovalStatus::Pending {
        return Ok(Settled::Waiting(row));
    }
    if elevating == Some(Elevating::Requested) {
        return Ok(Settled::Ready(row));
    }
    let once = row.single_use || wanted.single_use;
    let used = query(if once { CONSUME } else { USE }).bind(&row.approval.id);
    match used.bind(check_id).bind(at).execute(&mut *transaction).await? {
        1 => Ok(Settled::Used(row)),
        _ => Err(unreadable("status", "an approval changed inside its own transaction")),
    }
}

fn is_approved(row: &ApprovalRow) -> bool {
    row.approval.status == ApprovalStatus::Approved
}

/// Returns why the approval that was presented does not serve what is `wanted`. An approval of another agent counts as
/// if it were not there.
fn unserved(found: Option<&ApprovalRow>, wanted: &NewApproval) -> Unserved {
    let own = found.map(|row| &row.approval).filter(|approval| {
        approval.agent_id == wanted.agent_id && approval.bound_to == wanted.bound_to
    });
    let Some(approval) = own else { return Unserved::Unverifiable };
    let is_the_same = approval.session_id == wanted.session_id
        && approval.action_name == wanted.tool
        && approval.action_effect == wanted.effect
        && approval.scopes == wanted.scopes
        && approval.input_digest.as_ref() == Some(&wanted.bound_value);
    match approval.status {
        ApprovalStatus::Pending | ApprovalStatus::Denied => Unserved::Unverifiable,
        _ if !is_the_same => Unserved::OutOfScope,
        _ => Unserved::Over,
    }
}

async fn open_approval(
    transaction: &mut Transaction,
    (wanted, task_message): (NewApproval, String),
    askers: Vec<String>,
    own_votes: bool,
    now: Timestamp,
) -> Result<Settled, sqlx::Error> {
    let since = now.unix_micros().saturating_sub(micros(DENIALS_WITHIN));
    for agent_id in wanted.agents() {
        let (denials,): (i64,) = query(COUNT_DENIED)
            .bind(agent_id)
            .bind(&wanted.tool)
            .bind(since)
            .fetch_one(&mut *transaction)
            .await?;
        if denials >= DENIALS_MOST {
            return Ok(Settled::TooManyDenials { agent_id: agent_id.to_owned() });
        }
    }
    let (pending,): (i64,) = query(COUNT_PENDING)
        .bind(&wanted.agent_id)
        .bind(now.unix_micros())
        .bind(since)
        .fetch_one(&mut *transaction)
        .await?;
    if pending >= PENDING_MOST {
        return Ok(Settled::TooManyPending);
    }
    let unused = find_unused(transaction, (&wanted, &task_message), now).await?;
    let (id, org_id) = (wanted.id.clone(), wanted.org_id.clone());
    let scopes_hash = wanted.scopes_hash();
    query(INSERT)
        .bind(wanted.id)
        .bind(wanted.org_id)
        .bind(wanted.agent_id)
        .bind(wanted.session_id)
        .bind(wanted.tool)
        .bind(wanted.effect)
        .bind(to_json(&wanted.scopes))
        .bind(scopes_hash)
        .bind(wanted.bound_to.as_str())
        .bind(wanted.bound_value)
        .bind(wanted.summary)
        .bind(wanted.reason)
        .bind(i64::from(wanted.quorum))
        .bind(micros(wanted.window))
        .bind(wanted.single_use)
        .bind(now.unix_micros())
        .bind(wanted.expires_at.unix_micros())
        .bind(wanted.key_id)
        .bind(wanted.input)
        .bind((!wanted.on_behalf_of.is_empty()).then(|| to_json(&wanted.on_behalf_of)))
        .bind(task_message)
        .execute(&mut *transaction)
        .await?;
    for asker in askers {
        query(ADD_ASKER).bind(&id).bind(asker).execute(&mut *transaction).await?;
    }
    match find(&mut *transaction, &id, &org_id, own_votes, now).await? {
        Some(row) => Ok(Settled::Opened(row, unused)),
        None => Err(sqlx::Error::RowNotFound),
    }
}

/// Returns what a held check gets for which no approval is opened or used, by what the database says. Changes nothing.
async fn refused(
    mut on: Target<'_>,
    held: &HeldCheck,
    own_votes: bool,
) -> Result<Option<Settled>, sqlx::Error> {
    if !is_active(on.again(), &held.approval.agent_id).await? {
        return Ok(Some(Settled::Inactive));
    }
    if let Some(denied) = denied(on.again(), &held.approval, own_votes, held.now).await? {
        return Ok(Some(denied));
    }
    // What a delegation lets through never comes back, so nobody is asked in vain.
    let of_delegations = held.charges.iter().filter(|charge| charge.delegation().is_some());
    let spent = budgets::spent(on, of_delegations.cloned(), held.charged_at).await?;
    Ok(spent.map(Settled::OutOfBudget))
}

/// Returns whether the agent may have anything approved. Memory may lag behind: a revoked agent gets nothing more, and
/// no approver is asked in vain.
async fn is_active(on: Target<'_>, agent_id: &str) -> Result<bool, sqlx::Error> {
    let (standing,): (String,) = query(STANDING).bind(agent_id).fetch_one(on).await?;
    Ok(standing == AgentStatus::Active.as_str())
}

/// Returns whether the same was denied, to the agent that asks or to one for which it does, and the denial holds.
async fn denied(
    mut on: Target<'_>,
    wanted: &NewApproval,
    own_votes: bool,
    now: Timestamp,
) -> Result<Option<Settled>, sqlx::Error> {
    let find = wanted.bind(FIND_DENIED).bind(now.unix_micros()).bind(own_votes);
    let denied: Option<Raw> = find.fetch_optional(on.again()).await?;
    match denied {
        Some(row) => Ok(Some(Settled::Denied(row.at(now)?))),
        None => denied_to_giver(on, wanted, now).await,
    }
}

/// Returns whether the same was denied to an agent for which it is asked: that one does not ask again through another.
/// It is not so the other way round, or an agent could take from those for which it acts what they may ask for.
async fn denied_to_giver(
    mut on: Target<'_>,
    wanted: &NewApproval,
    now: Timestamp,
) -> Result<Option<Settled>, sqlx::Error> {
    for giver in &wanted.on_behalf_of {
        let denied: Option<(String,)> = query(FIND_DENIED_TO_GIVER)
            .bind(&wanted.org_id)
            .bind(&giver.agent_id)
            .bind(&wanted.tool)
            .bind(wanted.bound_to.as_str())
            .bind(&wanted.bound_value)
            .bind(now.unix_micros())
            .fetch_optional(on.again())
            .await?;
        if let Some((approval_id,)) = denied {
            let agent_id = giver.agent_id.clone();
            return Ok(Some(Settled::DeniedToGiver { approval_id, agent_id }));
        }
    }
    Ok(None)
}

/// Returns the approval of just this, pending or approved.
async fn find_same(
    transaction: &mut Transaction,
    (wanted, task_message): (&NewApproval, &str),
    own_votes: bool,
    now: Timestamp,
) -> Result<Option<ApprovalRow>, sqlx::Error> {
    let find = wanted
        .bind_exactly(FIND_SAME)
        .bind(now.unix_micros())
        .bind(i64::from(wanted.quorum))
        .bind(micros(wanted.window))
        .bind(own_votes)
        .bind(task_message);
    let same: Option<Raw> = find.fetch_optional(&mut *transaction).await?;
    same.map(|row| row.at(now)).transpose()
}

async fn find_unused(
    transaction: &mut Transaction,
    (wanted, task_message): (&NewApproval, &str),
    now: Timestamp,
) -> Result<Option<Unused>, sqlx::Error> {
    let found: Option<RawUnused> = query(FIND_UNUSED)
        .bind(&wanted.org_id)
        .bind(&wanted.agent_id)
        .bind(&wanted.tool)
        .bind(now.unix_micros())
        .fetch_optional(&mut *transaction)
        .await?;
    Ok(found.map(|found| found.compared_with(wanted, task_message)))
}
