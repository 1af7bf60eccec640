//! The Guardian itself, its audit, and what it found: Application Lifecycle, Event Log Activity, Detection Finding, and
//! the Base Event for what has no class.

use serde_json::{Value, json};

use super::super::classes::Class;
use super::super::told::{Told, millis};
use super::{PRODUCT, VENDOR, actor};

pub(super) fn members(told: &Told<'_>) -> Value {
    match told.row.class {
        Class::ApplicationLifecycle => json!({
            "app": {
                "name": PRODUCT,
                "vendor_name": VENDOR,
                "version": told.text("version").unwrap_or(env!("CARGO_PKG_VERSION")),
            },
        }),
        Class::EventLogActivity => json!({
            "actor": actor(told),
            "log_name": "audit",
            "log_provider": PRODUCT,
            "log_type_id": 2,
            "log_type": "Application",
        }),
        Class::DetectionFinding => finding(told),
        _ => Value::Null,
    }
}

fn finding(told: &Told<'_>) -> Value {
    let agent = told.agent().unwrap_or("unknown");
    let mut resources =
        vec![json!({ "uid": agent, "type": "agent", "role_id": 2, "role": "Actor" })];
    let tools = told.texts("tools").unwrap_or_default();
    let target =
        |tool: &str| json!({ "name": tool, "type": "tool", "role_id": 1, "role": "Target" });
    resources.extend(tools.into_iter().map(target));
    let seen = |member: &str| told.millis(member).unwrap_or_else(|| millis(told.at));
    json!({
        "finding_info": {
            "uid": told.id,
            "title": "Burst of denied tool calls",
            "desc": told.row.says,
            "types": [told.row.kind],
            "created_time": millis(told.at),
            "first_seen_time": seen("first_at"),
            "last_seen_time": seen("last_at"),
        },
        "count": told.number("denials"),
        "resources": resources,
    })
}
