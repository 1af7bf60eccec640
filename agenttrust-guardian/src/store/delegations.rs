//! The table of delegations.

use std::collections::HashMap;
use std::sync::Arc;

use agenttrust::Timestamp;
use agenttrust::model::{Delegation, DelegationRestrictions, DelegationState};

use super::budgets::OF_DELEGATIONS;
use super::changes::{Kind, append_change};
use super::db::{Db, query};
use super::issued;
use super::issued_lists::IssuedFilter;
use super::row::from_row;
use super::{PRUNED_AT_ONCE, Store, StoreError, Transaction, from_json, from_micros, to_json};
use crate::domain::lists;

// One statement with its conditions, so that no revocation falls between looking and writing.
const INSERT: &str = "INSERT INTO delegations (id, org_id, from_agent_id, to_agent_id, parent_id, root_id, scope, \
    restrictions, created_by, created_at, expires_at, agent_version) \
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 \
    WHERE (SELECT COUNT(*) FROM agents WHERE id IN ($3, $4) AND org_id = $2 AND status = 'active') = 2 \
    AND NOT EXISTS (SELECT 1 FROM keys WHERE id = $9 AND revoked_at IS NOT NULL) \
    AND ($5 IS NULL OR EXISTS (SELECT 1 FROM delegations WHERE id = $5 AND org_id = $2 \
    AND to_agent_id = $3 AND revoked_at IS NULL AND expires_at > $10))";
const LIVE: &str = "SELECT id, org_id, from_agent_id, to_agent_id, parent_id, root_id, scope, restrictions, \
    created_by, agent_version, created_at, expires_at, revoked_at FROM delegations \
    WHERE revoked_at IS NULL AND expires_at > $1";
const BY_ID: &str = "SELECT id, org_id, from_agent_id, to_agent_id, parent_id, root_id, scope, restrictions, \
    created_by, agent_version, created_at, expires_at, revoked_at FROM delegations WHERE id = $1";
// What was revoked and has expired since was revoked.
const LIST: &str = "SELECT id, org_id, from_agent_id, to_agent_id, parent_id, root_id, scope, restrictions, \
    created_by, agent_version, created_at, expires_at, revoked_at FROM delegations WHERE org_id = $1 \
    AND ($2 IS NULL OR from_agent_id = $2 OR to_agent_id = $2) AND ($3 IS NULL OR created_by = $3) \
    AND ($4 IS NULL OR CASE WHEN revoked_at IS NOT NULL THEN 'revoked' \
    WHEN expires_at <= $5 THEN 'expired' ELSE 'active' END = $4) \
    AND ($6 IS NULL OR (created_at, id) < ($6, $7)) \
    ORDER BY created_at DESC, id DESC LIMIT $8";
// All of a page at once: what each of these was made from, the first one first and itself last, and how many calls each
// of that let through. A list of many is sent as JSON, which each database reads in its own way.
macro_rules! lines {
    ($ids:literal) => {
        concat!(
            "WITH RECURSIVE above (last_id, id, parent_id, depth) AS (\
             SELECT id, id, parent_id, 0 FROM delegations WHERE id IN (",
            $ids,
            ") UNION ALL \
             SELECT above.last_id, delegations.id, delegations.parent_id, above.depth + 1 FROM above \
             JOIN delegations ON delegations.id = above.parent_id WHERE above.depth < 16) \
             SELECT above.last_id, above.id, COALESCE(budgets.used, 0) AS used FROM above \
             LEFT JOIN budgets ON budgets.policy = $2 AND budgets.agent_id = above.id AND budgets.session_id = '' \
             ORDER BY above.last_id, above.depth DESC"
        )
    };
}
const LINES_ON_SQLITE: &str = lines!("SELECT value FROM json_each($1)");
const LINES_ON_POSTGRES: &str = lines!("SELECT jsonb_array_elements_text($1::jsonb)");
const PRUNE: &str = "DELETE FROM delegations WHERE id IN (SELECT id FROM delegations \
    WHERE expires_at < $1 ORDER BY expires_at, id LIMIT $2)";

/// A delegation as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct DelegationRow {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) from_agent_id: String,
    pub(crate) to_agent_id: String,
    pub(crate) parent_id: Option<String>,
    /// The one that the chain begins with.
    pub(crate) root_id: String,
    pub(crate) scope: Arc<[String]>,
    pub(crate) restrictions: DelegationRestrictions,
    /// The key that it was made with.
    pub(crate) created_by: String,
    /// The version of the giver's capabilities when it gave.
    pub(crate) agent_version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) revoked_at: Option<Timestamp>,
}

/// The origin of a delegation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    /// The ids of all of it, the first one first, and of the delegation itself.
    ids: Vec<String>,
    /// The number of calls that each of the limiting delegations let through.
    used: Vec<i64>,
}

impl Line {
    /// Returns the ids of what it was made from, the first one first.
    pub(crate) fn above(&self) -> &[String] {
        self.ids.split_last().map_or(&[], |(_, above)| above)
    }

    /// Returns how many calls the one of this id let through.
    pub(crate) fn used(&self, id: &str) -> i64 {
        let mut both = self.ids.iter().zip(&self.used);
        both.find(|(link, _)| *link == id).map_or(0, |(_, used)| *used)
    }
}

from_row! {
    struct Raw {
        id: String,
        org_id: String,
        from_agent_id: String,
        to_agent_id: String,
        parent_id: Option<String>,
        root_id: String,
        scope: String,
        restrictions: String,
        created_by: String,
        agent_version: i64,
        created_at: i64,
        expires_at: i64,
        revoked_at: Option<i64>,
    }
}

impl TryFrom<Raw> for DelegationRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        Ok(Self {
            scope: from_json("scope", &raw.scope).map(lists::shared)?,
            restrictions: from_json("restrictions", &raw.restrictions)?,
            created_at: from_micros("created_at", raw.created_at)?,
            expires_at: from_micros("expires_at", raw.expires_at)?,
            revoked_at: raw.revoked_at.map(|at| from_micros("revoked_at", at)).transpose()?,
            id: raw.id,
            org_id: raw.org_id,
            from_agent_id: raw.from_agent_id,
            to_agent_id: raw.to_agent_id,
            parent_id: raw.parent_id,
            root_id: raw.root_id,
            created_by: raw.created_by,
            agent_version: raw.agent_version,
        })
    }
}

impl DelegationRow {
    /// Returns how it stands at `now`.
    pub(crate) fn state(&self, now: Timestamp) -> DelegationState {
        match self.revoked_at {
            Some(_) => DelegationState::Revoked,
            None if self.expires_at <= now => DelegationState::Expired,
            None => DelegationState::Active,
        }
    }

    /// Returns the delegation as callers see it at `now`; `above` are the ids of what it was made from, `unusable` why
    /// it lets no call through.
    pub(crate) fn show(
        &self,
        above: Vec<String>,
        unusable: Option<String>,
        now: Timestamp,
    ) -> Delegation {
        let mut shown = Delegation::default();
        shown.id.clone_from(&self.id);
        shown.org_id.clone_from(&self.org_id);
        shown.from_agent_id.clone_from(&self.from_agent_id);
        shown.to_agent_id.clone_from(&self.to_agent_id);
        shown.scope = self.scope.to_vec();
        shown.restrictions = self.restrictions.clone();
        shown.parent_delegation_id.clone_from(&self.parent_id);
        shown.delegation_chain = above;
        shown.state = self.state(now);
        shown.usable = Some(unusable.is_none());
        shown.unusable_because = unusable;
        shown.created_by = Some(self.created_by.clone());
        shown.created_at = Some(self.created_at);
        shown.expires_at = Some(self.expires_at);
        shown.revoked_at = self.revoked_at;
        shown
    }
}

/// Keeps whatever revokes a part of the chain of this delegation waiting.
pub(super) async fn lock_chain(transaction: &mut Transaction, id: &str) -> Result<(), sqlx::Error> {
    const ROOT: &str = "SELECT root_id FROM delegations WHERE id = $1";
    let root: Option<(String,)> = query(ROOT).bind(id).fetch_optional(&mut *transaction).await?;
    match root {
        Some((root_id,)) => transaction.lock(&root_id).await,
        None => Ok(()),
    }
}

impl Store {
    /// Keeps a new delegation; `false` where one of its agents is not active any more, its parent does not work,
    /// or its key is revoked.
    pub(crate) async fn insert_delegation(&self, row: DelegationRow) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            let mut agents = [&row.from_agent_id, &row.to_agent_id];
            // In one order, so that two that are made at once never wait for each other.
            agents.sort_unstable();
            for id in agents.into_iter().chain([&row.created_by, &row.root_id]) {
                transaction.lock(id).await?;
            }
            let done = query(INSERT)
                .bind(&row.id)
                .bind(&row.org_id)
                .bind(&row.from_agent_id)
                .bind(&row.to_agent_id)
                .bind(&row.parent_id)
                .bind(&row.root_id)
                .bind(to_json(&*row.scope))
                .bind(to_json(&row.restrictions))
                .bind(&row.created_by)
                .bind(row.created_at.unix_micros())
                .bind(row.expires_at.unix_micros())
                .bind(row.agent_version)
                .execute(&mut transaction)
                .await?;
            if done == 0 {
                return Ok(false);
            }
            append_change(&mut transaction, Kind::Delegation, &row.org_id, &row.id, row.created_at)
                .await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Returns the delegation with this id.
    pub(crate) async fn delegation(&self, id: String) -> Result<Option<DelegationRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<Raw> = query(BY_ID).bind(id).fetch_optional(&db).await?;
            row.map(DelegationRow::try_from).transpose()
        })
        .await
    }

    /// Returns what these delegations were made from, by their ids.
    pub(crate) async fn delegation_lines(
        &self,
        ids: Vec<String>,
    ) -> Result<HashMap<String, Line>, StoreError> {
        self.run(move |db| async move {
            let sql = match db {
                Db::Sqlite(_) => LINES_ON_SQLITE,
                Db::Postgres(_) => LINES_ON_POSTGRES,
            };
            let rows: Vec<(String, String, i64)> =
                query(sql).bind(to_json(&ids)).bind(OF_DELEGATIONS).fetch_all(&db).await?;
            let mut lines = HashMap::<String, Line>::new();
            for (last_id, id, used) in rows {
                let line = lines.entry(last_id).or_default();
                line.ids.push(id);
                line.used.push(used);
            }
            Ok(lines)
        })
        .await
    }

    /// Returns the delegations that work at `now`.
    pub(crate) async fn live_delegations(
        &self,
        now: Timestamp,
    ) -> Result<Vec<DelegationRow>, StoreError> {
        self.run(move |db| async move {
            let rows: Vec<Raw> = query(LIVE).bind(now.unix_micros()).fetch_all(&db).await?;
            rows.into_iter().map(DelegationRow::try_from).collect()
        })
        .await
    }

    /// Returns the delegations of this organisation that pass the filter, as they stand at `now`, newest first.
    pub(crate) async fn delegations(
        &self,
        org_id: String,
        filter: IssuedFilter<DelegationState>,
        now: Timestamp,
    ) -> Result<Vec<DelegationRow>, StoreError> {
        self.run(move |db| async move {
            let list = filter.bind(LIST, org_id, DelegationState::as_str, now);
            let rows: Vec<Raw> = list.fetch_all(&db).await?;
            rows.into_iter().map(DelegationRow::try_from).collect()
        })
        .await
    }

    /// Revokes a delegation with all that was made from it, in one step.
    pub(crate) async fn revoke_delegation(
        &self,
        row: DelegationRow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&row.root_id).await?;
            issued::take_delegation(&mut transaction, &row.id, now).await?;
            append_change(&mut transaction, Kind::Delegation, &row.org_id, &row.id, now).await?;
            transaction.commit().await
        })
        .await
    }

    /// Forgets delegations that expired before `before`, one step; returns how many.
    pub(crate) async fn prune_delegations(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(move |db| async move {
            query(PRUNE).bind(before.unix_micros()).bind(PRUNED_AT_ONCE).execute(&db).await
        })
        .await
    }
}
