//! The tables of what is known of tools: set, declared and raised.

use std::sync::Arc;

use agenttrust::{Effect, Timestamp};
use sqlx::{FromRow, SqliteConnection};

use super::{Store, StoreError, begin, from_json, to_json, unreadable};
use crate::manifest::{Change, Declared, Json, Known};

const SET: &str = "INSERT INTO tool_effects (org_id, tool, effect, set_by, set_at) \
                   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (org_id, tool) DO UPDATE \
                   SET effect = excluded.effect, set_by = excluded.set_by, set_at = excluded.set_at";
const UNSET: &str = "DELETE FROM tool_effects WHERE org_id = $1 AND tool = $2";
const ALL_SET: &str = "SELECT org_id, tool, effect FROM tool_effects";

const RAISE: &str = "INSERT INTO tool_raised (org_id, tool, effect, raised_by, raised_at) \
                     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (org_id, tool) DO UPDATE \
                     SET effect = excluded.effect, raised_by = excluded.raised_by, \
                     raised_at = excluded.raised_at";
const LOWER: &str = "DELETE FROM tool_raised WHERE org_id = $1 AND tool = $2";
const ALL_RAISED: &str = "SELECT org_id, tool, effect FROM tool_raised";

const DECLARE: &str = "INSERT INTO tool_manifest (org_id, tool, effect, scopes, arguments, places, \
                       declared_by, declared_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                       ON CONFLICT (org_id, tool) DO UPDATE SET effect = excluded.effect, \
                       scopes = excluded.scopes, arguments = excluded.arguments, \
                       places = excluded.places, declared_by = excluded.declared_by, \
                       declared_at = excluded.declared_at";
const REMOVE: &str = "DELETE FROM tool_manifest WHERE org_id = $1 AND tool = $2";
const ALL_DECLARED: &str =
    "SELECT org_id, tool, effect, scopes, arguments, places FROM tool_manifest";

#[derive(FromRow)]
struct Raw {
    org_id: String,
    tool: String,
    effect: Option<String>,
    scopes: String,
    arguments: String,
    places: String,
}

/// One word about a tool of an organisation: the others are empty.
#[derive(Debug)]
pub(crate) struct ToolRow {
    pub(crate) org_id: String,
    pub(crate) tool: String,
    pub(crate) known: Known,
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
        let known = Known { declared: Some(Arc::new(declared)), ..Known::default() };
        Ok(Self { org_id: raw.org_id, tool: raw.tool, known })
    }
}

impl Store {
    /// Keeps changes of what is known of tools, all of them or none.
    pub(crate) async fn change_tools(
        &self,
        org_id: String,
        changes: Vec<Change>,
        key_id: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.run(|pool| async move {
            let mut transaction = begin(&pool).await?;
            for Change { tool, before, after } in &changes {
                let mut row = Row { connection: &mut transaction, org_id: &org_id, tool };
                if before.set != after.set {
                    row.effect(SET, UNSET, after.set, &key_id, now).await?;
                }
                if before.raised != after.raised {
                    row.effect(RAISE, LOWER, after.raised, &key_id, now).await?;
                }
                if before.declared != after.declared {
                    row.declared(after.declared.as_deref(), &key_id, now).await?;
                }
            }
            transaction.commit().await
        })
        .await
    }

    /// Everything that is known of tools.
    pub(crate) async fn tools(&self) -> Result<Vec<ToolRow>, StoreError> {
        self.run(|pool| async move {
            let mut rows = Vec::new();
            let declared: Vec<Raw> = sqlx::query_as(ALL_DECLARED).fetch_all(&pool).await?;
            for raw in declared {
                rows.push(raw.try_into()?);
            }
            let set: Vec<(String, String, String)> =
                sqlx::query_as(ALL_SET).fetch_all(&pool).await?;
            for (org_id, tool, word) in set {
                let known = Known { set: Some(effect(&word)?), ..Known::default() };
                rows.push(ToolRow { org_id, tool, known });
            }
            let raised: Vec<(String, String, String)> =
                sqlx::query_as(ALL_RAISED).fetch_all(&pool).await?;
            for (org_id, tool, word) in raised {
                let known = Known { raised: Some(effect(&word)?), ..Known::default() };
                rows.push(ToolRow { org_id, tool, known });
            }
            Ok(rows)
        })
        .await
    }
}

/// The rows of one tool.
struct Row<'a> {
    connection: &'a mut SqliteConnection,
    org_id: &'a str,
    tool: &'a str,
}

impl Row<'_> {
    async fn effect(
        &mut self,
        keep: &'static str,
        forget: &'static str,
        effect: Option<Effect>,
        key_id: &str,
        now: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let Some(effect) = effect else { return self.forget(forget).await };
        sqlx::query(keep)
            .bind(self.org_id)
            .bind(self.tool)
            .bind(effect.as_str())
            .bind(key_id)
            .bind(now.unix_micros())
            .execute(&mut *self.connection)
            .await
            .map(drop)
    }

    async fn declared(
        &mut self,
        declared: Option<&Declared>,
        key_id: &str,
        now: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let Some(declared) = declared else { return self.forget(REMOVE).await };
        sqlx::query(DECLARE)
            .bind(self.org_id)
            .bind(self.tool)
            .bind(declared.effect.map(|effect| effect.as_str()))
            .bind(to_json(&declared.scopes))
            .bind(declared.arguments.as_str())
            .bind(declared.places.as_str())
            .bind(key_id)
            .bind(now.unix_micros())
            .execute(&mut *self.connection)
            .await
            .map(drop)
    }

    async fn forget(&mut self, forget: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(forget)
            .bind(self.org_id)
            .bind(self.tool)
            .execute(&mut *self.connection)
            .await
            .map(drop)
    }
}

fn effect(word: &str) -> Result<Effect, sqlx::Error> {
    word.parse().map_err(|error| unreadable("effect", error))
}
