//! The table of approvals: opening one, finding the one that a check falls under, and using it.
//!
//! One transaction decides what a held check gets, so that two of them at once cannot open two
//! approvals or use one twice.

use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::model::{AgentStatus, Approval, ApprovalStatus, BoundTo};
use sqlx::FromRow;

use super::budgets::{self, Charge, Spent};
use super::changes::{Kind, note};
use super::db::{Target, query};
use super::{Store, StoreError, Transaction, from_json, from_micros, unreadable};

/// How many approvals of one agent may be pending at once.
const PENDING_MOST: i64 = 20;
/// This many denials for one agent and tool ...
const DENIALS_MOST: i64 = 3;
/// ... within this time, and no more approvals are opened.
const DENIALS_WITHIN: Duration = Duration::from_secs(600);

/// The number of votes that count for the approval `$approval`. That of a revoked key does not. Nor
/// does, unless `$own` is true, that of a key that approved first and asked afterwards.
macro_rules! votes {
    ($approval:literal, $own:literal) => {
        concat!(
            "(SELECT COUNT(*) FROM approval_votes v WHERE v.approval_id = ",
            $approval,
            // The key of this process's own client is in no table, and is never revoked.
            " AND NOT EXISTS (SELECT 1 FROM keys k WHERE k.id = v.key_id AND k.revoked_at IS NOT NULL) \
             AND (",
            $own,
            " OR NOT EXISTS (SELECT 1 FROM approval_askers a \
             WHERE a.approval_id = v.approval_id AND a.key_id = v.key_id)))"
        )
    };
}
pub(super) use votes;

macro_rules! columns {
    ($input:literal, $own:literal) => {
        concat!(
            "id, org_id, agent_id, session_id, tool, effect, bound_to, bound_value, summary, reason, \
             status, quorum, window_micros, single_use, created_at, expires_at, decided_at, \
             decided_by, decided_by_key, ",
            $input,
            " AS input, ",
            votes!("approvals.id", $own),
            " AS votes"
        )
    };
}

const INSERT: &str = "INSERT INTO approvals (id, org_id, agent_id, session_id, tool, effect, \
                      bound_to, bound_value, summary, reason, status, quorum, window_micros, \
                      single_use, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, \
                      $9, $10, 'pending', $11, $12, $13, $14, $15)";
const ADD_ASKER: &str = "INSERT INTO approval_askers (approval_id, key_id) VALUES ($1, $2) \
                         ON CONFLICT (approval_id, key_id) DO NOTHING";
const STANDING: &str = "SELECT status FROM agents WHERE id = $1";
const EXPIRE_SAME: &str = "UPDATE approvals SET status = 'expired', input = NULL \
                           WHERE org_id = $1 AND agent_id = $2 AND session_id = $3 AND tool = $4 \
                           AND effect = $5 AND bound_to = $6 AND bound_value = $7 \
                           AND status IN ('pending', 'approved') AND expires_at <= $8";
// A denied one comes first, because deny beats everything; then one that can be used. What policy
// demands now counts as well as what it demanded then: one approved with a smaller quorum, or longer
// ago than the window that is wanted now, is passed over.
const FIND_SAME: &str = concat!(
    "SELECT ",
    columns!("input", "$11"),
    " FROM approvals WHERE org_id = $1 AND agent_id = $2 AND session_id = $3 AND tool = $4 \
     AND effect = $5 AND bound_to = $6 AND bound_value = $7 AND expires_at > $8 \
     AND (status IN ('pending', 'denied') \
     OR (status = 'approved' AND quorum >= $9 AND decided_at > $8 - $10)) \
     ORDER BY CASE status WHEN 'denied' THEN 0 WHEN 'approved' THEN 1 ELSE 2 END, created_at DESC \
     LIMIT 1"
);
const COUNT_PENDING: &str = "SELECT COUNT(*) FROM approvals WHERE agent_id = $1 \
                             AND status = 'pending' AND expires_at > $2";
const COUNT_DENIED: &str = "SELECT COUNT(*) FROM approvals WHERE agent_id = $1 AND tool = $2 \
                            AND status = 'denied' AND decided_at > $3";
// The conditions are repeated here on purpose: this one statement is what makes one use one use.
const CONSUME: &str = "UPDATE approvals SET status = 'consumed', uses = uses + 1, \
                       used_by_check = $2, used_at = $3 \
                       WHERE id = $1 AND status = 'approved' AND expires_at > $3";
const USE: &str = "UPDATE approvals SET uses = uses + 1, used_by_check = $2, used_at = $3 \
                   WHERE id = $1 AND status = 'approved' AND expires_at > $3";
const BY_ID: &str =
    concat!("SELECT ", columns!("input", "$3"), " FROM approvals WHERE id = $1 AND org_id = $2");
const IS_ASKER: &str =
    "SELECT COUNT(*) FROM approval_askers WHERE approval_id = $1 AND key_id = $2";
// Without the inputs: one that is huge must not hide the others from the approver.
const LIST: &str = concat!(
    "SELECT ",
    columns!("NULL", "$4"),
    " FROM approvals WHERE org_id = $1 AND ($2 IS NULL OR agent_id = $2) \
     AND ($3 IS NULL OR status = $3) ORDER BY created_at DESC, id DESC LIMIT 1000"
);
const SET_INPUT: &str = "UPDATE approvals SET input = $2 \
                         WHERE id = $1 AND status = 'pending' AND expires_at > $3";
const EXPIRED_AT: &str =
    "SELECT id FROM approvals WHERE agent_id = $1 AND status = 'expired' AND expires_at = $2";
const LAPSED: &str = "SELECT id, org_id, agent_id FROM approvals \
                      WHERE status IN ('pending', 'approved') AND expires_at <= $1 LIMIT 1000";
const EXPIRE: &str = "UPDATE approvals SET status = 'expired', input = NULL \
                      WHERE id = $1 AND status IN ('pending', 'approved') AND expires_at <= $2";

/// What a held check asks to have approved, and what the approval is bound to.
#[derive(Clone, Debug)]
pub(crate) struct NewApproval {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) agent_id: String,
    pub(crate) session_id: String,
    pub(crate) tool: String,
    pub(crate) effect: &'static str,
    pub(crate) bound_to: BoundTo,
    pub(crate) bound_value: String,
    pub(crate) summary: Option<String>,
    pub(crate) reason: String,
    pub(crate) quorum: u32,
    pub(crate) window: Duration,
    pub(crate) single_use: bool,
    pub(crate) expires_at: Timestamp,
}

/// A held check: who asks, under which name, and when.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) approval: NewApproval,
    pub(crate) asker: String,
    pub(crate) check_id: String,
    pub(crate) now: Timestamp,
    /// What it counts towards once it is approved, ...
    pub(crate) charges: Vec<Charge>,
    /// ... and when, by the clock of the budgets.
    pub(crate) charged_at: Timestamp,
}

/// What a held check gets.
#[derive(Clone, Debug)]
pub(crate) enum Settled {
    /// A new approval was opened.
    Opened(ApprovalRow),
    /// One was pending already.
    Waiting(ApprovalRow),
    /// One was approved, and this check has used it.
    Used(ApprovalRow),
    /// One was denied, and the denial still holds.
    Denied(ApprovalRow),
    /// One was approved and is not used: the call has no room in a budget.
    OutOfBudget(Spent),
    /// The agent lost its standing while it asked.
    Inactive,
    /// The agent has as many pending as it may have.
    TooManyPending,
    /// This tool was denied to this agent too often of late.
    TooManyDenials,
}

/// Which approvals to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApprovalFilter {
    pub(crate) status: Option<ApprovalStatus>,
    pub(crate) agent_id: Option<String>,
}

/// One approval as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct ApprovalRow {
    pub(crate) approval: Approval,
    pub(crate) quorum: u32,
    pub(crate) window: Duration,
    pub(crate) single_use: bool,
}

#[derive(FromRow)]
pub(super) struct Raw {
    id: String,
    org_id: String,
    agent_id: String,
    session_id: String,
    tool: String,
    effect: String,
    bound_to: String,
    bound_value: String,
    summary: Option<String>,
    reason: String,
    status: String,
    quorum: i64,
    window_micros: i64,
    single_use: bool,
    created_at: i64,
    expires_at: i64,
    decided_at: Option<i64>,
    decided_by: Option<String>,
    decided_by_key: Option<String>,
    input: Option<String>,
    votes: i64,
}

impl Raw {
    /// The row as it stands at `now`: what lapsed is expired, swept or not.
    pub(super) fn at(self, now: Timestamp) -> Result<ApprovalRow, sqlx::Error> {
        let expires_at = from_micros("expires_at", self.expires_at)?;
        let bound_to = BoundTo::from_word(&self.bound_to)
            .ok_or_else(|| unreadable("bound_to", "not what an approval is bound to"))?;
        let status = match ApprovalStatus::from_word(&self.status) {
            Some(ApprovalStatus::Pending | ApprovalStatus::Approved) if expires_at <= now => {
                ApprovalStatus::Expired
            }
            Some(status) => status,
            None => return Err(unreadable("status", "not the status of an approval")),
        };
        let quorum = u32::try_from(self.quorum).map_err(|error| unreadable("quorum", error))?;
        let mut approval = Approval::default();
        approval.id = self.id;
        approval.session_id = self.session_id;
        approval.agent_id = self.agent_id;
        approval.org_id = self.org_id;
        approval.action_name = self.tool;
        approval.action_effect = self.effect;
        approval.status = status;
        approval.created_at = Some(from_micros("created_at", self.created_at)?);
        approval.expires_at = Some(expires_at);
        approval.decided_by = self.decided_by;
        approval.decided_by_key = self.decided_by_key;
        approval.decided_at =
            self.decided_at.map(|at| from_micros("decided_at", at)).transpose()?;
        approval.reason = Some(self.reason);
        approval.action_input_summary = self.summary;
        approval.bound_to = bound_to;
        approval.input_digest = (bound_to == BoundTo::Input).then_some(self.bound_value);
        // What was disclosed is for the person who decides, and for no longer.
        approval.input = match (status, self.input) {
            (ApprovalStatus::Pending, Some(input)) => Some(from_json("input", &input)?),
            _ => None,
        };
        approval.quorum = Some(quorum);
        approval.approvals = Some(u32::try_from(self.votes).unwrap_or(u32::MAX));
        Ok(ApprovalRow {
            approval,
            quorum,
            window: Duration::from_micros(self.window_micros.unsigned_abs()),
            single_use: self.single_use,
        })
    }
}

impl Store {
    /// Finds or opens the approval that a held check falls under, and uses it if it is approved.
    pub(crate) async fn settle(&self, held: Held) -> Result<Settled, StoreError> {
        let own_votes = self.own_votes;
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            // Two checks at once must not open two approvals, or use one twice.
            transaction.lock(&held.approval.agent_id).await?;
            let (now, charged_at) = (held.now, held.charged_at);
            let charges = held.charges.clone();
            let settled = settle(&mut transaction, held, own_votes).await?;
            if let Settled::Used(_) = &settled
                && let Some(spent) = budgets::take(&mut transaction, charges, charged_at).await?
            {
                // Nothing is committed, so the approval stays as it was.
                return Ok(Settled::OutOfBudget(spent));
            }
            if let Settled::Opened(row) | Settled::Used(row) = &settled {
                let approval = &row.approval;
                note(&mut transaction, Kind::Approval, &approval.org_id, &approval.id, now).await?;
            }
            transaction.commit().await?;
            Ok(settled)
        })
        .await
    }

    /// One approval of this organisation.
    pub(crate) async fn approval(
        &self,
        id: String,
        org_id: String,
        now: Timestamp,
    ) -> Result<Option<ApprovalRow>, StoreError> {
        let own_votes = self.own_votes;
        self.run(move |db| async move { find(&db, &id, &org_id, own_votes, now).await }).await
    }

    /// Whether this key asked under this approval.
    pub(crate) async fn is_asker(&self, id: String, key_id: String) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let (asked,): (i64,) = query(IS_ASKER).bind(id).bind(key_id).fetch_one(&db).await?;
            Ok(asked > 0)
        })
        .await
    }

    /// The approvals of this organisation that pass the filter, newest first, at most 1,000; without
    /// disclosed inputs.
    pub(crate) async fn approvals(
        &self,
        org_id: String,
        filter: ApprovalFilter,
        now: Timestamp,
    ) -> Result<Vec<Approval>, StoreError> {
        let own_votes = self.own_votes;
        self.run(move |db| async move {
            let rows: Vec<Raw> = query(LIST)
                .bind(org_id)
                .bind(filter.agent_id)
                .bind(filter.status.map(ApprovalStatus::as_str))
                .bind(own_votes)
                .fetch_all(&db)
                .await?;
            let mut approvals = Vec::with_capacity(rows.len());
            for row in rows {
                let approval = row.at(now)?.approval;
                if filter.status.is_none_or(|status| status == approval.status) {
                    approvals.push(approval);
                }
            }
            Ok(approvals)
        })
        .await
    }

    /// Keeps a disclosed input beside a pending approval; `false` when it is not pending any more.
    pub(crate) async fn set_approval_input(
        &self,
        id: String,
        input: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let done =
                query(SET_INPUT).bind(id).bind(input).bind(now.unix_micros()).execute(&db).await?;
            Ok(done == 1)
        })
        .await
    }

    /// The approvals of this agent that its revocation at `now` expired.
    pub(crate) async fn approvals_expired_at(
        &self,
        agent_id: String,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        self.run(move |db| async move {
            let ids: Vec<(String,)> =
                query(EXPIRED_AT).bind(agent_id).bind(now.unix_micros()).fetch_all(&db).await?;
            Ok(ids.into_iter().map(|(id,)| id).collect())
        })
        .await
    }

    /// Marks what has lapsed by `now` as expired and drops disclosed inputs; returns id,
    /// organisation and agent of each.
    pub(crate) async fn expire_approvals(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(String, String, String)>, StoreError> {
        self.run(move |db| async move {
            let at = now.unix_micros();
            let lapsed: Vec<(String, String, String)> =
                query(LAPSED).bind(at).fetch_all(&db).await?;
            if lapsed.is_empty() {
                return Ok(lapsed);
            }
            let mut transaction = db.begin().await?;
            let mut expired = Vec::with_capacity(lapsed.len());
            for row in lapsed {
                let done = query(EXPIRE).bind(&row.0).bind(at).execute(&mut transaction).await?;
                if done == 1 {
                    expired.push(row);
                }
            }
            for (id, org_id, _) in &expired {
                note(&mut transaction, Kind::Approval, org_id, id, now).await?;
            }
            transaction.commit().await?;
            Ok(expired)
        })
        .await
    }
}

pub(super) async fn find<'t>(
    on: impl Into<Target<'t>>,
    id: &str,
    org_id: &str,
    own_votes: bool,
    now: Timestamp,
) -> Result<Option<ApprovalRow>, sqlx::Error> {
    let row: Option<Raw> =
        query(BY_ID).bind(id).bind(org_id).bind(own_votes).fetch_optional(on).await?;
    row.map(|row| row.at(now)).transpose()
}

async fn settle(
    transaction: &mut Transaction,
    held: Held,
    own_votes: bool,
) -> Result<Settled, sqlx::Error> {
    let Held { approval: wanted, asker, check_id, now, .. } = held;
    let at = now.unix_micros();
    // Memory may not know yet. Who is revoked gets nothing more, and nobody is asked in vain.
    let (standing,): (String,) =
        query(STANDING).bind(&wanted.agent_id).fetch_one(&mut *transaction).await?;
    if standing != AgentStatus::Active.as_str() {
        return Ok(Settled::Inactive);
    }
    query(EXPIRE_SAME)
        .bind(&wanted.org_id)
        .bind(&wanted.agent_id)
        .bind(&wanted.session_id)
        .bind(&wanted.tool)
        .bind(wanted.effect)
        .bind(wanted.bound_to.as_str())
        .bind(&wanted.bound_value)
        .bind(at)
        .execute(&mut *transaction)
        .await?;
    let same: Option<Raw> = query(FIND_SAME)
        .bind(&wanted.org_id)
        .bind(&wanted.agent_id)
        .bind(&wanted.session_id)
        .bind(&wanted.tool)
        .bind(wanted.effect)
        .bind(wanted.bound_to.as_str())
        .bind(&wanted.bound_value)
        .bind(at)
        .bind(i64::from(wanted.quorum))
        .bind(micros(wanted.window))
        .bind(own_votes)
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(row) = same else {
        return open(transaction, wanted, asker, own_votes, now).await;
    };
    let row = row.at(now)?;
    match row.approval.status {
        ApprovalStatus::Pending => {
            query(ADD_ASKER).bind(&row.approval.id).bind(asker).execute(&mut *transaction).await?;
            Ok(Settled::Waiting(row))
        }
        ApprovalStatus::Approved => {
            let once = row.single_use || wanted.single_use;
            let done = query(if once { CONSUME } else { USE })
                .bind(&row.approval.id)
                .bind(check_id)
                .bind(at)
                .execute(&mut *transaction)
                .await?;
            if done == 1 {
                Ok(Settled::Used(row))
            } else {
                Err(unreadable("status", "an approval changed inside its own transaction"))
            }
        }
        _ => Ok(Settled::Denied(row)),
    }
}

async fn open(
    transaction: &mut Transaction,
    wanted: NewApproval,
    asker: String,
    own_votes: bool,
    now: Timestamp,
) -> Result<Settled, sqlx::Error> {
    let since = now.unix_micros().saturating_sub(micros(DENIALS_WITHIN));
    let (denials,): (i64,) = query(COUNT_DENIED)
        .bind(&wanted.agent_id)
        .bind(&wanted.tool)
        .bind(since)
        .fetch_one(&mut *transaction)
        .await?;
    if denials >= DENIALS_MOST {
        return Ok(Settled::TooManyDenials);
    }
    let (pending,): (i64,) = query(COUNT_PENDING)
        .bind(&wanted.agent_id)
        .bind(now.unix_micros())
        .fetch_one(&mut *transaction)
        .await?;
    if pending >= PENDING_MOST {
        return Ok(Settled::TooManyPending);
    }
    let (id, org_id) = (wanted.id.clone(), wanted.org_id.clone());
    query(INSERT)
        .bind(wanted.id)
        .bind(wanted.org_id)
        .bind(wanted.agent_id)
        .bind(wanted.session_id)
        .bind(wanted.tool)
        .bind(wanted.effect)
        .bind(wanted.bound_to.as_str())
        .bind(wanted.bound_value)
        .bind(wanted.summary)
        .bind(wanted.reason)
        .bind(i64::from(wanted.quorum))
        .bind(micros(wanted.window))
        .bind(wanted.single_use)
        .bind(now.unix_micros())
        .bind(wanted.expires_at.unix_micros())
        .execute(&mut *transaction)
        .await?;
    query(ADD_ASKER).bind(&id).bind(asker).execute(&mut *transaction).await?;
    match find(&mut *transaction, &id, &org_id, own_votes, now).await? {
        Some(row) => Ok(Settled::Opened(row)),
        None => Err(sqlx::Error::RowNotFound),
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
