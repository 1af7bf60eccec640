//! Lists of tokens and of sessions: filtered and cut to size by the database, newest first, secrets left out.

use agenttrust::Timestamp;
use agenttrust::model::{IssuedToken, Session, SessionState, TokenState};

use super::db::{Statement, query};
use super::row::from_row;
use super::{Place, Store, StoreError, from_json, from_micros, unreadable};

// What was revoked and has expired since was revoked.
const TOKENS: &str = "SELECT id, agent_id, scopes, audience, session_id, issued_by, issued_at, \
    expires_at, revoked_at, kind FROM tokens WHERE org_id = $1 AND ($2 IS NULL OR agent_id = $2) \
    AND ($3 IS NULL OR issued_by = $3) \
    AND ($4 IS NULL OR CASE WHEN revoked_at IS NOT NULL THEN 'revoked' \
    WHEN expires_at <= $5 THEN 'expired' ELSE 'active' END = $4) \
    AND ($6 IS NULL OR (issued_at, id) < ($6, $7)) \
    ORDER BY issued_at DESC, id DESC LIMIT $8";

// A session goes with its token, also where it was opened in the moment in which that was revoked.
const SESSIONS: &str = "SELECT * FROM (SELECT s.id, s.org_id, s.agent_id, s.source, s.server_id, s.mode, \
    s.scope_ceiling, s.token_id, s.delegation_id, s.opened_by, s.gateway, s.created_at, s.expires_at, \
    s.provider_id, s.issuer, s.trust_level, \
    CASE WHEN s.ended_at IS NOT NULL OR EXISTS (SELECT 1 FROM tokens t WHERE t.id = s.token_id \
    AND t.revoked_at IS NOT NULL) THEN 'revoked' WHEN s.expires_at <= $5 THEN 'expired' \
    ELSE 'open' END AS state, \
    (SELECT CAST(COALESCE(SUM(c.total_calls), 0) AS BIGINT) FROM session_counts c \
    WHERE c.session_id = s.id) AS total_calls, \
    (SELECT CAST(COALESCE(SUM(c.read_calls), 0) AS BIGINT) FROM session_counts c \
    WHERE c.session_id = s.id) AS read_calls, \
    (SELECT CAST(COALESCE(SUM(c.denied_calls), 0) AS BIGINT) FROM session_counts c \
    WHERE c.session_id = s.id) AS denied_calls, \
    (SELECT MAX(c.last_activity_at) FROM session_counts c WHERE c.session_id = s.id) AS last_activity_at \
    FROM sessions s WHERE s.org_id = $1) AS known \
    WHERE ($2 IS NULL OR agent_id = $2) AND ($3 IS NULL OR opened_by = $3) \
    AND ($4 IS NULL OR state = $4) \
    AND ($6 IS NULL OR (created_at, id) < ($6, $7)) \
    AND ($9 IS NULL OR opened_by = $9 OR gateway = $10) \
    ORDER BY created_at DESC, id DESC LIMIT $8";

/// The tokens, sessions or delegations to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct IssuedFilter<S> {
    pub(crate) agent_id: Option<String>,
    /// The key with which it was issued, opened or made.
    pub(crate) key_id: Option<String>,
    pub(crate) state: Option<S>,
    /// The place in the list behind which to begin.
    pub(crate) after: Option<Place>,
    /// The largest number to list.
    pub(crate) limit: i64,
}

impl<S> IssuedFilter<S> {
    /// Binds it, from `$1` to `$8`: of which organisation, what is asked for of them, how they stand at `now`, from
    /// where on and how many. `word` is the word of a state.
    pub(super) fn bind(
        self,
        sql: &'static str,
        org_id: String,
        word: impl Fn(S) -> &'static str,
        now: Timestamp,
    ) -> Statement {
        let (at, id) = self.after.map(|after| (after.created_at, after.id)).unzip();
        query(sql)
            .bind(org_id)
            .bind(self.agent_id)
            .bind(self.key_id)
            .bind(self.state.map(word))
            .bind(now.unix_micros())
            .bind(at.map(Timestamp::unix_micros))
            .bind(id)
            .bind(self.limit)
    }
}

/// A gateway: its key, and the name that it may share with others.
#[derive(Clone, Debug)]
pub(crate) struct OpenedAt {
    pub(crate) key_id: String,
    pub(crate) gateway: Option<String>,
}

from_row! {
    struct RawToken {
        id: String,
        agent_id: String,
        scopes: String,
        audience: String,
        session_id: Option<String>,
        issued_by: Option<String>,
        issued_at: i64,
        expires_at: i64,
        revoked_at: Option<i64>,
        kind: String,
    }
}

impl RawToken {
    fn at(self, now: Timestamp) -> Result<IssuedToken, sqlx::Error> {
        let mut token = IssuedToken::new(self.id, self.agent_id);
        token.kind =
            self.kind.parse().map_err(|_| unreadable("kind", "not the kind of a token"))?;
        token.scopes = from_json("scopes", &self.scopes)?;
        token.audience = from_json("audience", &self.audience)?;
        token.session_id = self.session_id;
        token.issued_by = self.issued_by;
        token.issued_at = Some(from_micros("issued_at", self.issued_at)?);
        let expires_at = from_micros("expires_at", self.expires_at)?;
        token.expires_at = Some(expires_at);
        token.revoked_at = self.revoked_at.map(|at| from_micros("revoked_at", at)).transpose()?;
        token.state = match token.revoked_at {
            Some(_) => TokenState::Revoked,
            None if expires_at <= now => TokenState::Expired,
            None => TokenState::Active,
        };
        Ok(token)
    }
}

from_row! {
    struct RawSession {
        id: String,
        org_id: String,
        agent_id: String,
        source: String,
        server_id: String,
        mode: String,
        scope_ceiling: Option<String>,
        token_id: Option<String>,
        delegation_id: Option<String>,
        opened_by: Option<String>,
        gateway: Option<String>,
        created_at: i64,
        expires_at: i64,
        provider_id: Option<String>,
        issuer: Option<String>,
        trust_level: Option<String>,
        state: String,
        total_calls: i64,
        read_calls: i64,
        denied_calls: i64,
        last_activity_at: Option<i64>,
    }
}

impl TryFrom<RawSession> for Session {
    type Error = sqlx::Error;

    fn try_from(raw: RawSession) -> Result<Self, sqlx::Error> {
        let mut session = Self::default();
        session.source =
            raw.source.parse().map_err(|_| unreadable("source", "not the source of a session"))?;
        session.mode =
            raw.mode.parse().map_err(|_| unreadable("mode", "not the mode of a session"))?;
        let state: SessionState =
            raw.state.parse().map_err(|_| unreadable("state", "not the state of a session"))?;
        session.state = Some(state);
        let ceiling = raw.scope_ceiling.map(|ceiling| from_json("scope_ceiling", &ceiling));
        session.scope_ceiling = ceiling.transpose()?.unwrap_or_default();
        let created_at = from_micros("created_at", raw.created_at)?;
        let last =
            raw.last_activity_at.map(|at| from_micros("last_activity_at", at)).transpose()?;
        session.created_at = Some(created_at);
        session.last_activity_at = last.or(Some(created_at));
        session.expires_at = Some(from_micros("expires_at", raw.expires_at)?);
        session.session_id = raw.id;
        session.org_id = raw.org_id;
        session.agent_id = raw.agent_id;
        session.server_id = raw.server_id;
        session.token_id = raw.token_id;
        session.delegation_id = raw.delegation_id;
        session.opened_by = raw.opened_by;
        session.gateway = raw.gateway;
        session.provider_id = raw.provider_id;
        session.issuer = raw.issuer;
        session.trust_level = raw.trust_level;
        session.total_calls = raw.total_calls.unsigned_abs();
        session.read_calls = raw.read_calls.unsigned_abs();
        session.write_calls = session.total_calls.saturating_sub(session.read_calls);
        session.denied_calls = raw.denied_calls.unsigned_abs();
        Ok(session)
    }
}

impl Store {
    /// Returns the tokens of this organisation that pass the filter, as they stand at `now`, newest first.
    pub(crate) async fn tokens(
        &self,
        org_id: String,
        filter: IssuedFilter<TokenState>,
        now: Timestamp,
    ) -> Result<Vec<IssuedToken>, StoreError> {
        self.run(move |db| async move {
            let list = filter.bind(TOKENS, org_id, TokenState::as_str, now);
            let rows: Vec<RawToken> = list.fetch_all(&db).await?;
            rows.into_iter().map(|row| row.at(now)).collect()
        })
        .await
    }

    /// Returns the issued sessions of this organisation that pass the filter, as they stand at `now`, newest first;
    /// only those that were opened at one gateway, where one is named.
    pub(crate) async fn sessions(
        &self,
        org_id: String,
        filter: IssuedFilter<SessionState>,
        opened: Option<OpenedAt>,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let (key_id, gateway) = opened.map(|opened| (opened.key_id, opened.gateway)).unzip();
        self.run(move |db| async move {
            let list = filter.bind(SESSIONS, org_id, SessionState::as_str, now);
            let list = list.bind(key_id).bind(gateway.flatten());
            let rows: Vec<RawSession> = list.fetch_all(&db).await?;
            rows.into_iter().map(Session::try_from).collect()
        })
        .await
    }
}
