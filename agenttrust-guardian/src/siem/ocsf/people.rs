//! Keys, tokens and sessions, by which an agent may act: Authentication and Authorize Session.

use serde_json::{Map, Value, json};

use super::super::classes::Class;
use super::super::told::Told;
use super::{PRODUCT, actor, user_of_agent, user_of_key};

/// The ceiling of a session whose row does not say one.
const ANYTHING: &str = "*";

pub(super) fn members(told: &Told<'_>) -> Value {
    let user = match (told.agent(), told.key()) {
        (Some(agent_id), _) => user_of_agent(agent_id),
        (None, Some(key_id)) => user_of_key(key_id),
        (None, None) => user_of_agent("unknown"),
    };
    let is_authentication = told.row.class == Class::Authentication;
    json!({
        "actor": actor(told),
        "user": user,
        "session": session(told),
        "privileges": (!is_authentication).then(|| privileges(told)),
        "service": is_authentication.then(|| json!({ "name": PRODUCT })),
    })
}

/// Returns what may be done: the call that was approved, or what the session is held to.
fn privileges<'a>(told: &Told<'a>) -> Vec<&'a str> {
    if let Some(tool) = told.text("tool") {
        return vec![tool];
    }
    let ceiling = told.texts("scope_ceiling");
    ceiling.unwrap_or_else(|| vec![ANYTHING])
}

fn session(told: &Told<'_>) -> Option<Value> {
    let mut session = Map::new();
    session.insert("uid".to_owned(), json!(told.text("session_id")?));
    if let Some(issuer) = told.text("provider_id") {
        session.insert("issuer".to_owned(), json!(issuer));
    }
    Some(Value::Object(session))
}
