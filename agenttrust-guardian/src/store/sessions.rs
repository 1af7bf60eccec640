//! The table of issued sessions.

use std::sync::Arc;

use agenttrust::Timestamp;
use agenttrust::model::{SessionMode, SessionSource, TrustLevel};

use super::changes::{Kind, append_change};
use super::db::query;
use super::delegations;
use super::issued;
use super::row::from_row;
use super::{PRUNED_AT_ONCE, Store, StoreError, from_json, from_micros, to_json, unreadable};
use crate::domain::lists;

// One statement with its conditions, so that no revocation falls between looking and writing. The key of
// this process's own client is in no table, and is never revoked.
const INSERT: &str = "INSERT INTO sessions (id, org_id, agent_id, source, server_id, mode, \
                      scope_ceiling, token_id, created_at, expires_at, \
                      opened_by, gateway, agent_version, delegation_id, \
                      provider_id, provider_version, issuer, trust_level, federated_hash, \
                      key_thumbprint, workload_hash, workload_key_id) \
                      SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
                      $20, $21, $22 \
                      WHERE EXISTS (SELECT 1 FROM agents WHERE id = $3 AND status = 'active') \
                      AND NOT EXISTS (SELECT 1 FROM keys WHERE id = $11 AND revoked_at IS NOT NULL) \
                      AND ($8 IS NULL OR EXISTS (SELECT 1 FROM tokens WHERE id = $8 \
                      AND agent_id = $3 AND revoked_at IS NULL AND expires_at > $9)) \
                      AND NOT EXISTS (SELECT 1 FROM keys WHERE id = $22 AND revoked_at IS NOT NULL) \
                      AND ($14 IS NULL OR EXISTS (SELECT 1 FROM delegations WHERE id = $14 \
                      AND to_agent_id = $3 AND revoked_at IS NULL AND expires_at > $9)) \
                      AND ($15 IS NULL OR EXISTS (SELECT 1 FROM federation_providers WHERE id = $15 \
                      AND org_id = $2 AND version = $16))";
const LIVE: &str = "SELECT id, org_id, agent_id, source, server_id, mode, scope_ceiling, token_id, \
                    created_at, expires_at, ended_at, opened_by, gateway, agent_version, delegation_id, \
                    provider_id, provider_version, issuer, trust_level, federated_hash, \
                    key_thumbprint, workload_hash, workload_key_id FROM sessions \
                    WHERE ended_at IS NULL AND expires_at > $1";
const BY_ID: &str = "SELECT id, org_id, agent_id, source, server_id, mode, scope_ceiling, token_id, \
                     created_at, expires_at, ended_at, opened_by, gateway, agent_version, delegation_id, \
                     provider_id, provider_version, issuer, trust_level, federated_hash, \
                     key_thumbprint, workload_hash, workload_key_id FROM sessions \
                     WHERE id = $1";
const PRUNE_COUNTS: &str = "DELETE FROM session_counts WHERE session_id IN (SELECT id FROM sessions \
                            WHERE expires_at < $1 ORDER BY expires_at, id LIMIT $2)";
const PRUNE: &str = "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions \
                     WHERE expires_at < $1 ORDER BY expires_at, id LIMIT $2)";

/// A session as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct SessionRow {
    pub(crate) id: String,
    pub(crate) org_id: String,
    pub(crate) agent_id: String,
    pub(crate) source: SessionSource,
    pub(crate) server_id: String,
    pub(crate) mode: SessionMode,
    pub(crate) ceiling: Option<Arc<[String]>>,
    pub(crate) token_id: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) ended: bool,
    /// The key that it was opened with.
    pub(crate) opened_by: Option<String>,
    /// The gateway that this key is of.
    pub(crate) gateway: Option<String>,
    /// The version of the agent's capabilities when the session began; of one from a token, when that was issued.
    pub(crate) agent_version: i64,
    /// The delegation that it was opened from.
    pub(crate) delegation_id: Option<String>,
    /// The provider that vouched for the user of the session.
    pub(crate) federated: Option<Federated>,
    /// The workload token that it was opened from.
    pub(crate) workload: Option<BoundWorkload>,
}

/// The workload token that a session was opened from, which is bound to a key.
#[derive(Clone, Debug)]
pub(crate) struct BoundWorkload {
    /// The thumbprint of that key.
    pub(crate) thumbprint: String,
    /// The fingerprint of the token, in hexadecimal.
    pub(crate) token_hash: String,
    /// The API key that the token was issued with.
    pub(crate) issued_by: String,
}

/// The provider that vouched for the user for whom a session was opened.
#[derive(Clone, Debug)]
pub(crate) struct Federated {
    pub(crate) provider_id: String,
    /// The version of the provider that this goes by.
    pub(crate) provider_version: i64,
    pub(crate) issuer: String,
    /// The trust level of the provider at that time.
    pub(crate) trust_level: TrustLevel,
    /// The fingerprint of the token that was shown, in hexadecimal.
    pub(crate) token_hash: String,
}

impl SessionRow {
    /// Returns whether it was made from a token, of ours or of another issuer.
    pub(crate) fn is_of_token(&self) -> bool {
        matches!(self.source, SessionSource::Api | SessionSource::Federation)
    }

    /// Returns the id of the token or the delegation that it was made from; of a token of others or of a workload, its
    /// fingerprint.
    pub(crate) fn origin(&self) -> Option<&str> {
        let foreign = self.federated.as_ref().map(|federated| federated.token_hash.as_str());
        let workload = self.workload.as_ref().map(|workload| workload.token_hash.as_str());
        self.token_id.as_deref().or(self.delegation_id.as_deref()).or(foreign).or(workload)
    }
}

from_row! {
    struct Raw {
        id: String,
        org_id: String,
        agent_id: String,
        source: String,
        server_id: String,
        mode: String,
        scope_ceiling: Option<String>,
        token_id: Option<String>,
        created_at: i64,
        expires_at: i64,
        ended_at: Option<i64>,
        opened_by: Option<String>,
        gateway: Option<String>,
        agent_version: i64,
        delegation_id: Option<String>,
        provider_id: Option<String>,
        provider_version: Option<i64>,
        issuer: Option<String>,
        trust_level: Option<String>,
        federated_hash: Option<String>,
        key_thumbprint: Option<String>,
        workload_hash: Option<String>,
        workload_key_id: Option<String>,
    }
}

impl TryFrom<Raw> for SessionRow {
    type Error = sqlx::Error;

    fn try_from(mut raw: Raw) -> Result<Self, sqlx::Error> {
        Ok(Self {
            workload: workload(&mut raw),
            federated: raw.provider_id.take().map(|id| federated(id, &raw)).transpose()?,
            source: raw
                .source
                .parse()
                .map_err(|_| unreadable("source", "not the source of a session"))?,
            mode: raw.mode.parse().map_err(|_| unreadable("mode", "not the mode of a session"))?,
            ceiling: raw
                .scope_ceiling
                .map(|ceiling| from_json("scope_ceiling", &ceiling).map(lists::shared))
                .transpose()?,
            created_at: from_micros("created_at", raw.created_at)?,
            expires_at: from_micros("expires_at", raw.expires_at)?,
            ended: raw.ended_at.is_some(),
            opened_by: raw.opened_by,
            gateway: raw.gateway,
            agent_version: raw.agent_version,
            delegation_id: raw.delegation_id,
            id: raw.id,
            org_id: raw.org_id,
            agent_id: raw.agent_id,
            server_id: raw.server_id,
            token_id: raw.token_id,
        })
    }
}

fn federated(provider_id: String, raw: &Raw) -> Result<Federated, sqlx::Error> {
    let trust_level = raw.trust_level.as_deref().and_then(|level| level.parse().ok());
    Ok(Federated {
        provider_id,
        provider_version: raw.provider_version.unwrap_or_default(),
        issuer: raw.issuer.clone().unwrap_or_default(),
        trust_level: trust_level
            .ok_or_else(|| unreadable("trust_level", "not a level of trust"))?,
        token_hash: raw.federated_hash.clone().unwrap_or_default(),
    })
}

fn workload(raw: &mut Raw) -> Option<BoundWorkload> {
    Some(BoundWorkload {
        thumbprint: raw.key_thumbprint.take()?,
        token_hash: raw.workload_hash.take()?,
        issued_by: raw.workload_key_id.take()?,
    })
}

impl Store {
    /// Keeps a new session; `false` when its agent is not active any more, its token or delegation does not
    /// work, its federation provider is gone or takes less by now, or its key is revoked.
    pub(crate) async fn insert_session(&self, session: SessionRow) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&session.agent_id).await?;
            if let Some(key_id) = &session.opened_by {
                transaction.lock(key_id).await?;
            }
            if let Some(delegation_id) = &session.delegation_id {
                delegations::lock_chain(&mut transaction, delegation_id).await?;
            }
            // Behind the key, as where the provider is removed with its key.
            if let Some(federated) = &session.federated {
                transaction.lock(&federated.provider_id).await?;
            }
            let federated = session.federated.as_ref();
            let workload = session.workload.as_ref();
            let done = query(INSERT)
                .bind(&session.id)
                .bind(&session.org_id)
                .bind(&session.agent_id)
                .bind(session.source.as_str())
                .bind(session.server_id)
                .bind(session.mode.as_str())
                .bind(session.ceiling.as_deref().map(to_json))
                .bind(session.token_id)
                .bind(session.created_at.unix_micros())
                .bind(session.expires_at.unix_micros())
                .bind(session.opened_by)
                .bind(session.gateway)
                .bind(session.agent_version)
                .bind(session.delegation_id)
                .bind(federated.map(|it| it.provider_id.as_str()))
                .bind(federated.map(|it| it.provider_version))
                .bind(federated.map(|it| it.issuer.as_str()))
                .bind(federated.map(|it| it.trust_level.as_str()))
                .bind(federated.map(|it| it.token_hash.as_str()))
                .bind(workload.map(|it| it.thumbprint.as_str()))
                .bind(workload.map(|it| it.token_hash.as_str()))
                .bind(workload.map(|it| it.issued_by.as_str()))
                .execute(&mut transaction)
                .await?;
            if done == 0 {
                return Ok(false);
            }
            let (org_id, id) = (&session.org_id, &session.id);
            append_change(&mut transaction, Kind::Session, org_id, id, session.created_at).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Returns the session with this id.
    pub(crate) async fn session(&self, id: String) -> Result<Option<SessionRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<Raw> = query(BY_ID).bind(id).fetch_optional(&db).await?;
            row.map(SessionRow::try_from).transpose()
        })
        .await
    }

    /// Ends a session with all that was made from it, in one step.
    pub(crate) async fn end_session(
        &self,
        session: SessionRow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&session.agent_id).await?;
            issued::take_session(&mut transaction, &session.id, now).await?;
            append_change(&mut transaction, Kind::Session, &session.org_id, &session.id, now)
                .await?;
            transaction.commit().await
        })
        .await
    }

    /// Returns the sessions that are open at `now`.
    pub(crate) async fn live_sessions(
        &self,
        now: Timestamp,
    ) -> Result<Vec<SessionRow>, StoreError> {
        self.run(move |db| async move {
            let rows: Vec<Raw> = query(LIVE).bind(now.unix_micros()).fetch_all(&db).await?;
            rows.into_iter().map(SessionRow::try_from).collect()
        })
        .await
    }

    /// Forgets sessions that expired before `before`, and what was counted in them, one step; returns how
    /// many.
    pub(crate) async fn prune_sessions(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(move |db| async move {
            let prune = |sql| query(sql).bind(before.unix_micros()).bind(PRUNED_AT_ONCE);
            let mut transaction = db.begin().await?;
            prune(PRUNE_COUNTS).execute(&mut transaction).await?;
            let done = prune(PRUNE).execute(&mut transaction).await?;
            transaction.commit().await?;
            Ok(done)
        })
        .await
    }
}
