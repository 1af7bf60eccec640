//! A row of every kind, as the Guardian writes it.

use serde_json::{Value, json};

use super::kinds::KINDS;
use crate::audit::Entry;

/// Returns a row of this kind.
pub(super) fn row(kind: &str, body: Value) -> Entry {
    Entry {
        log: "one".to_owned(),
        seq: 4_711,
        at: "2026-01-02T03:04:05.678901Z".to_owned(),
        kind: kind.to_owned(),
        org_id: "org_default".to_owned(),
        agent_id: Some("agt_1".to_owned()),
        actor: Some("key_1".to_owned()),
        body,
        prev_hash: "0f".repeat(32),
        hash: "1e".repeat(32),
    }
}

/// Returns a decision that came out like this.
pub(super) fn decision(decision: &str, effect: &str, (tool, source): (&str, &str)) -> Entry {
    row(
        "decision",
        json!({
            "approval_id": (decision == "hold").then_some("apr_1"),
            "basis": "name",
            "check_id": "chk_1",
            "confidence": 0.9,
            "decision": decision,
            "effect": effect,
            "facts": { "agent": "0f", "ceiling": null, "now": 1_767_323_045, "session_source": null },
            "input_chars": 12,
            "input_digest": "ab",
            "policies": ["no-admin", "night"],
            "reason": "admin tools are not for agents",
            "scopes": ["db:write"],
            "session_id": "ses_1",
            "session_mode": "open",
            "source": source,
            "tool": tool,
            "verdict": decision,
        }),
    )
}

/// Returns a row of every kind, and of some more than one.
pub(super) fn rows() -> Vec<Entry> {
    let mut rows: Vec<Entry> = KINDS
        .iter()
        .filter(|kind| **kind != "decision")
        .map(|kind| row(kind, body(kind)))
        .collect();
    for decided in ["allow", "deny", "hold"] {
        for effect in ["read", "mutating", "destructive", "admin"] {
            rows.push(decision(decided, effect, ("db_delete", "api")));
        }
    }
    for (tool, source) in
        [("files/read", "mcp"), ("files/mcp/prompts/get", "mcp"), ("a2a/agt_2", "a2a")]
    {
        rows.push(decision("allow", "read", (tool, source)));
    }
    // What stands for those that had no row of their own.
    let left_out = json!({
        "left_out": 7, "since": "2026-01-02T03:04:05Z", "until": "2026-01-02T03:05:05Z",
    });
    for kind in ["mcp.refused", "proof.refused", "delegation.refused", "federation.token_refused"] {
        rows.push(Entry { agent_id: None, ..row(kind, left_out.clone()) });
    }
    rows.push(row(
        "outcome",
        json!({ "check_id": "chk_1", "success": false, "error_type": "Timeout", "tool": "search" }),
    ));
    rows.push(row("task.ended", json!({ "task_id": "tsk_1", "state": "failed" })));
    rows.push(row("federation.tested", json!({ "ok": false, "last_step": "signature" })));
    // Written by a version that is not this one, with nothing in it that is known here.
    rows.push(Entry { agent_id: None, actor: None, ..row("of.tomorrow", json!({})) });
    rows.extend(KINDS.iter().map(|kind| Entry {
        agent_id: None,
        actor: None,
        log: String::new(),
        ..row(kind, json!({}))
    }));
    rows
}

fn body(kind: &str) -> Value {
    let family = kind.split_once('.').map_or(kind, |(family, _)| family);
    match family {
        "decision" | "outcome" | "mcp" | "task" | "approval" | "change" => of_calls(family, kind),
        "session" | "agent" | "key" | "workload" | "token" | "delegation" | "federation"
        | "proof" | "card" | "card_key" => of_agents(family, kind),
        _ => of_guardian(family, kind),
    }
}

fn of_calls(family: &str, kind: &str) -> Value {
    match (family, kind) {
        (_, "decision.withdrawn") => json!({
            "check_id": "chk_2", "withdraws": "chk_1", "tool": "db_delete", "reason": "revoked meanwhile",
        }),
        ("outcome", _) => json!({
            "check_id": "chk_1", "duration_ms": 12, "error_type": null, "event_type": "tool_end",
            "session_id": "ses_1", "success": true, "tool": "db_delete",
        }),
        (_, "mcp.answered") => json!({
            "agent_id": "agt_1", "server_id": "mcp_1", "server": "files", "session_id": null,
            "request_id": 7, "digest": "ab",
        }),
        (_, "mcp.refused") => json!({
            "agent_id": "agt_1", "server_id": "mcp_1", "server": "files", "session_id": "ses_1",
            "method": "resources/read", "name": "file:///etc", "reason": "not for agents",
        }),
        ("task", _) => json!({
            "task_id": "tsk_1", "message_id": "msg_1", "target_agent_id": "agt_2", "state": "completed",
            "check_id": "chk_1", "approval_id": null,
        }),
        (_, "approval.expired") => json!({ "approval_id": "apr_1" }),
        (_, "change.held") => json!({
            "approval_id": "apr_1", "action": "agent.floor", "summary": "widen", "policies": [], "quorum": 1,
        }),
        ("approval", _) => json!({
            "approval_id": "apr_1", "tool": "db_delete", "effect": "destructive", "session_id": null,
            "bound_to": "input", "input_digest": "ab", "decided_by": "ada", "own_request": false,
            "approvals": 1, "quorum": 2, "reason": "asked for",
        }),
        _ => panic!("there is no sample of {kind}"),
    }
}

fn of_agents(family: &str, kind: &str) -> Value {
    match (family, kind) {
        (_, "session.opened") => json!({
            "session_id": "ses_1", "source": "api", "mode": "open", "scope_ceiling": ["files:*"],
            "server_id": null, "token_id": null, "delegation_id": null, "provider_id": "fed_1",
        }),
        ("session", _) => json!({ "session_id": "ses_1", "reason": "over" }),
        ("agent", _) => {
            json!({ "name": "librarian", "capabilities": ["files:read"], "groups": [] })
        }
        ("key", _) => json!({ "key_id": "key_2", "role": "admin", "agents": [], "reason": "lost" }),
        (_, "workload.token_issued") => json!({
            "jti": "jti_1", "workload_id": "spiffe://one/agt_1", "audience": ["x"], "ttl": 300,
        }),
        ("token", _) => json!({ "token_id": "tok_1", "scopes": ["files:read"], "audience": [] }),
        ("delegation", _) => json!({
            "delegation_id": "dlg_1", "to_agent_id": "agt_2", "scope": ["files:read"],
            "operation": "create", "code": "forbidden", "message": "too wide",
        }),
        ("card", _) => json!({ "version": "1.0", "address": "https://a.example", "skills": 2 }),
        ("card_key", _) => json!({ "kid": "kid_1", "earlier": [], "overlap_seconds": 60 }),
        (_, "federation.tested") => json!({ "ok": true, "last_step": "claims" }),
        ("federation", _) => json!({
            "provider_id": "fed_1", "issuer": "https://id.example", "name": "id", "operation": "exchange",
            "reason": "the signature is not right",
        }),
        (_, "proof.refused") => {
            json!({ "operation": "check", "agent_id": "agt_1", "reason": "old" })
        }
        _ => panic!("there is no sample of {kind}"),
    }
}

fn of_guardian(family: &str, kind: &str) -> Value {
    match (family, kind) {
        ("mcp_server", _) => json!({
            "server_id": "mcp_1", "name": "files", "origin": "https://files.example",
            "capabilities": ["tools"], "authorization": true, "key_id": "key_2",
        }),
        (_, "mcp_tool.accepted") => json!({
            "server_id": "mcp_1", "server": "files", "tool": "read", "digest": "ab", "before": "cd",
        }),
        ("mcp_tool", _) => json!({
            "server_id": "mcp_1", "server": "files", "tools": [{ "name": "read", "digest": "ab" }],
        }),
        (_, "tools.declared") => {
            json!({ "tools": 3, "role": "agent", "changed": [], "described": 1 })
        }
        ("tool", _) => json!({ "tool": "db_delete", "effect": "destructive" }),
        ("policies", _) => json!({
            "sha256": "ab", "count": 2, "ids": ["night"], "source": "file", "before": "cd",
            "error": "line 3: not known", "in_force": "cd",
        }),
        ("webhook", _) => json!({
            "webhook_id": "whk_1", "origin": "https://hooks.example", "events": ["approval.pending"],
        }),
        ("siem", _) => json!({
            "destination_id": "siem_1", "name": "splunk", "log": "one", "rows": 4, "reason": "too old",
        }),
        ("secrets", _) => json!({ "count": 2 }),
        ("guardian", _) => json!({ "version": "0.9.0", "replica": "one", "allow_outbound": [] }),
        ("audit", _) => json!({
            "log": "one", "through": 12, "hash": "ab", "rows": 12, "since": "2026-01-02T03:04:05Z",
            "refused": 4,
        }),
        ("anomaly", _) => json!({
            "denials": 10, "first_at": "2026-01-02T03:04:05Z", "last_at": "2026-01-02T03:04:55Z",
            "tools": ["db_delete", "search"],
        }),
        ("facts", _) => {
            json!({ "digest": "ab", "agent_id": "agt_1", "capabilities": ["files:read"] })
        }
        _ => panic!("there is no sample of {kind}"),
    }
}
