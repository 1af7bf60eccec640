//! The table of MCP servers. Each has a gateway key of its own, which comes and goes with it.

use std::fmt;

use agenttrust::Timestamp;

use super::changes::{Kind, append_change};
use super::db::query;
use super::issued::Gone;
use super::keys::{self, KeyEnd, KeyRow};
use super::row::from_row;
use super::{Store, StoreError, from_json, from_micros, to_json};

/// The largest number of MCP servers of an organisation.
pub(crate) const MCP_SERVERS_MOST: i64 = 100;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, org_id, name, url, capabilities, credentials, key_id, created_by, created_at, \
             tools_seen_at FROM mcp_servers ",
            $rest
        )
    };
}

const COUNT: &str = "SELECT COUNT(*) FROM mcp_servers WHERE org_id = $1";
const NAMED: &str = "SELECT id FROM mcp_servers WHERE org_id = $1 AND name = $2";
const INSERT: &str = "INSERT INTO mcp_servers (id, org_id, name, url, capabilities, credentials, key_id, \
                      created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const LIST: &str = select!("ORDER BY created_at, id");
const BY_ID: &str = select!("WHERE id = $1");
const DELETE: &str = "DELETE FROM mcp_servers WHERE id = $1 AND org_id = $2";
const DELETE_TOOLS: &str = "DELETE FROM mcp_tools WHERE server_id = $1";

/// An MCP server as it is kept.
#[derive(Clone)]
pub(crate) struct McpServerRow {
    pub(crate) id: String,
    pub(crate) org_id: String,
    /// The name that its tools are called by, as in `name/tool`.
    pub(crate) name: String,
    pub(crate) url: String,
    /// The capabilities that it offers, as its registrant says; for people.
    pub(crate) capabilities: Vec<String>,
    /// The value that is sent to it as `Authorization`, sealed.
    pub(crate) authorization: Option<String>,
    /// Its gateway key.
    pub(crate) key_id: String,
    /// The key that registered it.
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
    /// The time when its tools were last found to have changed; absent until they were listed.
    pub(crate) tools_seen_at: Option<Timestamp>,
}

// A path or a query may be as good as a password.
impl fmt::Debug for McpServerRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServerRow")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The result of keeping a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum McpServerKept {
    Kept,
    /// The name is taken by a server: its id.
    Named(String),
    /// Its organisation has as many as it may have.
    Full,
    /// The key that registers it was revoked meanwhile.
    KeyRevoked,
}

from_row! {
    struct Raw {
        id: String,
        org_id: String,
        name: String,
        url: String,
        capabilities: String,
        credentials: Option<String>,
        key_id: String,
        created_by: String,
        created_at: i64,
        tools_seen_at: Option<i64>,
    }
}

impl TryFrom<Raw> for McpServerRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        let seen = raw.tools_seen_at.map(|at| from_micros("tools_seen_at", at)).transpose()?;
        Ok(Self {
            id: raw.id,
            org_id: raw.org_id,
            name: raw.name,
            url: raw.url,
            capabilities: from_json("capabilities", &raw.capabilities)?,
            authorization: raw.credentials,
            key_id: raw.key_id,
            created_by: raw.created_by,
            created_at: from_micros("created_at", raw.created_at)?,
            tools_seen_at: seen,
        })
    }
}

impl Store {
    /// Keeps a new MCP server and its gateway key, both or neither.
    pub(crate) async fn insert_mcp_server(
        &self,
        row: McpServerRow,
        key: KeyRow,
    ) -> Result<McpServerKept, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&row.org_id).await?;
            // Who revokes the key that registers holds the same lock, and comes before or after.
            transaction.lock(&row.created_by).await?;
            if keys::is_revoked(&mut transaction, &row.created_by).await? {
                return Ok(McpServerKept::KeyRevoked);
            }
            let named: Option<(String,)> = query(NAMED)
                .bind(&row.org_id)
                .bind(&row.name)
                .fetch_optional(&mut transaction)
                .await?;
            if let Some((id,)) = named {
                return Ok(McpServerKept::Named(id));
            }
            let (count,): (i64,) =
                query(COUNT).bind(&row.org_id).fetch_one(&mut transaction).await?;
            if count >= MCP_SERVERS_MOST {
                return Ok(McpServerKept::Full);
            }
            keys::insert(&mut transaction, &key).await?;
            query(INSERT)
                .bind(&row.id)
                .bind(&row.org_id)
                .bind(&row.name)
                .bind(&row.url)
                .bind(to_json(&row.capabilities))
                .bind(&row.authorization)
                .bind(&row.key_id)
                .bind(&row.created_by)
                .bind(row.created_at.unix_micros())
                .execute(&mut transaction)
                .await?;
            append_change(&mut transaction, Kind::Key, &key.org_id, &key.id, key.created_at)
                .await?;
            append_change(&mut transaction, Kind::McpServer, &row.org_id, &row.id, row.created_at)
                .await?;
            transaction.commit().await?;
            Ok(McpServerKept::Kept)
        })
        .await
    }

    /// Returns every MCP server, oldest first.
    pub(crate) async fn mcp_servers(&self) -> Result<Vec<McpServerRow>, StoreError> {
        self.run(|db| async move {
            let rows: Vec<Raw> = query(LIST).fetch_all(&db).await?;
            rows.into_iter().map(McpServerRow::try_from).collect()
        })
        .await
    }

    /// Returns the MCP server with this id.
    pub(crate) async fn mcp_server(&self, id: String) -> Result<Option<McpServerRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<Raw> = query(BY_ID).bind(id).fetch_optional(&db).await?;
            row.map(McpServerRow::try_from).transpose()
        })
        .await
    }

    /// Removes an MCP server with its tools, and revokes its gateway key with what was issued with it; `None` when
    /// there is no such server, and inside what went with the key, where that still worked.
    pub(crate) async fn delete_mcp_server(
        &self,
        id: String,
        key: KeyEnd,
    ) -> Result<Option<Option<Gone>>, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&id).await?;
            query(DELETE_TOOLS).bind(&id).execute(&mut transaction).await?;
            let done = query(DELETE).bind(&id).bind(&key.org_id).execute(&mut transaction).await?;
            if done == 0 {
                return Ok(None);
            }
            let (org_id, now) = (key.org_id.clone(), key.now);
            let revoked = keys::revoke(&mut transaction, &key).await?;
            if revoked.is_some() {
                append_change(&mut transaction, Kind::Key, &org_id, &key.id, now).await?;
            }
            append_change(&mut transaction, Kind::McpServer, &org_id, &id, now).await?;
            transaction.commit().await?;
            Ok(Some(revoked))
        })
        .await
    }
}
