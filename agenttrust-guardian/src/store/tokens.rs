//! The table of agent tokens: hashes, never the tokens.

use std::sync::Arc;

use agenttrust::Timestamp;
use agenttrust::model::TokenKind;

use super::changes::{Kind, append_change};
use super::db::query;
use super::issued;
use super::row::from_row;
use super::{PRUNED_AT_ONCE, Store, StoreError, from_json, from_micros, to_json, unreadable};
use crate::domain::{Fingerprint, lists};

// One statement with its conditions, so that no revocation falls between looking and writing. The key of
// this process's own client is in no table, and is never revoked.
const INSERT: &str = "INSERT INTO tokens (id, hash, org_id, agent_id, scopes, audience, session_id, \
                      issued_at, expires_at, issued_by, agent_version, kind) \
                      SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 \
                      WHERE EXISTS (SELECT 1 FROM agents WHERE id = $4 AND status = 'active') \
                      AND NOT EXISTS (SELECT 1 FROM keys WHERE id = $10 AND revoked_at IS NOT NULL)";
const LIVE: &str = "SELECT id, hash, org_id, agent_id, scopes, audience, session_id, expires_at, \
                    revoked_at, issued_by, agent_version, kind FROM tokens WHERE revoked_at IS NULL AND expires_at > $1";
const BY_ID: &str = "SELECT id, hash, org_id, agent_id, scopes, audience, session_id, expires_at, \
                     revoked_at, issued_by, agent_version, kind FROM tokens WHERE id = $1";
const PRUNE: &str = "DELETE FROM tokens WHERE id IN \
                     (SELECT id FROM tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";

/// A token as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct TokenRow {
    pub(crate) id: String,
    pub(crate) hash: Fingerprint,
    pub(crate) org_id: String,
    pub(crate) agent_id: String,
    pub(crate) scopes: Arc<[String]>,
    pub(crate) audience: Arc<[String]>,
    /// The session that it was issued in.
    pub(crate) session_id: Option<String>,
    pub(crate) expires_at: Timestamp,
    pub(crate) revoked: bool,
    /// The key that it was issued with; `None` of a token from before that was kept.
    pub(crate) issued_by: Option<String>,
    /// The version of the agent's capabilities when the token was issued.
    pub(crate) agent_version: i64,
    pub(crate) kind: TokenKind,
}

from_row! {
    struct Raw {
        id: String,
        hash: String,
        org_id: String,
        agent_id: String,
        scopes: String,
        audience: String,
        session_id: Option<String>,
        expires_at: i64,
        revoked_at: Option<i64>,
        issued_by: Option<String>,
        agent_version: i64,
        kind: String,
    }
}

impl TryFrom<Raw> for TokenRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        Ok(Self {
            hash: Fingerprint::from_hex(&raw.hash)
                .ok_or_else(|| unreadable("hash", "not 64 hexadecimal digits"))?,
            scopes: lists::shared(from_json("scopes", &raw.scopes)?),
            audience: lists::shared(from_json("audience", &raw.audience)?),
            expires_at: from_micros("expires_at", raw.expires_at)?,
            revoked: raw.revoked_at.is_some(),
            kind: raw.kind.parse().map_err(|_| unreadable("kind", "not the kind of a token"))?,
            id: raw.id,
            org_id: raw.org_id,
            agent_id: raw.agent_id,
            session_id: raw.session_id,
            issued_by: raw.issued_by,
            agent_version: raw.agent_version,
        })
    }
}

impl Store {
    /// Keeps a new token; `false` when its agent is not active any more, or its key is revoked.
    pub(crate) async fn insert_token(
        &self,
        token: TokenRow,
        issued_at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&token.agent_id).await?;
            if let Some(key_id) = &token.issued_by {
                transaction.lock(key_id).await?;
            }
            let done = query(INSERT)
                .bind(&token.id)
                .bind(token.hash.to_hex())
                .bind(&token.org_id)
                .bind(&token.agent_id)
                .bind(to_json(&*token.scopes))
                .bind(to_json(&*token.audience))
                .bind(token.session_id)
                .bind(issued_at.unix_micros())
                .bind(token.expires_at.unix_micros())
                .bind(token.issued_by)
                .bind(token.agent_version)
                .bind(token.kind.as_str())
                .execute(&mut transaction)
                .await?;
            if done == 0 {
                return Ok(false);
            }
            append_change(&mut transaction, Kind::Token, &token.org_id, &token.id, issued_at)
                .await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Returns the tokens that work at `now`.
    pub(crate) async fn live_tokens(&self, now: Timestamp) -> Result<Vec<TokenRow>, StoreError> {
        self.run(move |db| async move {
            let rows: Vec<Raw> = query(LIVE).bind(now.unix_micros()).fetch_all(&db).await?;
            rows.into_iter().map(TokenRow::try_from).collect()
        })
        .await
    }

    /// Returns the token with this id.
    pub(crate) async fn token(&self, id: String) -> Result<Option<TokenRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<Raw> = query(BY_ID).bind(id).fetch_optional(&db).await?;
            row.map(TokenRow::try_from).transpose()
        })
        .await
    }

    /// Revokes a token with all that was made from it, in one step.
    pub(crate) async fn revoke_token(
        &self,
        token: TokenRow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&token.agent_id).await?;
            issued::take_token(&mut transaction, &token.id, now).await?;
            append_change(&mut transaction, Kind::Token, &token.org_id, &token.id, now).await?;
            transaction.commit().await
        })
        .await
    }

    /// Forgets tokens that expired before `before`, one step; returns how many.
    pub(crate) async fn prune_tokens(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(move |db| async move {
            query(PRUNE).bind(before.unix_micros()).bind(PRUNED_AT_ONCE).execute(&db).await
        })
        .await
    }
}
