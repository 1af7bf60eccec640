//! The table of the tools of MCP servers, as they are pinned.

use std::sync::Arc;

use agenttrust::{Effect, Timestamp};
use serde_json::Value;

use super::changes::{Kind, append_change};
use super::db::query;
use super::row::from_row;
use super::{Store, StoreError, Transaction, from_json, from_micros, unreadable};
use crate::manifest::{KeptTool, Mark, PinnedTool};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT server_id, name, digest, definition, effect_hint, changed_digest, changed_definition, \
             is_gone, told, told_at, first_seen_at, accepted_by, accepted_at FROM mcp_tools ",
            $rest
        )
    };
}

// What a tool is changed to is read where it is shown, and nowhere else.
const ALL: &str = "SELECT server_id, name, digest, definition, effect_hint, changed_digest, \
    NULL AS changed_definition, is_gone, told, told_at, first_seen_at, accepted_by, accepted_at FROM mcp_tools \
    WHERE $1 IS NULL OR server_id = $1";
const SHOWN: &str = select!("WHERE server_id = $1 ORDER BY name");
const UNSEEN: &str =
    "SELECT COUNT(*) FROM changes WHERE seq > $1 AND kind = 'mcp_server' AND id = $2";
const EXISTS: &str = "SELECT COUNT(*) FROM mcp_servers WHERE id = $1";
const PIN: &str = "INSERT INTO mcp_tools (server_id, name, digest, definition, effect_hint, is_gone, \
                   first_seen_at) VALUES ($1, $2, $3, $4, $5, FALSE, $6)";
const MARK: &str = "UPDATE mcp_tools SET changed_digest = $3, changed_definition = $4, is_gone = $5, \
                    told = $6, told_at = $7 WHERE server_id = $1 AND name = $2";
const SEEN: &str = "UPDATE mcp_servers SET tools_seen_at = $2 WHERE id = $1";
const ACCEPT: &str = "UPDATE mcp_tools SET digest = changed_digest, definition = changed_definition, \
                      effect_hint = $4, changed_digest = NULL, changed_definition = NULL, told = NULL, \
                      told_at = NULL, accepted_by = $5, accepted_at = $6 \
                      WHERE server_id = $1 AND name = $2 AND changed_digest = $3 \
                      AND changed_definition IS NOT NULL";

/// A tool of an MCP server.
#[derive(Clone, Debug)]
pub(crate) struct McpToolRow {
    pub(crate) server_id: String,
    pub(crate) tool: KeptTool,
    /// The definition that the server lists under its name instead: only in what [`Store::shown_mcp_tools`] returns.
    pub(crate) changed_definition: Option<Value>,
}

/// Changes of what is kept of the tools of a server.
#[derive(Debug)]
pub(crate) struct McpToolChanges {
    pub(crate) server_id: String,
    pub(crate) org_id: String,
    /// The number of the last change that was seen when they were planned.
    pub(crate) seen: i64,
    pub(crate) pinned: Vec<PinnedTool>,
    pub(crate) marks: Vec<Mark>,
}

/// The acceptance of what a tool is changed to.
#[derive(Clone, Debug)]
pub(crate) struct McpToolAccepted {
    pub(crate) server_id: String,
    pub(crate) org_id: String,
    pub(crate) name: String,
    /// The definition that is accepted, by digest.
    pub(crate) digest: String,
    pub(crate) effect_hint: Option<Effect>,
    /// The key that accepts it.
    pub(crate) by: String,
}

from_row! {
    struct Raw {
        server_id: String,
        name: String,
        digest: String,
        definition: String,
        effect_hint: Option<String>,
        changed_digest: Option<String>,
        changed_definition: Option<String>,
        is_gone: bool,
        told: Option<String>,
        told_at: Option<i64>,
        first_seen_at: i64,
        accepted_by: Option<String>,
        accepted_at: Option<i64>,
    }
}

impl TryFrom<Raw> for McpToolRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        let time = |column: &str, at: Option<i64>| at.map(|at| from_micros(column, at)).transpose();
        let effect = |word: &str| word.parse().map_err(|error| unreadable("effect_hint", error));
        let changed = raw.changed_definition.as_deref();
        let pinned = PinnedTool {
            name: raw.name,
            digest: raw.digest,
            bytes: raw.definition.len(),
            definition: from_json("definition", &raw.definition)?,
            effect_hint: raw.effect_hint.as_deref().map(effect).transpose()?,
        };
        Ok(Self {
            server_id: raw.server_id,
            changed_definition: changed
                .map(|text| from_json("changed_definition", text))
                .transpose()?,
            tool: KeptTool {
                pinned: Arc::new(pinned),
                changed: raw.changed_digest,
                is_gone: raw.is_gone,
                told: raw.told,
                told_at: time("told_at", raw.told_at)?,
                first_seen_at: from_micros("first_seen_at", raw.first_seen_at)?,
                accepted_by: raw.accepted_by,
                accepted_at: time("accepted_at", raw.accepted_at)?,
            },
        })
    }
}

impl Store {
    /// Returns the tools of every server, or of this one.
    pub(crate) async fn mcp_tools(
        &self,
        server_id: Option<String>,
    ) -> Result<Vec<McpToolRow>, StoreError> {
        self.run(move |db| async move {
            let rows: Vec<Raw> = query(ALL).bind(server_id).fetch_all(&db).await?;
            rows.into_iter().map(McpToolRow::try_from).collect()
        })
        .await
    }

    /// Returns the tools of this server with what they are changed to, ordered by name.
    pub(crate) async fn shown_mcp_tools(
        &self,
        server_id: String,
    ) -> Result<Vec<McpToolRow>, StoreError> {
        self.run(move |db| async move {
            let rows: Vec<Raw> = query(SHOWN).bind(server_id).fetch_all(&db).await?;
            rows.into_iter().map(McpToolRow::try_from).collect()
        })
        .await
    }

    /// Keeps what was observed of a server's tools, all of it or nothing; `false` when something was changed that
    /// was not seen when it was planned, or the server is gone.
    pub(crate) async fn change_mcp_tools(
        &self,
        planned: McpToolChanges,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let McpToolChanges { server_id, org_id, seen, pinned, marks } = planned;
            let mut transaction = db.begin().await?;
            transaction.lock(&server_id).await?;
            let (unseen,): (i64,) =
                query(UNSEEN).bind(seen).bind(&server_id).fetch_one(&mut transaction).await?;
            let (servers,): (i64,) =
                query(EXISTS).bind(&server_id).fetch_one(&mut transaction).await?;
            if unseen > 0 || servers == 0 {
                return Ok(false);
            }
            for tool in pinned {
                pin(&mut transaction, &server_id, tool, now).await?;
            }
            for tool in marks {
                mark(&mut transaction, &server_id, tool).await?;
            }
            query(SEEN).bind(&server_id).bind(now.unix_micros()).execute(&mut transaction).await?;
            append_change(&mut transaction, Kind::McpServer, &org_id, &server_id, now).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Pins a tool as it is changed; `false` when it is changed to another one by now, or is as it was.
    pub(crate) async fn accept_mcp_tool(
        &self,
        accepted: McpToolAccepted,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let McpToolAccepted { server_id, org_id, name, digest, effect_hint, by } = accepted;
            let mut transaction = db.begin().await?;
            transaction.lock(&server_id).await?;
            let done = query(ACCEPT)
                .bind(&server_id)
                .bind(name)
                .bind(digest)
                .bind(effect_hint.map(|effect| effect.as_str()))
                .bind(by)
                .bind(now.unix_micros())
                .execute(&mut transaction)
                .await?;
            if done == 0 {
                return Ok(false);
            }
            append_change(&mut transaction, Kind::McpServer, &org_id, &server_id, now).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }
}

async fn pin(
    transaction: &mut Transaction,
    server_id: &str,
    tool: PinnedTool,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    query(PIN)
        .bind(server_id)
        .bind(tool.name)
        .bind(tool.digest)
        .bind(tool.definition.to_string())
        .bind(tool.effect_hint.map(|effect| effect.as_str()))
        .bind(now.unix_micros())
        .execute(transaction)
        .await
        .map(drop)
}

async fn mark(
    transaction: &mut Transaction,
    server_id: &str,
    mark: Mark,
) -> Result<(), sqlx::Error> {
    let (digest, definition) = mark.changed.unzip();
    query(MARK)
        .bind(server_id)
        .bind(mark.name)
        .bind(digest)
        .bind(definition.flatten().map(|it| it.to_string()))
        .bind(mark.is_gone)
        .bind(mark.told)
        .bind(mark.told_at.map(Timestamp::unix_micros))
        .execute(transaction)
        .await
        .map(drop)
}
