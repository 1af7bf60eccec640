//! The things that are kept, and the key that changed them: Entity Management.

use serde_json::{Map, Value, json};

use super::super::told::Told;
use super::actor;

pub(super) fn members(told: &Told<'_>) -> Value {
    json!({
        "actor": actor(told),
        "entity": entity(told),
        "comment": told.text("reason"),
    })
}

fn entity(told: &Told<'_>) -> Value {
    let mut entity = Map::new();
    let of = told.row.of;
    entity.insert("type".to_owned(), json!(of));
    entity.insert("type_id".to_owned(), json!(super::super::classes::OTHER));
    // A schema without a name for it is no reason to be without one.
    entity.insert("uid".to_owned(), json!(told.named().unwrap_or(of)));
    let name = ["name", "server", "tool"].into_iter().find_map(|member| told.text(member));
    if let Some(name) = name {
        entity.insert("name".to_owned(), json!(name));
    }
    if let Some(version) = told.text("version") {
        entity.insert("version".to_owned(), json!(version));
    }
    Value::Object(entity)
}
