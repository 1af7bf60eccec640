//! The table of what programs declare of their tools.

use std::collections::HashMap;

use agenttrust::Timestamp;
use agenttrust::model::ToolDeclaration;
use sqlx::{FromRow, SqliteConnection};

use super::settings::bump_tools_version;
use super::{Store, StoreError, begin, from_json, to_json, unreadable};
use crate::manifest::{Author, Declared, Full, Manifest};

const LIST: &str = "SELECT org_id, tool, effect, scopes, arguments, places, vouched \
                    FROM tool_manifest";
const OF_ORG: &str = "SELECT org_id, tool, effect, scopes, arguments, places, vouched \
                      FROM tool_manifest WHERE org_id = $1";
const SET: &str = "INSERT INTO tool_manifest (org_id, tool, effect, scopes, arguments, places, \
                   vouched, declared_by, declared_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
                   ON CONFLICT (org_id, tool) DO UPDATE SET effect = excluded.effect, \
                   scopes = excluded.scopes, arguments = excluded.arguments, \
                   places = excluded.places, vouched = excluded.vouched, \
                   declared_by = excluded.declared_by, declared_at = excluded.declared_at";
const REMOVE: &str = "DELETE FROM tool_manifest WHERE org_id = $1 AND tool = $2";

#[derive(FromRow)]
struct Raw {
    org_id: String,
    tool: String,
    effect: Option<String>,
    scopes: String,
    arguments: String,
    places: String,
    vouched: bool,
}

impl TryFrom<Raw> for Declared {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        let effect = raw.effect.map(|word| word.parse()).transpose();
        Ok(Self {
            effect: effect.map_err(|error| unreadable("effect", error))?,
            scopes: from_json("scopes", &raw.scopes)?,
            arguments: from_json("arguments", &raw.arguments)?,
            places: from_json("places", &raw.places)?,
            vouched: raw.vouched,
        })
    }
}

/// An organisation's manifest after a change.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Of two of them, the one with the larger version is the later one.
    pub(crate) version: i64,
    pub(crate) manifest: Manifest,
    /// The names of the tools about which something changed.
    pub(crate) changed: Vec<String>,
}

/// One manifest as it was sent.
#[derive(Clone, Debug)]
pub(crate) struct Declaring {
    pub(crate) org_id: String,
    pub(crate) said: Vec<ToolDeclaration>,
    pub(crate) author: Author,
    pub(crate) key_id: String,
    pub(crate) now: Timestamp,
}

impl Store {
    /// Takes in a manifest, wholly or not at all.
    pub(crate) async fn declare_tools(
        &self,
        declaring: Declaring,
    ) -> Result<Result<Kept, Full>, StoreError> {
        self.run(|pool| async move {
            let Declaring { org_id, said, author, key_id, now } = declaring;
            let mut transaction = begin(&pool).await?;
            let mut manifest = of_org(&mut transaction, &org_id).await?;
            let changed = match manifest.declare(&said, author) {
                Ok(changed) => changed,
                Err(full) => return Ok(Err(full)),
            };
            for tool in &changed {
                let Some(declared) = manifest.get(tool) else { continue };
                sqlx::query(SET)
                    .bind(&org_id)
                    .bind(tool)
                    .bind(declared.effect.map(|effect| effect.as_str()))
                    .bind(to_json(&declared.scopes))
                    .bind(to_json(&declared.arguments))
                    .bind(to_json(&declared.places))
                    .bind(declared.vouched)
                    .bind(&key_id)
                    .bind(now.unix_micros())
                    .execute(&mut *transaction)
                    .await?;
            }
            let version = bump_tools_version(&mut transaction).await?;
            transaction.commit().await?;
            Ok(Ok(Kept { version, manifest, changed }))
        })
        .await
    }

    /// Forgets what is declared of a tool; `None` when there is nothing.
    pub(crate) async fn remove_tool(
        &self,
        org_id: String,
        tool: String,
    ) -> Result<Option<Kept>, StoreError> {
        self.run(|pool| async move {
            let mut transaction = begin(&pool).await?;
            let done =
                sqlx::query(REMOVE).bind(&org_id).bind(&tool).execute(&mut *transaction).await?;
            if done.rows_affected() == 0 {
                return Ok(None);
            }
            let manifest = of_org(&mut transaction, &org_id).await?;
            let version = bump_tools_version(&mut transaction).await?;
            transaction.commit().await?;
            Ok(Some(Kept { version, manifest, changed: vec![tool] }))
        })
        .await
    }

    /// Everything that is declared, by organisation.
    pub(crate) async fn tool_manifests(&self) -> Result<HashMap<String, Manifest>, StoreError> {
        self.run(|pool| async move {
            let rows: Vec<Raw> = sqlx::query_as(LIST).fetch_all(&pool).await?;
            let mut by_org: HashMap<String, Manifest> = HashMap::new();
            for row in rows {
                let (org_id, tool) = (row.org_id.clone(), row.tool.clone());
                by_org.entry(org_id).or_default().insert(tool, row.try_into()?);
            }
            Ok(by_org)
        })
        .await
    }
}

async fn of_org(connection: &mut SqliteConnection, org_id: &str) -> Result<Manifest, sqlx::Error> {
    let rows: Vec<Raw> = sqlx::query_as(OF_ORG).bind(org_id).fetch_all(connection).await?;
    let mut manifest = Manifest::default();
    for row in rows {
        let tool = row.tool.clone();
        manifest.insert(tool, row.try_into()?);
    }
    Ok(manifest)
}
