//! A row of the audit as an event of OCSF (Open Cybersecurity Schema Framework), in one released version of it.
//!
//! What every event says is here, what is its class's own in the rooms below. The body of a row goes along as it is,
//! below `unmapped` and the name of its kind, and so does its place in the chain. Beside these are
//! `metadata.event_code` (the kind), `metadata.original_time`, `metadata.tenant_uid`, the agent and the key. Together
//! they are all that the hash of a row covers. The release has no profile for the integrity of records, so the chain is
//! below `unmapped`, too.

mod calls;
mod entities;
mod guardian;
mod people;

use serde_json::{Map, Value, json};

use super::audit_row::{AuditRow, millis};
use super::classes::{Class, SCHEMA, Severity};
use super::outcome::Outcome;

/// The product that events are of.
const PRODUCT: &str = "AgentTrust Guardian";
const VENDOR: &str = "AgentTrust";

/// The reading of a row as an event: from its kind, or from its body.
#[derive(Clone, Copy, Debug)]
struct Reading {
    activity: &'static str,
    severity: Severity,
    outcome: Outcome,
    says: &'static str,
}

/// Returns how grave the event of a row is, as the number in the schema.
pub(super) fn severity(audit_row: &AuditRow<'_>) -> u8 {
    reading(audit_row).severity.id()
}

/// Returns the event of a row.
pub(super) fn event(audit_row: &AuditRow<'_>) -> Map<String, Value> {
    let reading = reading(audit_row);
    let mut event = classified(audit_row, reading);
    let own = match audit_row.row.class {
        Class::ApiActivity => calls::members(audit_row),
        Class::Authentication | Class::AuthorizeSession => people::members(audit_row),
        Class::EntityManagement => entities::members(audit_row),
        Class::ApplicationLifecycle
        | Class::DetectionFinding
        | Class::EventLogActivity
        | Class::BaseEvent => guardian::members(audit_row),
    };
    if let Value::Object(own) = own {
        // A member of which nothing is known is left out.
        event.extend(own.into_iter().filter(|(_, value)| !value.is_null()));
    }
    event.insert("metadata".to_owned(), metadata(audit_row, reading.outcome));
    event.insert("unmapped".to_owned(), unmapped(audit_row));
    event
}

fn reading(audit_row: &AuditRow<'_>) -> Reading {
    let row = audit_row.row;
    let (activity, severity, outcome, says) = (row.activity, row.severity, row.outcome, row.says);
    let reading = Reading { activity, severity, outcome, says };
    match row.kind {
        "decision" => calls::decided(audit_row, reading),
        "task.ended" => calls::ended(audit_row, reading),
        "outcome" => calls::came_out(audit_row, reading),
        // A trial that came to nothing is no success.
        _ if audit_row.body.get("ok") == Some(&Value::Bool(false)) => {
            Reading { outcome: Outcome::Refused, ..reading }
        }
        _ => reading,
    }
}

/// Returns what kind of event it is, when it was and how it came out.
fn classified(audit_row: &AuditRow<'_>, reading: Reading) -> Map<String, Value> {
    let class = audit_row.row.class;
    let (category_uid, category_name) = class.category();
    let activity_id = class.activity(reading.activity);
    let about = audit_row.named().or_else(|| audit_row.text("name"));
    let message = match about {
        Some(about) => format!("{}: {about}", reading.says),
        None => reading.says.to_owned(),
    };
    let mut event = Map::new();
    let mut say = |name: &str, value: Value| event.insert(name.to_owned(), value);
    say("category_uid", json!(category_uid));
    say("category_name", json!(category_name));
    say("class_uid", json!(class.uid()));
    say("class_name", json!(class.caption()));
    say("activity_id", json!(activity_id));
    say("activity_name", json!(reading.activity));
    say("type_uid", json!(class.uid() * 100 + u32::from(activity_id)));
    say("type_name", json!(format!("{}: {}", class.caption(), reading.activity)));
    say("severity_id", json!(reading.severity.id()));
    say("severity", json!(reading.severity.caption()));
    say("time", json!(millis(audit_row.at)));
    say("message", json!(message));
    if let Some(why) = audit_row.why() {
        say("status_detail", json!(why));
    }
    // One row may tell of several: how many, and of when.
    if let Some(count) = audit_row.number("left_out") {
        say("count", json!(count));
        for (name, member) in [("start_time", "since"), ("end_time", "until")] {
            if let Some(at) = audit_row.millis(member) {
                say(name, json!(at));
            }
        }
    }
    reading.outcome.say(class, &mut event);
    event
}

/// Returns where an event is from, and what it belongs to.
fn metadata(audit_row: &AuditRow<'_>, outcome: Outcome) -> Value {
    let entry = audit_row.entry;
    let mut profiles = Vec::new();
    if outcome.is_control() {
        profiles.push("security_control");
    }
    if audit_row.row.class == Class::ApiActivity {
        profiles.push("ai_operation");
    }
    if calls::trace(audit_row).is_some() {
        profiles.push("trace");
    }
    let mut metadata = json!({
        "version": SCHEMA,
        "product": {
            "name": PRODUCT,
            "vendor_name": VENDOR,
            "version": env!("CARGO_PKG_VERSION"),
        },
        "uid": audit_row.id,
        "event_code": entry.kind,
        "log_name": "audit",
        "log_provider": PRODUCT,
        "sequence": entry.seq,
        "tenant_uid": entry.org_id,
        "original_time": entry.at,
    });
    if let Some(metadata) = metadata.as_object_mut() {
        if !profiles.is_empty() {
            metadata.insert("profiles".to_owned(), json!(profiles));
        }
        if let Some(belongs_to) = correlation(audit_row) {
            metadata.insert("correlation_uid".to_owned(), json!(belongs_to));
        }
    }
    metadata
}

/// Returns what events of one matter have in common: the approval, the task, else the check.
fn correlation<'a>(audit_row: &AuditRow<'a>) -> Option<&'a str> {
    let by = ["approval_id", "task_id", "withdraws", "check_id"];
    by.into_iter().find_map(|member| audit_row.text(member))
}

/// Returns what the schema has no member for.
fn unmapped(audit_row: &AuditRow<'_>) -> Value {
    let entry = audit_row.entry;
    // Each kind by itself: what is a number in one may be a text in another, which many a store of events refuses.
    let name = entry.kind.replace('.', "_");
    let mut body = audit_row.body.clone();
    if let Some(id) = body.get_mut("request_id") {
        *id = Value::String(id.to_string());
    }
    let mut unmapped = Map::new();
    unmapped.insert(
        "chain".to_owned(),
        json!({
            "log": entry.log,
            "seq": entry.seq,
            "hash": entry.hash,
            "prev_hash": entry.prev_hash,
        }),
    );
    unmapped.insert("agent_id".to_owned(), json!(entry.agent_id));
    unmapped.insert("actor".to_owned(), json!(entry.actor));
    unmapped.insert(name, Value::Object(body));
    Value::Object(unmapped)
}

/// Describes an agent as the actor.
fn user_of_agent(agent_id: &str) -> Value {
    json!({ "uid": agent_id, "type_id": super::classes::OTHER, "type": "AI Agent" })
}

/// Describes a key as the actor.
fn user_of_key(key_id: &str) -> Value {
    json!({
        "uid": key_id, "credential_uid": key_id, "type_id": super::classes::OTHER, "type": "API Key",
    })
}

/// Returns the actor, as far as it is known.
fn actor(audit_row: &AuditRow<'_>) -> Option<Value> {
    audit_row.key().map(|key_id| json!({ "user": user_of_key(key_id) }))
}
