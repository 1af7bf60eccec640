//! Keys, tokens and sessions, by which an agent may act: Authentication and Authorize Session.

use serde_json::{Map, Value, json};

use super::super::audit_row::AuditRow;
use super::super::classes::Class;
use super::{PRODUCT, actor, user_of_agent, user_of_key};

/// The ceiling of a session whose row does not say one.
const ANYTHING: &str = "*";

pub(super) fn members(audit_row: &AuditRow<'_>) -> Value {
    let user = match (audit_row.agent(), audit_row.key()) {
        (Some(agent_id), _) => user_of_agent(agent_id),
        (None, Some(key_id)) => user_of_key(key_id),
        (None, None) => user_of_agent("unknown"),
    };
    let is_authentication = audit_row.row.class == Class::Authentication;
    json!({
        "actor": actor(audit_row),
        "user": user,
        "session": session(audit_row),
        "privileges": (!is_authentication).then(|| privileges(audit_row)),
        "service": is_authentication.then(|| json!({ "name": PRODUCT })),
    })
}

/// Returns what may be done: the call that was approved, or what the session is held to.
fn privileges<'a>(audit_row: &AuditRow<'a>) -> Vec<&'a str> {
    if let Some(tool) = audit_row.text("tool") {
        return vec![tool];
    }
    let ceiling = audit_row.texts("scope_ceiling");
    ceiling.unwrap_or_else(|| vec![ANYTHING])
}

fn session(audit_row: &AuditRow<'_>) -> Option<Value> {
    let mut session = Map::new();
    session.insert("uid".to_owned(), json!(audit_row.text("session_id")?));
    if let Some(issuer) = audit_row.text("provider_id") {
        session.insert("issuer".to_owned(), json!(issuer));
    }
    Some(Value::Object(session))
}
