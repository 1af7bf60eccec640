//! The table of approvals: what a row holds, and one of them.
//!
//! What becomes of them has a room each: held checks open and use them, people decide them, time ends
//! them, and reports say how it went.

mod deciding;
mod ending;
mod listing;
mod outcomes;
mod requester;
mod settling;
mod waiting;

use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::model::{Approval, ApprovalStatus, Approver};

pub(crate) use self::deciding::{Decided, Vote};
pub(super) use self::ending::withdraw;
pub(crate) use self::listing::ApprovalFilter;
pub(super) use self::outcomes::settle_outcomes;
pub(crate) use self::requester::RequesterRelation;
use self::requester::votes;
pub(crate) use self::settling::{HeldCheck, NewApproval, Settled, Unused};
use super::db::{Target, query};
use super::row::from_row;
use super::{Store, StoreError, from_json, from_micros, unreadable};

/// The columns of a row, its input as `$input`, and the votes that count for it.
macro_rules! columns {
    ($input:literal, $own:literal) => {
        concat!(
            "id, org_id, agent_id, session_id, tool, effect, bound_to, bound_value, summary, reason, \
             status, quorum, window_micros, single_use, created_at, expires_at, decided_at, \
             decided_by, decided_by_key, scopes, uses, used_by_check, used_at, succeeded, \
             outcome_at, decision_reason, on_behalf_of, \
             (SELECT name FROM agents WHERE agents.id = approvals.agent_id) AS agent_name, ",
            $input,
            " AS input, input IS NOT NULL AS input_shown, ",
            votes!("approvals.id", $own),
            " AS votes"
        )
    };
}
use columns;

const BY_ID: &str =
    concat!("SELECT ", columns!("input", "$3"), " FROM approvals WHERE id = $1 AND org_id = $2");
const IS_ASKER: &str =
    "SELECT COUNT(*) FROM approval_askers WHERE approval_id = $1 AND key_id = $2";
const APPROVERS: &str = "SELECT key_id, decided_by FROM approval_votes WHERE approval_id = $1 \
                         ORDER BY voted_at, key_id";
const SET_INPUT: &str = "UPDATE approvals SET input = $2 \
                         WHERE id = $1 AND status = 'pending' AND expires_at > $3";

/// An approval as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct ApprovalRow {
    pub(crate) approval: Approval,
    pub(crate) quorum: u32,
    pub(crate) window: Duration,
    pub(crate) single_use: bool,
    pub(crate) uses: i64,
}

from_row! {
    struct Raw {
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
        scopes: String,
        uses: i64,
        used_by_check: Option<String>,
        used_at: Option<i64>,
        succeeded: Option<bool>,
        outcome_at: Option<i64>,
        decision_reason: Option<String>,
        on_behalf_of: Option<String>,
        agent_name: Option<String>,
        input: Option<String>,
        input_shown: bool,
        votes: i64,
    }
}

impl Raw {
    /// Returns the row as it stands at `now`: what lapsed is expired, swept or not.
    fn at(self, now: Timestamp) -> Result<ApprovalRow, sqlx::Error> {
        let expires_at = from_micros("expires_at", self.expires_at)?;
        let bound_to = self
            .bound_to
            .parse()
            .map_err(|_| unreadable("bound_to", "not what an approval is bound to"))?;
        let status = match self.status.parse().ok() {
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
        approval.decision_reason = self.decision_reason;
        approval.decided_at =
            self.decided_at.map(|at| from_micros("decided_at", at)).transpose()?;
        approval.scopes = from_json("scopes", &self.scopes)?;
        approval.used_by_check = self.used_by_check;
        approval.used_at = self.used_at.map(|at| from_micros("used_at", at)).transpose()?;
        approval.succeeded = self.succeeded;
        approval.outcome_at =
            self.outcome_at.map(|at| from_micros("outcome_at", at)).transpose()?;
        approval.reason = Some(self.reason);
        approval.action_input_summary = self.summary;
        approval.bound_to = bound_to;
        approval.input_digest = bound_to.is_digest().then_some(self.bound_value);
        approval.agent_name = self.agent_name;
        let on_behalf_of = self.on_behalf_of.map(|agents| from_json("on_behalf_of", &agents));
        approval.on_behalf_of = on_behalf_of.transpose()?.unwrap_or_default();
        // What was disclosed is for the person who decides, and for no longer.
        let is_pending = status == ApprovalStatus::Pending;
        let input = self.input.filter(|_| is_pending);
        approval.input = input.map(|input| from_json("input", &input)).transpose()?;
        approval.input_shown = (is_pending && bound_to.is_digest()).then_some(self.input_shown);
        approval.quorum = Some(quorum);
        approval.approvals = Some(u32::try_from(self.votes).unwrap_or(u32::MAX));
        Ok(ApprovalRow {
            approval,
            quorum,
            window: Duration::from_micros(self.window_micros.unsigned_abs()),
            single_use: self.single_use,
            uses: self.uses,
        })
    }
}

impl Store {
    /// Returns one approval of this organisation.
    pub(crate) async fn approval(
        &self,
        id: String,
        org_id: String,
        now: Timestamp,
    ) -> Result<Option<ApprovalRow>, StoreError> {
        let own_votes = self.own_votes;
        self.run(move |db| async move { find(&db, &id, &org_id, own_votes, now).await }).await
    }

    /// Returns whether this key asked under this approval.
    pub(crate) async fn is_asker(&self, id: String, key_id: String) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let (asked,): (i64,) = query(IS_ASKER).bind(id).bind(key_id).fetch_one(&db).await?;
            Ok(asked > 0)
        })
        .await
    }

    /// Returns the approvers that voted for this approval, in their order.
    pub(crate) async fn approvers(&self, id: String) -> Result<Vec<Approver>, StoreError> {
        self.run(move |db| async move {
            let rows: Vec<(String, Option<String>)> =
                query(APPROVERS).bind(id).fetch_all(&db).await?;
            Ok(rows.into_iter().map(|(key_id, name)| Approver::new(key_id, name)).collect())
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
}

async fn find<'t>(
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

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
