//! Calls of tools, and what is sent to other agents: API Activity.
//!
//! | decision | `activity_id` | `severity_id` | `status_id` | `action_id` | `disposition_id` |
//! |---|---|---|---|---|---|
//! | allow | by the effect: read 2, mutating 3, destructive 4, admin 99 | 1 | 1 | 1 | 1 |
//! | hold | the same | 2 | 99 | 99 | 14 (delayed) |
//! | deny | the same | 3 | 2 | 2 | 2 |
//!
//! How a call ended is an `outcome`, with `duration` and the type of its error in `status_code`; what decided it has
//! the same `api.request.uid`.
//!
//! `api.operation` is the protocol's word: `tools/call`, `resources/read` and so on of MCP, `SendMessage` of A2A,
//! `evaluation` of AuthZEN, and else `execute_tool`, which is OpenTelemetry's. The tool is in `resources` and, as the
//! one that serves the message, in `message_context`.

use serde_json::{Map, Value, json};

use super::super::audit_row::AuditRow;
use super::super::classes::Severity;
use super::super::outcome::Outcome;
use super::{Reading, user_of_agent, user_of_key};

/// OpenTelemetry's word for what an agent does with a tool.
const EXECUTE: &str = "execute_tool";
const MCP_CALL: &str = "tools/call";
const A2A_SEND: &str = "SendMessage";
const AUTHZEN: &str = "evaluation";
/// The words before MCP's own word, where the action is not a tool.
const MCP_WORD: &str = "mcp/";

/// Returns how a decision reads.
pub(super) fn decided(audit_row: &AuditRow<'_>, reading: Reading) -> Reading {
    let activity = match audit_row.text("effect") {
        Some("read") => "Read",
        Some("mutating") => "Update",
        Some("destructive") => "Delete",
        Some("admin") => "Admin",
        _ => reading.activity,
    };
    let (severity, outcome, says) = match audit_row.text("decision") {
        Some("allow") => (Severity::Informational, Outcome::Allowed, "a tool call was allowed"),
        Some("hold") => (Severity::Low, Outcome::Held, "a tool call waits for an approval"),
        Some("deny") => (Severity::Medium, Outcome::Blocked, "a tool call was denied"),
        // What is not known is not let pass as allowed.
        _ => (Severity::Medium, Outcome::Logged, reading.says),
    };
    Reading { activity, severity, outcome, says }
}

/// Returns how a task reads that is over.
pub(super) fn ended(audit_row: &AuditRow<'_>, reading: Reading) -> Reading {
    match audit_row.text("state") {
        Some("completed") | None => reading,
        Some("rejected") => Reading { outcome: Outcome::Blocked, ..reading },
        Some(_) => failed(reading),
    }
}

/// Returns how the outcome of a call reads.
pub(super) fn came_out(audit_row: &AuditRow<'_>, reading: Reading) -> Reading {
    match audit_row.body.get("success") {
        Some(Value::Bool(false)) => failed(reading),
        _ => reading,
    }
}

fn failed(reading: Reading) -> Reading {
    Reading { severity: Severity::Low, outcome: Outcome::Failed, ..reading }
}

/// Returns the trace of the caller.
pub(super) fn trace<'a>(audit_row: &AuditRow<'a>) -> Option<&'a str> {
    audit_row.text("trace_id")
}

pub(super) fn members(audit_row: &AuditRow<'_>) -> Value {
    let called = audit_row.text("tool").or_else(|| audit_row.named()).unwrap_or("unknown");
    json!({
        "actor": actor(audit_row),
        "api": api(audit_row, called),
        "src_endpoint": source(audit_row),
        "resources": [{ "name": called, "type": audit_row.row.of, "role_id": 1, "role": "Target" }],
        "message_context": message_context(audit_row, called),
        "policy": policies(audit_row).first().map(|id| json!({ "uid": id })),
        "authorizations": authorizations(audit_row),
        "duration": audit_row.number("duration_ms"),
        "status_code": audit_row.text("error_type"),
        "trace": trace(audit_row).map(|id| json!({ "uid": id })),
    })
}

fn policies<'a>(audit_row: &AuditRow<'a>) -> Vec<&'a str> {
    audit_row.texts("policies").unwrap_or_default()
}

/// Returns each policy that the decision rests on.
fn authorizations(audit_row: &AuditRow<'_>) -> Option<Value> {
    let decision = audit_row.text("decision")?;
    let by = |id: &&str| json!({ "decision": decision, "policy": { "uid": id } });
    let all: Vec<Value> = policies(audit_row).iter().map(by).collect();
    Some(Value::Array(all)).filter(|all| all.as_array().is_some_and(|all| !all.is_empty()))
}

fn actor(audit_row: &AuditRow<'_>) -> Value {
    let mut actor = Map::new();
    let user = match (audit_row.agent(), audit_row.key()) {
        (Some(agent_id), key_id) => {
            let mut user = user_of_agent(agent_id);
            if let (Some(user), Some(key_id)) = (user.as_object_mut(), key_id) {
                user.insert("credential_uid".to_owned(), json!(key_id));
            }
            user
        }
        (None, Some(key_id)) => user_of_key(key_id),
        (None, None) => user_of_agent("unknown"),
    };
    actor.insert("user".to_owned(), user);
    if let Some(session_id) = audit_row.text("session_id") {
        actor.insert("session".to_owned(), json!({ "uid": session_id }));
    }
    Value::Object(actor)
}

fn api(audit_row: &AuditRow<'_>, called: &str) -> Value {
    let mut api = Map::new();
    api.insert("operation".to_owned(), json!(operation(audit_row, called)));
    let service =
        audit_row.text("server").or_else(|| called.split_once('/').map(|(server, _)| server));
    if let Some(service) = service {
        api.insert("service".to_owned(), json!({ "name": service }));
    }
    if let Some(check_id) = audit_row.text("check_id") {
        api.insert("request".to_owned(), json!({ "uid": check_id }));
    }
    Value::Object(api)
}

/// Returns the protocol's word for what was asked.
fn operation<'a>(audit_row: &AuditRow<'a>, called: &'a str) -> &'a str {
    if let Some(method) = audit_row.text("method") {
        return method;
    }
    match audit_row.row.kind {
        "mcp.answered" | "mcp.refused" => return MCP_CALL,
        kind if kind.starts_with("task.") => return A2A_SEND,
        _ => {}
    }
    match (audit_row.text("source"), called.split_once(MCP_WORD)) {
        (_, Some((server, word))) if server.is_empty() || server.ends_with('/') => word,
        (Some("mcp"), _) => MCP_CALL,
        (Some("a2a"), _) => A2A_SEND,
        (Some("authzen"), _) => AUTHZEN,
        _ => EXECUTE,
    }
}

/// Returns where the call came from: the address is not known, only the agent or key that asked.
fn source(audit_row: &AuditRow<'_>) -> Value {
    let mut source = Map::new();
    let uid = audit_row.agent().or_else(|| audit_row.key()).unwrap_or("unknown");
    source.insert("uid".to_owned(), json!(uid));
    if let Some(by) = audit_row.text("source") {
        source.insert("svc_name".to_owned(), json!(by));
    }
    Value::Object(source)
}

/// Returns the message of an agent that asks for a tool.
fn message_context(audit_row: &AuditRow<'_>, called: &str) -> Value {
    let mut context = Map::new();
    context.insert("ai_role_id".to_owned(), json!(3));
    context.insert("ai_role".to_owned(), json!("Tool"));
    context.insert("service".to_owned(), json!({ "name": called }));
    if let Some(agent_id) = audit_row.agent() {
        context.insert("application".to_owned(), json!({ "uid": agent_id }));
    }
    if let Some(session_id) = audit_row.text("session_id") {
        context.insert("uid".to_owned(), json!(session_id));
    }
    Value::Object(context)
}
