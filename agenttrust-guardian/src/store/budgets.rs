//! The table of budgets: how much of a policy's `@limit` is used up.
//!
//! A window begins with the first call that it lets through and has the length that the limit has now; when it
//! is over, the next call begins another. One transaction asks for all that a call counts towards and
//! uses up either all of it or nothing.

use std::time::Duration;

use agenttrust::Timestamp;

use super::db::{Target, query};
use super::{PRUNED_AT_ONCE, Store, StoreError, Transaction, from_micros};

// One statement, so that of two calls at once only one gets the last place. A window that began later than
// now, by the clock of another replica, is not over.
const TAKE: &str = "INSERT INTO budgets (policy, agent_id, session_id, opened_at, used) \
                    VALUES ($1, $2, $3, $4, 1) \
                    ON CONFLICT (policy, agent_id, session_id) DO UPDATE SET \
                    used = CASE WHEN budgets.opened_at <= $5 THEN 1 ELSE budgets.used + 1 END, \
                    opened_at = CASE WHEN budgets.opened_at <= $5 THEN $4 ELSE budgets.opened_at END \
                    WHERE budgets.opened_at <= $5 OR budgets.used < $6";
const OPENED: &str = "SELECT opened_at FROM budgets \
                      WHERE policy = $1 AND agent_id = $2 AND session_id = $3";
const USED_UP: &str = "SELECT opened_at FROM budgets WHERE policy = $1 AND agent_id = $2 AND session_id = $3 \
                       AND opened_at > $4 AND used >= $5";
const PRUNE: &str = "DELETE FROM budgets WHERE (policy, agent_id, session_id) IN \
                     (SELECT policy, agent_id, session_id FROM budgets WHERE opened_at < $1 \
                     ORDER BY opened_at LIMIT $2) AND opened_at < $1";

/// The name in the place of a policy where a delegation is what limits, whose id stands in the place of an agent's.
pub(super) const OF_DELEGATIONS: &str = "(delegation)";
/// The window of a delegation's budget, longer than any delegation lives.
const LONGER_THAN_ANY: Duration = Duration::from_secs(31 * 24 * 3_600);

/// A budget that a call counts towards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Charge {
    pub(crate) policy: String,
    pub(crate) agent_id: String,
    /// The session that is counted apart; empty where all calls of the agent are counted together.
    pub(crate) session_id: String,
    pub(crate) most: u32,
    pub(crate) within: Duration,
}

impl Charge {
    /// Creates a call that counts towards what a delegation lets through in all.
    pub(crate) fn of_delegation(id: &str, most: u32) -> Self {
        Self {
            policy: OF_DELEGATIONS.to_owned(),
            agent_id: id.to_owned(),
            session_id: String::new(),
            most,
            within: LONGER_THAN_ANY,
        }
    }

    /// Returns the delegation that it counts towards; `None` where it counts towards a limit of a policy.
    pub(crate) fn delegation(&self) -> Option<&str> {
        (self.policy == OF_DELEGATIONS).then_some(self.agent_id.as_str())
    }
}

/// A budget that is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) charge: Charge,
    /// The time until its window is over.
    pub(crate) opens_in: Duration,
}

/// Counts a call at `now` towards all of these. With `Some`, one had no room: roll the transaction back.
pub(super) async fn take(
    transaction: &mut Transaction,
    mut charges: Vec<Charge>,
    now: Timestamp,
) -> Result<Option<Spent>, sqlx::Error> {
    // In one order, so that two calls never wait for each other.
    charges.sort();
    for charge in charges {
        let within = i64::try_from(charge.within.as_micros()).unwrap_or(i64::MAX);
        let done = query(TAKE)
            .bind(&charge.policy)
            .bind(&charge.agent_id)
            .bind(&charge.session_id)
            .bind(now.unix_micros())
            .bind(now.unix_micros().saturating_sub(within))
            .bind(i64::from(charge.most))
            .execute(&mut *transaction)
            .await?;
        if done == 0 {
            let (opened_at,): (i64,) = query(OPENED)
                .bind(&charge.policy)
                .bind(&charge.agent_id)
                .bind(&charge.session_id)
                .fetch_one(transaction)
                .await?;
            let over_at = from_micros("opened_at", opened_at)?.saturating_add(charge.within);
            return Ok(Some(Spent { charge, opens_in: now.until(over_at) }));
        }
    }
    Ok(None)
}

/// Returns the first of these that has no room at `now`; counts nothing.
pub(super) async fn spent(
    mut on: Target<'_>,
    charges: impl Iterator<Item = Charge>,
    now: Timestamp,
) -> Result<Option<Spent>, sqlx::Error> {
    for charge in charges {
        let within = i64::try_from(charge.within.as_micros()).unwrap_or(i64::MAX);
        let opened: Option<(i64,)> = query(USED_UP)
            .bind(&charge.policy)
            .bind(&charge.agent_id)
            .bind(&charge.session_id)
            .bind(now.unix_micros().saturating_sub(within))
            .bind(i64::from(charge.most))
            .fetch_optional(on.again())
            .await?;
        if let Some((opened_at,)) = opened {
            let over_at = from_micros("opened_at", opened_at)?.saturating_add(charge.within);
            return Ok(Some(Spent { charge, opens_in: now.until(over_at) }));
        }
    }
    Ok(None)
}

impl Store {
    /// Counts a call at `now` towards all of these, if each has room for it; else returns the one that has no room.
    pub(crate) async fn take(
        &self,
        charges: Vec<Charge>,
        now: Timestamp,
    ) -> Result<Option<Spent>, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            let spent = take(&mut transaction, charges, now).await?;
            if spent.is_none() {
                transaction.commit().await?;
            }
            Ok(spent)
        })
        .await
    }

    /// Forgets windows that began before `before`, one step; returns how many.
    pub(crate) async fn prune_budgets(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(move |db| async move {
            query(PRUNE).bind(before.unix_micros()).bind(PRUNED_AT_ONCE).execute(&db).await
        })
        .await
    }
}
