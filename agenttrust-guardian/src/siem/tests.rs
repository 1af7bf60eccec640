mod kinds;
mod outcomes;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::samples::{decision, row, rows};
use super::*;
use crate::audit::Entry;
use crate::domain::EventFormat;

fn event(entry: &Entry) -> Value {
    let event = encode(entry, EventFormat::Ocsf).unwrap();
    assert!(!event.json.contains(['\n', '\r']), "{}", event.json);
    serde_json::from_str(&event.json).unwrap()
}

/// The members of a class or an object, by our table: of each its type and whether it is required, or of a profile.
type Members = BTreeMap<String, (String, Vec<String>)>;

/// Returns our table, which is written by hand.
fn table() -> BTreeMap<String, Members> {
    let mut owners = BTreeMap::<String, Members>::new();
    let mut owner = String::new();
    let lines = include_str!("ocsf/members.txt").lines();
    for line in lines.map(|line| line.split('#').next().unwrap().trim_end()) {
        let mut words = line.split_whitespace().map(str::to_owned);
        let Some(first) = words.next() else { continue };
        if line.starts_with("  ") {
            let said = (words.next().unwrap(), words.collect());
            owners.get_mut(&owner).unwrap().insert(first, said);
        } else if first != "schema" {
            owners.entry(first.clone()).or_default();
            owner = first;
        }
    }
    let every = owners.remove("*").unwrap();
    for (owner, members) in &mut owners {
        if owner.parse::<u32>().is_ok() {
            for (name, said) in &every {
                members.entry(name.clone()).or_insert_with(|| said.clone());
            }
        }
    }
    owners
}

/// Holds a class or an object to the table.
fn hold(table: &BTreeMap<String, Members>, owner: &str, value: &Value, profiles: &[&str]) {
    let members = &table[owner];
    let value = value.as_object().unwrap_or_else(|| panic!("{owner} is {value}"));
    for (name, member) in value {
        let (of, rest) =
            members.get(name).unwrap_or_else(|| panic!("{owner} has no member {name}: {value:?}"));
        for profile in rest.iter().filter_map(|word| word.strip_prefix("profile:")) {
            assert!(profiles.contains(&profile), "{owner}.{name} goes with {profile}: {value:?}");
        }
        match (of.strip_suffix("[]"), member.as_array()) {
            (Some(of), Some(list)) => {
                list.iter().for_each(|one| hold_one(table, of, one, profiles))
            }
            (None, None) => hold_one(table, of, member, profiles),
            _ => panic!("{owner}.{name} is {member} and no {of}"),
        }
    }
    for (name, (_, rest)) in members {
        let is_there = value.contains_key(name) || !rest.iter().any(|word| word == "required");
        assert!(is_there, "{owner} needs {name}: {value:?}");
    }
}

fn hold_one(table: &BTreeMap<String, Members>, of: &str, value: &Value, profiles: &[&str]) {
    let is_right = match of {
        "string" | "resource_uid" => value.is_string(),
        "integer" | "long" => value.is_i64() || value.is_u64(),
        "timestamp" => {
            value.as_i64().is_some_and(|at| (10_i64.pow(12)..10_i64.pow(13)).contains(&at))
        }
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        owner => return hold(table, owner, value, profiles),
    };
    assert!(is_right, "{value} is no {of}");
}

#[test]
fn every_kind_is_an_event_as_the_table_of_members_says() {
    let table = table();
    let mut lines = String::new();
    let mut kinds = BTreeSet::new();
    for entry in rows() {
        let event = event(&entry);
        kinds.insert(entry.kind.clone());
        let profiles = event["metadata"].get("profiles").and_then(Value::as_array);
        let profiles: Vec<&str> =
            profiles.into_iter().flatten().map(|profile| profile.as_str().unwrap()).collect();
        hold(&table, &event["class_uid"].to_string(), &event, &profiles);
        lines.push_str(&format!("{event}\n"));
    }
    let missing: Vec<_> = KINDS.iter().filter(|kind| !kinds.contains(**kind)).collect();
    assert!(missing.is_empty(), "there is no sample of {missing:?}");
    // For `scripts/ocsf-check`, which holds them to the published schema.
    if let Some(path) = std::env::var_os("AGENTTRUST_OCSF_EVENTS") {
        std::fs::write(path, lines).unwrap();
    }
}

#[test]
fn decision_says_what_was_done_about_the_call() {
    // By decision: severity, status, action, disposition.
    for (decided, expected) in
        [("allow", [1, 1, 1, 1]), ("deny", [3, 2, 2, 2]), ("hold", [2, 99, 99, 14])]
    {
        for (effect, activity) in [("read", 2), ("mutating", 3), ("destructive", 4), ("admin", 99)]
        {
            let event = event(&decision(decided, effect, ("db_delete", "api")));
            let found = ["severity_id", "status_id", "action_id", "disposition_id"];
            assert_eq!(found.map(|name| event[name].as_u64().unwrap()), expected, "{event}");
            assert_eq!(event["class_uid"], 6_003);
            assert_eq!(event["activity_id"], activity);
            assert_eq!(event["type_uid"], 600_300 + activity);
            assert_eq!(event["metadata"]["profiles"], json!(["security_control", "ai_operation"]));
        }
    }
}

#[test]
fn operation_is_the_word_of_the_protocol_and_the_tool_stands_beside_it() {
    for (tool, source, operation) in [
        ("db_delete", "api", "execute_tool"),
        ("files/read", "mcp", "tools/call"),
        ("mcp/resources/read", "api", "resources/read"),
        ("files/mcp/prompts/get", "mcp", "prompts/get"),
        ("my-mcp/tool", "api", "execute_tool"),
        ("a2a/agt_2", "a2a", "SendMessage"),
        ("delete", "authzen", "evaluation"),
    ] {
        let event = event(&decision("allow", "read", (tool, source)));
        assert_eq!(event["api"]["operation"], operation, "{tool}");
        assert_eq!(event["resources"][0]["name"], tool);
        assert_eq!(event["message_context"]["service"]["name"], tool);
        assert_eq!(event["message_context"]["ai_role_id"], 3);
        assert_eq!(event["actor"]["user"]["uid"], "agt_1");
        assert_eq!(event["actor"]["user"]["credential_uid"], "key_1");
        assert_eq!(event["src_endpoint"]["svc_name"], source);
    }
    let refused = event(&row("mcp.refused", json!({ "method": "tools/list", "name": "files" })));
    assert_eq!(refused["api"]["operation"], "tools/list");
}

#[test]
fn approvals_authorize_a_session_or_change_an_entity() {
    let about = json!({ "approval_id": "apr_1", "tool": "db_delete", "reason": "asked for" });
    for (kind, type_uid, status, disposition) in [
        ("approval.approved", 300_301, 1, json!(8)),
        ("approval.denied", 300_301, 2, json!(25)),
        ("approval.vote", 300_403, 1, Value::Null),
        ("approval.expired", 300_409, 1, Value::Null),
        ("change.held", 300_401, 99, json!(14)),
    ] {
        let event = event(&row(kind, about.clone()));
        assert_eq!(event["type_uid"], type_uid, "{kind}");
        assert_eq!(event["status_id"], status, "{kind}");
        assert_eq!(event["disposition_id"], disposition, "{kind}");
        assert_eq!(event["metadata"]["correlation_uid"], "apr_1", "{kind}");
        if type_uid == 300_301 {
            assert_eq!(event["privileges"], json!(["db_delete"]), "{kind}");
            assert_eq!(event["user"]["uid"], "agt_1", "{kind}");
        } else {
            assert_eq!(event["entity"]["uid"], "apr_1", "{kind}");
        }
        assert_eq!(event["actor"]["user"]["credential_uid"], "key_1", "{kind}");
    }
}

#[test]
fn outcome_says_how_the_call_ended_and_belongs_to_its_decision() {
    let about = |success: bool, error_type: Value| {
        json!({
            "check_id": "chk_1", "duration_ms": 12, "error_type": error_type, "success": success,
            "tool": "search",
        })
    };
    let decided = event(&decision("allow", "read", ("search", "api")));
    for (success, error_type, status, severity) in
        [(true, Value::Null, 1, 1), (false, json!("Timeout"), 2, 2)]
    {
        let event = event(&row("outcome", about(success, error_type.clone())));
        assert_eq!(event["class_uid"], 6_003);
        assert_eq!(
            (&event["status_id"], &event["severity_id"]),
            (&json!(status), &json!(severity))
        );
        assert_eq!(event["status_code"], error_type);
        assert_eq!(event["duration"], 12);
        assert_eq!(event["action_id"], 3, "what ran is neither allowed nor denied by that");
        assert_eq!(event["api"]["request"], decided["api"]["request"]);
    }
}

#[test]
fn trace_of_the_caller_goes_along() {
    let mut entry = decision("allow", "read", ("search", "api"));
    assert_eq!(event(&entry).get("trace"), None);
    entry.body["trace_id"] = json!("0af7651916cd43dd8448eb211c80319c");
    let event = event(&entry);
    assert_eq!(event["trace"], json!({ "uid": "0af7651916cd43dd8448eb211c80319c" }));
    assert!(event["metadata"]["profiles"].as_array().unwrap().contains(&json!("trace")));
}

#[test]
fn event_is_the_same_each_time_and_has_a_name_that_stays() {
    let entry = decision("deny", "admin", ("db_delete", "api"));
    let first = encode(&entry, EventFormat::Ocsf).unwrap();
    assert_eq!(encode(&entry, EventFormat::Ocsf).unwrap(), first);
    assert_eq!(first.id, "evt_1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e");
    assert_eq!(first.kind, "decision");
    assert_eq!(first.severity, 3);
    let event = event(&entry);
    assert_eq!(event["metadata"]["uid"], first.id);
    assert_eq!(event["metadata"]["version"], "1.8.0");
    assert_eq!(event["metadata"]["product"]["name"], "AgentTrust Guardian");
    // Milliseconds, cut and not rounded.
    assert_eq!(event["time"], 1_767_323_045_678_u64);

    let raw = encode(&entry, EventFormat::Raw).unwrap();
    assert_eq!((&raw.id, raw.severity), (&first.id, first.severity));
    let mut shown: Map<String, Value> = serde_json::from_str(&raw.json).unwrap();
    assert_eq!(shown.remove("id"), Some(json!(first.id)));
    assert_eq!(Value::Object(shown), serde_json::to_value(&entry).unwrap());
}

/// Returns the hash of a row, made from the layout that the audit documents and from its event alone.
fn hash_of(event: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (metadata, unmapped) = (&event["metadata"], &event["unmapped"]);
    let kind = text(&metadata["event_code"]).unwrap();
    let body = &unmapped[kind.replace('.', "_")];
    let body = serde_json_canonicalizer::to_string(body).unwrap();
    let mut bytes = b"agenttrust.audit.v1".to_vec();
    bytes.extend(unmapped["chain"]["seq"].as_i64().unwrap().to_be_bytes());
    let prev = text(&unmapped["chain"]["prev_hash"]).unwrap();
    bytes.extend(agenttrust::internal::hex::decode::<32>(&prev).unwrap());
    let fields = [
        text(&metadata["original_time"]),
        Some(kind),
        text(&metadata["tenant_uid"]),
        text(&unmapped["agent_id"]),
        text(&unmapped["actor"]),
        Some(body),
    ];
    for field in fields {
        let Some(field) = field else {
            bytes.push(0);
            continue;
        };
        bytes.push(1);
        bytes.extend((field.len() as u64).to_be_bytes());
        bytes.extend(field.as_bytes());
    }
    agenttrust::internal::hex::encode(&Sha256::digest(bytes))
}

#[tokio::test]
async fn event_has_all_that_the_hash_of_its_row_covers() {
    let guardian = crate::Guardian::in_memory().await.unwrap();
    let engine = guardian.engine();
    let record = crate::audit::Record::new("agent.created", "org_1").agent("agt_1");
    let body = json!({ "name": "é", "capabilities": ["b", "a"], "n": 1.0, "no": null });
    engine.audit.append(record.body(body)).await.unwrap();
    let last = crate::audit::last(&engine.store.db(), "").await.unwrap().unwrap();
    let event = event(&last);
    assert_eq!(event["unmapped"]["chain"]["hash"], last.hash);
    assert_eq!(hash_of(&event), last.hash);
}

#[test]
fn row_that_the_guardian_does_not_write_is_no_event_and_says_which_it_is() {
    let good = row("key.created", json!({}));
    for (bad, what) in [
        (Entry { body: json!("{\"key_id\":"), ..good.clone() }, "is not a JSON object"),
        (Entry { body: json!([1]), ..good.clone() }, "is not a JSON object"),
        (Entry { at: "yesterday".to_owned(), ..good.clone() }, "\"yesterday\""),
        (Entry { hash: "1e".to_owned(), ..good.clone() }, "hexadecimal digits"),
        (Entry { hash: "1e".repeat(20), ..good.clone() }, "hexadecimal digits"),
        (Entry { hash: "é".repeat(32), ..good.clone() }, "hexadecimal digits"),
    ] {
        for format in EventFormat::ALL {
            let error = encode(&bad, format).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("4711"), "{error}");
        }
    }
}
