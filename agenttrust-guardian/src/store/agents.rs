//! The table of agents.

use std::sync::Arc;

use agenttrust::Timestamp;
use agenttrust::model::{Agent, AgentStatus, SessionMode};

use super::changes::{Kind, append_change};
use super::db::query;
use super::issued;
use super::row::from_row;
use super::{Store, StoreError, from_json, from_micros, to_json, unreadable};
use crate::domain::{Error, Versions, lists};

const INSERT: &str = "INSERT INTO agents (id, org_id, name, framework, public_key, status, \
                      capabilities, metadata, floor_mode, created_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9)";
const LIST: &str = "SELECT id, org_id, name, framework, public_key, status, capabilities, metadata, \
                    floor_mode, floor_ceiling, created_at, version, past, requires_proof FROM agents \
                    WHERE id NOT LIKE 'operators/%' ORDER BY created_at, id";
const BY_ID: &str = "SELECT id, org_id, name, framework, public_key, status, capabilities, metadata, \
                     floor_mode, floor_ceiling, created_at, version, past, requires_proof FROM agents WHERE id = $1";
const CHANGE: &str = "UPDATE agents SET name = $2, capabilities = $3, metadata = $4, version = $5, past = $6, \
                      requires_proof = $7, public_key = $8 \
                      WHERE id = $1 AND status <> 'revoked'";
const SET_STATUS: &str = "UPDATE agents SET status = $2 WHERE id = $1 AND status <> 'revoked'";
const REVOKE: &str = "UPDATE agents SET status = 'revoked', revoked_at = $2, revoked_for = $3 \
                      WHERE id = $1 AND status <> 'revoked'";
const REVOKE_TOKENS: &str =
    "UPDATE tokens SET revoked_at = $2 WHERE agent_id = $1 AND revoked_at IS NULL";
const END_SESSIONS: &str =
    "UPDATE sessions SET ended_at = $2 WHERE agent_id = $1 AND ended_at IS NULL";
const FORGET_RAISED: &str = "DELETE FROM tool_raised WHERE agent_id = $1";
const EXPIRE_APPROVALS: &str = "UPDATE approvals SET status = 'expired', expires_at = $2, input = NULL \
                                WHERE agent_id = $1 AND status IN ('pending', 'approved')";
// What an approval of a change is about that no agent asks for. It is in no list, and so in no memory.
const STAND_IN: &str = "INSERT INTO agents (id, org_id, name, framework, public_key, status, capabilities, \
                        metadata, floor_mode, created_at) VALUES ($1, $2, 'operators', 'agenttrust', '', \
                        'active', '[]', '{}', 'open', $3) ON CONFLICT (id) DO NOTHING";
// A ceiling goes only where somebody says so: one that was set a moment ago may not be known yet to
// whoever says nothing of it.
// And one floor takes the place of another only where that was seen: it may have become stricter meanwhile.
const SET_FLOOR: &str = "UPDATE agents SET floor_mode = $2, floor_ceiling = $3 WHERE id = $1 \
                         AND CASE WHEN $4 THEN floor_mode = $5 AND COALESCE(floor_ceiling, '') = $6 \
                         ELSE floor_ceiling IS NULL END";

/// An agent as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct AgentRow {
    pub(crate) agent: Agent,
    pub(crate) floor_mode: SessionMode,
    pub(crate) floor_ceiling: Option<Arc<[String]>>,
    pub(crate) versions: Versions,
}

from_row! {
    struct Raw {
        id: String,
        org_id: String,
        name: String,
        framework: String,
        public_key: String,
        status: String,
        capabilities: String,
        metadata: String,
        floor_mode: String,
        floor_ceiling: Option<String>,
        created_at: i64,
        version: i64,
        past: String,
        requires_proof: bool,
    }
}

impl TryFrom<Raw> for AgentRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        let mut agent = Agent::new(raw.id, raw.name);
        agent.org_id = raw.org_id;
        agent.framework = raw.framework;
        agent.public_key = raw.public_key;
        agent.status =
            raw.status.parse().map_err(|_| unreadable("status", "not the status of an agent"))?;
        agent.capabilities = from_json("capabilities", &raw.capabilities)?;
        agent.metadata = from_json("metadata", &raw.metadata)?;
        agent.requires_proof = raw.requires_proof;
        agent.created_at = Some(from_micros("created_at", raw.created_at)?);
        Ok(Self {
            agent,
            floor_mode: raw
                .floor_mode
                .parse()
                .map_err(|_| unreadable("floor_mode", "not the mode of a session"))?,
            floor_ceiling: raw
                .floor_ceiling
                .map(|ceiling| from_json("floor_ceiling", &ceiling).map(lists::shared))
                .transpose()?,
            versions: Versions::parse(raw.version, &raw.past)
                .map_err(|error| unreadable("past", error))?,
        })
    }
}

/// The result of a change of an agent.
#[derive(Debug)]
pub(crate) enum AgentChanged {
    /// The agent is as it was planned.
    Done { before: Box<AgentRow>, after: Box<AgentRow> },
    /// The agent is revoked, or is not there.
    Revoked,
    /// The agent may not be changed so.
    Refused(Error),
}

/// The floor that applies to every session of an agent.
#[derive(Debug)]
pub(crate) struct Floor {
    pub(crate) mode: SessionMode,
    pub(crate) ceiling: Option<Vec<String>>,
    /// Whether it may take the place of a ceiling that there is.
    pub(crate) instead: bool,
    /// The mode and the ceiling that were in force when this was decided.
    pub(crate) seen: (SessionMode, Option<Vec<String>>),
}

impl Store {
    /// Keeps a new agent.
    pub(crate) async fn insert_agent(
        &self,
        agent: Agent,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            query(INSERT)
                .bind(&agent.id)
                .bind(&agent.org_id)
                .bind(agent.name)
                .bind(agent.framework)
                .bind(agent.public_key)
                .bind(agent.status.as_str())
                .bind(to_json(&agent.capabilities))
                .bind(to_json(&agent.metadata))
                .bind(now.unix_micros())
                .execute(&mut transaction)
                .await?;
            append_change(&mut transaction, Kind::Agent, &agent.org_id, &agent.id, now).await?;
            transaction.commit().await
        })
        .await
    }

    /// Returns every agent, oldest first.
    pub(crate) async fn agents(&self) -> Result<Vec<AgentRow>, StoreError> {
        self.run(|db| async move {
            let rows: Vec<Raw> = query(LIST).fetch_all(&db).await?;
            rows.into_iter().map(AgentRow::try_from).collect()
        })
        .await
    }

    /// Returns the agent with this id.
    pub(crate) async fn agent(&self, id: String) -> Result<Option<AgentRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<Raw> = query(BY_ID).bind(id).fetch_optional(&db).await?;
            row.map(AgentRow::try_from).transpose()
        })
        .await
    }

    /// Changes an agent as `plan` says of how it stands then; one that is revoked stays as it is.
    pub(crate) async fn change_agent(
        &self,
        id: String,
        plan: impl FnOnce(AgentRow) -> Result<AgentRow, Error> + Send + 'static,
        now: Timestamp,
    ) -> Result<AgentChanged, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&id).await?;
            let row: Option<Raw> = query(BY_ID).bind(&id).fetch_optional(&mut transaction).await?;
            let Some(before) = row.map(AgentRow::try_from).transpose()? else {
                return Ok(AgentChanged::Revoked);
            };
            let after = match plan(before.clone()) {
                Ok(after) => after,
                Err(error) => return Ok(AgentChanged::Refused(error)),
            };
            let agent = &after.agent;
            let done = query(CHANGE)
                .bind(&id)
                .bind(&agent.name)
                .bind(to_json(&agent.capabilities))
                .bind(to_json(&agent.metadata))
                .bind(after.versions.now)
                .bind(after.versions.past())
                .bind(agent.requires_proof)
                .bind(&agent.public_key)
                .execute(&mut transaction)
                .await?;
            if done == 0 {
                return Ok(AgentChanged::Revoked);
            }
            append_change(&mut transaction, Kind::Agent, &agent.org_id, &id, now).await?;
            transaction.commit().await?;
            Ok(AgentChanged::Done { before: Box::new(before), after: Box::new(after) })
        })
        .await
    }

    /// Suspends or reactivates an agent; `false` when it is revoked.
    pub(crate) async fn set_agent_status(
        &self,
        org_id: String,
        id: String,
        status: AgentStatus,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&id).await?;
            let done =
                query(SET_STATUS).bind(&id).bind(status.as_str()).execute(&mut transaction).await?;
            if done == 0 {
                return Ok(false);
            }
            append_change(&mut transaction, Kind::Agent, &org_id, &id, now).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Revokes an agent with everything that was given to it, in one step.
    pub(crate) async fn revoke_agent(
        &self,
        org_id: String,
        id: String,
        reason: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(move |db| async move {
            let at = now.unix_micros();
            let mut transaction = db.begin().await?;
            transaction.lock(&id).await?;
            query(REVOKE).bind(&id).bind(at).bind(reason).execute(&mut transaction).await?;
            for statement in [REVOKE_TOKENS, END_SESSIONS, EXPIRE_APPROVALS] {
                query(statement).bind(&id).bind(at).execute(&mut transaction).await?;
            }
            issued::take_delegations_of_agent(&mut transaction, &id, now).await?;
            query(FORGET_RAISED).bind(&id).execute(&mut transaction).await?;
            append_change(&mut transaction, Kind::Agent, &org_id, &id, now).await?;
            transaction.commit().await
        })
        .await
    }

    /// Makes sure that there is an agent which stands for the operators of this organisation; returns its id.
    pub(crate) async fn stand_in(
        &self,
        org_id: String,
        now: Timestamp,
    ) -> Result<String, StoreError> {
        self.run(move |db| async move {
            let id = format!("operators/{org_id}");
            query(STAND_IN).bind(&id).bind(org_id).bind(now.unix_micros()).execute(&db).await?;
            Ok(id)
        })
        .await
    }

    /// Sets an agent's floor; `false` when there is a ceiling that this one is not to take the place of, or the floor
    /// is another one than was seen.
    pub(crate) async fn set_floor(
        &self,
        org_id: String,
        id: String,
        floor: Floor,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&id).await?;
            let done = query(SET_FLOOR)
                .bind(&id)
                .bind(floor.mode.as_str())
                .bind(floor.ceiling.as_ref().map(to_json))
                .bind(floor.instead)
                .bind(floor.seen.0.as_str())
                .bind(floor.seen.1.as_ref().map(to_json).unwrap_or_default())
                .execute(&mut transaction)
                .await?;
            if done == 0 {
                return Ok(false);
            }
            append_change(&mut transaction, Kind::Agent, &org_id, &id, now).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }
}
