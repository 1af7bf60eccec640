//! The Guardian itself, its audit, and what it found: Application Lifecycle, Event Log Activity, Detection Finding, and
//! the Base Event for what has no class.

use serde_json::{Value, json};

use super::super::audit_row::{AuditRow, millis};
use super::super::classes::Class;
use super::{PRODUCT, VENDOR, actor};

pub(super) fn members(audit_row: &AuditRow<'_>) -> Value {
    match audit_row.row.class {
        Class::ApplicationLifecycle => json!({
            "app": {
                "name": PRODUCT,
                "vendor_name": VENDOR,
                "version": audit_row.text("version").unwrap_or(env!("CARGO_PKG_VERSION")),
            },
        }),
        Class::EventLogActivity => json!({
            "actor": actor(audit_row),
            "log_name": "audit",
            "log_provider": PRODUCT,
            "log_type_id": 2,
            "log_type": "Application",
        }),
        Class::DetectionFinding => finding(audit_row),
        _ => Value::Null,
    }
}

fn finding(audit_row: &AuditRow<'_>) -> Value {
    let agent = audit_row.agent().unwrap_or("unknown");
    let mut resources =
        vec![json!({ "uid": agent, "type": "agent", "role_id": 2, "role": "Actor" })];
    let tools = audit_row.texts("tools").unwrap_or_default();
    let target =
        |tool: &str| json!({ "name": tool, "type": "tool", "role_id": 1, "role": "Target" });
    resources.extend(tools.into_iter().map(target));
    let seen = |member: &str| audit_row.millis(member).unwrap_or_else(|| millis(audit_row.at));
    json!({
        "finding_info": {
            "uid": audit_row.id,
            "title": "Burst of denied tool calls",
            "desc": audit_row.row.says,
            "types": [audit_row.row.kind],
            "created_time": millis(audit_row.at),
            "first_seen_time": seen("first_at"),
            "last_seen_time": seen("last_at"),
        },
        "count": audit_row.number("denials"),
        "resources": resources,
    })
}
