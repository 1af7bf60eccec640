//! The tables of what is known of tools: set, declared and raised.

use std::sync::Arc;

use agenttrust::{Effect, Timestamp};

use super::changes::{Kind, append_change};
use super::db::query;
use super::row::from_row;
use super::{Store, StoreError, Transaction, from_json, to_json, unreadable};
use crate::manifest::{Declared, Json, ToolChange, ToolFacts};

const UNSEEN: &str =
    "SELECT COUNT(*) FROM changes WHERE seq > $1 AND org_id = $2 AND kind = 'tools'";

const SET: &str = "INSERT INTO tool_effects (org_id, tool, effect, set_by, set_at) \
                   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (org_id, tool) DO UPDATE \
                   SET effect = excluded.effect, set_by = excluded.set_by, set_at = excluded.set_at";
const UNSET: &str = "DELETE FROM tool_effects WHERE org_id = $1 AND tool = $2";
const EFFECTS_SET: &str =
    "SELECT org_id, tool, effect FROM tool_effects WHERE $1 IS NULL OR org_id = $1";

const RAISE: &str = "INSERT INTO tool_raised (org_id, agent_id, tool, effect, raised_by, raised_at) \
                     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (org_id, tool, agent_id) DO UPDATE \
                     SET effect = excluded.effect, raised_by = excluded.raised_by, \
                     raised_at = excluded.raised_at";
const LOWER: &str = "DELETE FROM tool_raised WHERE org_id = $1 AND agent_id = $2 AND tool = $3";
// What an agent raised as it was revoked may be there still. What has no agent is for all of them.
const RAISED: &str = "SELECT r.org_id, r.agent_id, r.tool, r.effect FROM tool_raised r \
                      LEFT JOIN agents a ON a.id = r.agent_id \
                      WHERE (r.agent_id = '' OR a.status <> 'revoked') AND ($1 IS NULL OR r.org_id = $1)";

const DECLARE: &str = "INSERT INTO tool_manifest (org_id, tool, effect, scopes, arguments, places, \
                       declared_by, declared_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                       ON CONFLICT (org_id, tool) DO UPDATE SET effect = excluded.effect, \
                       scopes = excluded.scopes, arguments = excluded.arguments, \
                       places = excluded.places, declared_by = excluded.declared_by, \
                       declared_at = excluded.declared_at";
const REMOVE: &str = "DELETE FROM tool_manifest WHERE org_id = $1 AND tool = $2";
const DECLARED: &str = "SELECT org_id, tool, effect, scopes, arguments, places FROM tool_manifest \
                        WHERE $1 IS NULL OR org_id = $1";

from_row! {
    struct Raw {
        org_id: String,
        tool: String,
        effect: Option<String>,
        scopes: String,
        arguments: String,
        places: String,
    }
}

/// A statement about a tool of an organisation: the columns of others are empty.
#[derive(Debug)]
pub(crate) struct ToolRow {
    pub(crate) org_id: String,
    pub(crate) tool: String,
    pub(crate) known: ToolFacts,
}

impl TryFrom<Raw> for ToolRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        let json =
            |column: &str, text| Json::parse(text).map_err(|error| unreadable(column, error));
        let declared = Declared {
            effect: raw.effect.as_deref().map(effect).transpose()?,
            scopes: from_json("scopes", &raw.scopes)?,
            arguments: json("arguments", raw.arguments)?,
            places: json("places", raw.places)?,
        };
        let known = ToolFacts { declared: Some(Arc::new(declared)), ..ToolFacts::default() };
        Ok(Self { org_id: raw.org_id, tool: raw.tool, known })
    }
}

/// Changes of what is known of an organisation's tools.
#[derive(Debug)]
pub(crate) struct ToolChanges {
    pub(crate) org_id: String,
    pub(crate) key_id: String,
    /// The number of the last change that was seen when they were planned.
    pub(crate) seen: i64,
    pub(crate) changes: Vec<ToolChange>,
}

impl Store {
    /// Keeps changes of what is known of tools, all of them or none; `false` when something was changed that their
    /// planner had not seen.
    pub(crate) async fn change_tools(
        &self,
        planned: ToolChanges,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let ToolChanges { org_id, key_id, seen, changes } = planned;
            let mut transaction = db.begin().await?;
            transaction.lock(&org_id).await?;
            let (unseen,): (i64,) =
                query(UNSEEN).bind(seen).bind(&org_id).fetch_one(&mut transaction).await?;
            if unseen > 0 {
                return Ok(false);
            }
            for ToolChange { tool, before, after } in &changes {
                let mut row = Row {
                    transaction: &mut transaction,
                    org_id: &org_id,
                    tool,
                    key_id: &key_id,
                    now,
                };
                if before.set != after.set {
                    row.set(after.set).await?;
                }
                for (agent, _, effect) in before.raised.changes(&after.raised) {
                    row.raised(agent, effect).await?;
                }
                if before.declared != after.declared {
                    row.declared(after.declared.as_deref()).await?;
                }
            }
            append_change(&mut transaction, Kind::Tools, &org_id, "", now).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Returns everything that is known of tools.
    pub(crate) async fn tools(&self) -> Result<Vec<ToolRow>, StoreError> {
        self.tools_where(None).await
    }

    /// Returns everything that is known of this organisation's tools.
    pub(crate) async fn tools_of(&self, org_id: String) -> Result<Vec<ToolRow>, StoreError> {
        self.tools_where(Some(org_id)).await
    }

    async fn tools_where(&self, org_id: Option<String>) -> Result<Vec<ToolRow>, StoreError> {
        self.run(move |db| async move {
            let mut rows = Vec::new();
            let declared: Vec<Raw> = query(DECLARED).bind(&org_id).fetch_all(&db).await?;
            for raw in declared {
                rows.push(raw.try_into()?);
            }
            let set: Vec<(String, String, String)> =
                query(EFFECTS_SET).bind(&org_id).fetch_all(&db).await?;
            for (org_id, tool, word) in set {
                let known = ToolFacts { set: Some(effect(&word)?), ..ToolFacts::default() };
                rows.push(ToolRow { org_id, tool, known });
            }
            let raised: Vec<(String, String, String, String)> =
                query(RAISED).bind(&org_id).fetch_all(&db).await?;
            for (org_id, agent, tool, word) in raised {
                let mut known = ToolFacts::default();
                known.raised.raise(agent.into(), effect(&word)?);
                rows.push(ToolRow { org_id, tool, known });
            }
            Ok(rows)
        })
        .await
    }
}

/// The rows of one tool.
struct Row<'a> {
    transaction: &'a mut Transaction,
    org_id: &'a str,
    tool: &'a str,
    /// The key that changes it, and the time.
    key_id: &'a str,
    now: Timestamp,
}

impl Row<'_> {
    async fn set(&mut self, effect: Option<Effect>) -> Result<(), sqlx::Error> {
        let Some(effect) = effect else { return self.forget(UNSET).await };
        query(SET)
            .bind(self.org_id)
            .bind(self.tool)
            .bind(effect.as_str())
            .bind(self.key_id)
            .bind(self.now.unix_micros())
            .execute(&mut *self.transaction)
            .await
            .map(drop)
    }

    /// Records the effect to which an agent raised the tool's.
    async fn raised(&mut self, agent: &str, effect: Option<Effect>) -> Result<(), sqlx::Error> {
        let statement = query(if effect.is_some() { RAISE } else { LOWER })
            .bind(self.org_id)
            .bind(agent)
            .bind(self.tool);
        let statement = match effect {
            Some(effect) => {
                statement.bind(effect.as_str()).bind(self.key_id).bind(self.now.unix_micros())
            }
            None => statement,
        };
        statement.execute(&mut *self.transaction).await.map(drop)
    }

    async fn declared(&mut self, declared: Option<&Declared>) -> Result<(), sqlx::Error> {
        let Some(declared) = declared else { return self.forget(REMOVE).await };
        query(DECLARE)
            .bind(self.org_id)
            .bind(self.tool)
            .bind(declared.effect.map(|effect| effect.as_str()))
            .bind(to_json(&declared.scopes))
            .bind(declared.arguments.as_str())
            .bind(declared.places.as_str())
            .bind(self.key_id)
            .bind(self.now.unix_micros())
            .execute(&mut *self.transaction)
            .await
            .map(drop)
    }

    async fn forget(&mut self, forget: &'static str) -> Result<(), sqlx::Error> {
        query(forget)
            .bind(self.org_id)
            .bind(self.tool)
            .execute(&mut *self.transaction)
            .await
            .map(drop)
    }
}

fn effect(word: &str) -> Result<Effect, sqlx::Error> {
    word.parse().map_err(|error| unreadable("effect", error))
}
