//! MCP servers: registered, listed and removed, each with a gateway key of its own.

use std::sync::Arc;

use agenttrust::model::McpServer;
use http::HeaderValue;
use reqwest::Url;
use serde_json::json;

use super::keys::{self, Maker};
use crate::audit::Record;
use crate::domain::names::{check_name, check_names};
use crate::domain::{Error, Key, Secret, ids};
use crate::engine::Engine;
use crate::engine::taking::KeyTaking;
use crate::registry::McpServerEntry;
use crate::store::{KeyEnd, MCP_SERVERS_MOST, McpServerKept, McpServerRow, SecretOf};

/// The names that the tools of AgentTrust itself begin with: a server of such a name would have tools that are called
/// like these.
const RESERVED: [&str; 4] = ["a2a", "agenttrust", "http", "mcp"];
/// The longest `Authorization` that is sent to a server, in bytes.
const AUTHORIZATION_MAX_BYTES: usize = 8_000;
/// The reason for which the gateway key of a server that is removed is revoked.
const REMOVED: &str = "its MCP server was removed";

/// An MCP server that is to be registered.
pub(crate) struct NewMcpServer {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) capabilities: Vec<String>,
    /// The value of `Authorization` that is sent to it.
    pub(crate) authorization: Option<Secret>,
}

/// Registers an MCP server, and makes its gateway key: both or neither.
///
/// # Errors
///
/// Invalid for a name that cannot be one, a URL that may not be called and an authorization that no header carries;
/// conflict for a name that is taken, and for a key that comes from too many others; too many where the organisation
/// has as many as it may have; unavailable where the database or the audit cannot be written, and where there is no
/// key to seal an authorization by.
pub(crate) async fn register(
    engine: &Engine,
    key: &Key,
    new: NewMcpServer,
) -> Result<McpServer, Error> {
    check_server_name("name", &new.name)?;
    let target = engine.target_of("url", &new.url)?;
    check_names("capabilities", &new.capabilities)?;
    new.authorization.as_ref().map_or(Ok(()), check_authorization)?;
    keys::check_line(engine, Maker::Key(key)).await?;
    let id = ids::new("mcp_");
    let about = SecretOf::McpServer.about(&id);
    let sealed = new.authorization.map(|secret| engine.sealer.seal(&about, &secret)).transpose()?;
    let now = engine.clock.now();
    let gateway = keys::own_gateway(key, new.name.clone(), now)?;
    let row = McpServerRow {
        id,
        org_id: key.org_id.clone(),
        name: new.name,
        url: new.url,
        capabilities: new.capabilities,
        authorization: sealed,
        key_id: gateway.id.clone(),
        created_by: key.id.clone(),
        created_at: now,
        tools_seen_at: None,
    };
    let made = keys::created(&gateway).actor(&key.id);
    let registered = registered(&row, &target).actor(&key.id);
    let stored = async {
        let kept = engine.store.insert_mcp_server(row.clone(), gateway).await?;
        need_kept(kept, &row.name)
    };
    engine.change(stored, |()| made).await?;
    engine.record_audit(registered).await?;
    Ok(show(&row, true))
}

/// Refuses a name, given as `field`, that could not begin the names of tools, or would begin those of others.
///
/// # Errors
///
/// Invalid.
pub(crate) fn check_server_name(field: &'static str, name: &str) -> Result<(), Error> {
    check_name(field, name)?;
    if let Some(bad) = name.chars().find(|character| matches!(character, '/' | ',' | '*')) {
        let problem =
            format!("holds {bad:?}; its tools are called as in `name/tool`, so leave it out");
        return Err(Error::invalid(field, problem));
    }
    if name.trim() != name {
        return Err(Error::invalid(field, "has spaces around it; leave them out"));
    }
    if RESERVED.contains(&name) {
        let problem = format!("is {name:?}, which the names of AgentTrust's own tools begin with");
        return Err(Error::invalid(field, format!("{problem}; give it another one")));
    }
    Ok(())
}

/// Refuses what no header carries. The value is repeated nowhere.
fn check_authorization(value: &Secret) -> Result<(), Error> {
    let value = value.expose();
    if value.is_empty() {
        let problem = "is empty; give the whole value of the header, or leave it out";
        return Err(Error::invalid("authorization", problem));
    }
    if value.len() > AUTHORIZATION_MAX_BYTES {
        let bytes = value.len();
        let long = format!("is {bytes} bytes long; {AUTHORIZATION_MAX_BYTES} is the most");
        return Err(Error::invalid("authorization", long));
    }
    let travels = value.is_ascii() && HeaderValue::from_str(value).is_ok() && value.trim() == value;
    if !travels {
        return Err(Error::invalid(
            "authorization",
            "holds what no header carries; use visible ASCII characters, as in `Bearer …`, with no spaces around them",
        ));
    }
    Ok(())
}

fn need_kept(kept: McpServerKept, name: &str) -> Result<(), Error> {
    match kept {
        McpServerKept::Kept => Ok(()),
        McpServerKept::Named(id) => Err(Error::conflict(format!(
            "there is an MCP server of the name {name:?} already, {id:?}; take another name, or remove that one first"
        ))),
        McpServerKept::Full => Err(Error::too_many(format!(
            "this organisation has {MCP_SERVERS_MOST} MCP servers, which is the most; remove one first"
        ))),
        McpServerKept::KeyRevoked => {
            Err(Error::unauthenticated("the API key was revoked meanwhile; use another one"))
        }
    }
}

/// Returns what the audit says of a new server. Not the path: it may be as good as a password.
fn registered(row: &McpServerRow, target: &Url) -> Record {
    Record::new("mcp_server.registered", &row.org_id).body(json!({
        "server_id": row.id,
        "name": row.name,
        "origin": target.origin().ascii_serialization(),
        "capabilities": row.capabilities,
        "authorization": row.authorization.is_some(),
        "key_id": row.key_id,
    }))
}

/// Records in the audit that a caller with the permission was refused, and what it named; waits for nothing.
pub(crate) fn refused(engine: &Engine, key: &Key, error: &Error, named: &[(&str, &str)]) {
    engine.refused_request("mcp_server.refused", key, error, named);
}

/// Returns the server of this id, if it is of this organisation.
///
/// # Errors
///
/// Not found.
pub(crate) fn known(engine: &Engine, org_id: &str, id: &str) -> Result<Arc<McpServerEntry>, Error> {
    let found = engine.registry.mcp_servers.get(id).filter(|entry| entry.row.org_id == org_id);
    found.ok_or_else(|| Error::unknown("MCP server", id))
}

/// Returns the servers of an organisation, the oldest first; their URLs without path and query, unless `whole` is true.
pub(crate) fn list(engine: &Engine, org_id: &str, whole: bool) -> Vec<McpServer> {
    let found = engine.registry.mcp_servers.of_org(org_id);
    found.iter().map(|entry| show(&entry.row, whole)).collect()
}

/// Returns a server as callers see it; its URL without path and query, unless `whole` is true.
pub(crate) fn show(row: &McpServerRow, whole: bool) -> McpServer {
    let mut shown = McpServer::default();
    shown.id.clone_from(&row.id);
    shown.org_id.clone_from(&row.org_id);
    shown.name.clone_from(&row.name);
    shown.url = if whole { row.url.clone() } else { origin(&row.url) };
    shown.capabilities.clone_from(&row.capabilities);
    shown.created_at = Some(row.created_at);
    shown.created_by = Some(row.created_by.clone());
    shown.key_id = Some(row.key_id.clone());
    shown.has_authorization = row.authorization.is_some();
    shown.tools_seen_at = row.tools_seen_at;
    shown
}

/// Returns a URL without what may be as good as a password.
fn origin(url: &str) -> String {
    // Read as it is called: the parser takes `\` for `/`, and leaves tabs out.
    Url::parse(url)
        .map_or_else(|_| "…".to_owned(), |url| format!("{}/…", url.origin().ascii_serialization()))
}

/// Removes a server with what is known of its tools, and revokes its gateway key with its sessions.
///
/// # Errors
///
/// Not found; unavailable where the database or the audit cannot be written.
pub(crate) async fn remove(engine: &Engine, key: &Key, id: &str) -> Result<(), Error> {
    let server = known(engine, &key.org_id, id)?;
    let row = &server.row;
    let end = KeyEnd {
        id: row.key_id.clone(),
        org_id: row.org_id.clone(),
        reason: REMOVED.to_owned(),
        take_issued: true,
        now: engine.clock.now(),
    };
    let removed = async {
        let removed = engine.store.delete_mcp_server(id.to_owned(), end).await?;
        removed.ok_or_else(|| Error::unknown("MCP server", id))
    };
    let about = json!({ "server_id": id, "name": row.name, "key_id": row.key_id });
    let record = |_: &_| Record::new("mcp_server.removed", &row.org_id).actor(&key.id).body(about);
    if let Some(gone) = engine.change(removed, record).await? {
        let taking = KeyTaking { reason: REMOVED.to_owned(), take_issued: true };
        let record = keys::revoked(&row.org_id, &row.key_id, &taking, gone).actor(&key.id);
        engine.record_audit(record).await?;
    }
    Ok(())
}
