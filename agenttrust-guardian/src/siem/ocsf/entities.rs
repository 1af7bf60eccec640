//! The things that are kept, and the key that changed them: Entity Management.

use serde_json::{Map, Value, json};

use super::super::audit_row::AuditRow;
use super::actor;

pub(super) fn members(audit_row: &AuditRow<'_>) -> Value {
    json!({
        "actor": actor(audit_row),
        "entity": entity(audit_row),
        "comment": audit_row.text("reason"),
    })
}

fn entity(audit_row: &AuditRow<'_>) -> Value {
    let mut entity = Map::new();
    let of = audit_row.row.of;
    entity.insert("type".to_owned(), json!(of));
    entity.insert("type_id".to_owned(), json!(super::super::classes::OTHER));
    // A schema without a name for it is no reason to be without one.
    entity.insert("uid".to_owned(), json!(audit_row.named().unwrap_or(of)));
    let name = ["name", "server", "tool"].into_iter().find_map(|member| audit_row.text(member));
    if let Some(name) = name {
        entity.insert("name".to_owned(), json!(name));
    }
    if let Some(version) = audit_row.text("version") {
        entity.insert("version".to_owned(), json!(version));
    }
    Value::Object(entity)
}
