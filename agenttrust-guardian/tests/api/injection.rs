//! Strings that mean something to SQL, to a log, to a header or to a terminal mean nothing here: each is
//! kept and shown byte for byte, or refused with a sentence that names where it stands.

use std::collections::BTreeMap;

use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Answer};
use axum::http::Method;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::{Api, open_with};

/// What may be a name.
const NAMES: &[&str] = &[
    "'; DROP TABLE agents; --",
    "x'); DELETE FROM audit; --",
    "\" OR \"\"=\"",
    "' UNION SELECT hash FROM keys --",
    "$1",
    "?1",
    ":id",
    "%",
    "_",
    "\\",
    "\\'; DROP TABLE approvals; --",
    "/* x */",
    "NULL",
    "{{7*7}}",
    "${jndi:ldap://example.com/a}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "%00%0d%0aSet-Cookie:%20a=b",
    "a\\r\\nSet-Cookie: a=b",
    "level=ERROR msg=\"forged\"",
    "\u{202e}gnp.exe",
    "\u{200b}",
    "\u{feff}name",
    "Ünïcödé 名前 🙂",
    "\u{2028}line",
];

/// What may not be: control characters could end a line, a header or a string.
const CONTROLS: &[&str] = &[
    "name\r\nSet-Cookie: a=b",
    "name\nlevel=ERROR msg=forged",
    "\u{1b}[2Jname",
    "name\u{7}",
    "name\u{0}'; DROP TABLE agents; --",
    "name\u{85}next",
    "\t",
];

struct World {
    api: Api,
    agent: String,
    operator: String,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("at.db").to_str().unwrap().to_owned();
        let api = open_with(|builder| builder.database(database)).await;
        let agent = api.agent(&["*"]).await;
        let operator = api.key(Role::Operator, &[]).await;
        Self { api, agent, operator, folder }
    }

    /// The tables with how many rows each has.
    async fn tables(&self) -> BTreeMap<String, i64> {
        let url = format!("sqlite://{}?mode=ro", self.folder.path().join("at.db").display());
        let pool = sqlx::sqlite::SqlitePool::connect(&url).await.unwrap();
        let names = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table'");
        let mut tables = BTreeMap::new();
        for row in names.fetch_all(&pool).await.unwrap() {
            let name: String = row.get(0);
            let count =
                sqlx::query(sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM \"{name}\"")));
            tables.insert(name, count.fetch_one(&pool).await.unwrap().get(0));
        }
        tables
    }

    async fn kept(&self, sql: &'static str) -> Vec<String> {
        let url = format!("sqlite://{}?mode=ro", self.folder.path().join("at.db").display());
        let pool = sqlx::sqlite::SqlitePool::connect(&url).await.unwrap();
        let rows = sqlx::query(sql).fetch_all(&pool).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    async fn held(&self, more: Value) -> (Answer, Value) {
        let mut body = json!({
            "agent_id": self.agent, "action_name": "run", "action_effect": "destructive",
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.api.check_as(ADMIN, body).await;
        let approval = match answer.body["approval_id"].as_str() {
            Some(id) => self.api.approval(id).await,
            None => Value::Null,
        };
        // Not to run into the bound of those that are pending.
        if let Some(id) = approval["id"].as_str() {
            self.api.approve(&self.operator, id).await.ok();
        }
        (answer, approval)
    }

    /// Sends `value` at this place, and answers with what came back of it where it is kept.
    async fn send(&self, place: &str, value: &str) -> (Answer, Value) {
        let api = &self.api;
        let agent = &self.agent;
        let encoded = encode(value);
        match place {
            "name" | "framework" => {
                let mut body = json!({ "name": "worker" });
                body[place] = json!(value);
                let answer = api.post("/api/v1/agents", ADMIN, body).await;
                let shown = self.reread(&answer).await;
                (answer, shown[place].clone())
            }
            "capabilities[0]" => {
                let body = json!({ "name": "worker", "capabilities": [value] });
                let answer = api.post("/api/v1/agents", ADMIN, body).await;
                let shown = self.reread(&answer).await;
                (answer, shown["capabilities"][0].clone())
            }
            "metadata" => {
                let body = json!({ "name": "worker", "metadata": { value: value } });
                let answer = api.post("/api/v1/agents", ADMIN, body).await;
                let shown = self.reread(&answer).await;
                (answer, shown["metadata"][value].clone())
            }
            "action_name" | "session_id" | "action_input_summary" => {
                let (answer, approval) = self.held(json!({ place: value })).await;
                (answer, approval[place].clone())
            }
            "action_source" => {
                let body = json!({ "agent_id": agent, "action_name": "read", place: value });
                let answer = api.check_as(ADMIN, body).await;
                (answer, self.last_of("decision", "source").await)
            }
            "server_id" => {
                let answer = api.session(ADMIN, agent, json!({ place: value })).await;
                let shown = answer.body[place].clone();
                (answer, shown)
            }
            "scope_ceiling[0]" => {
                let more = json!({ "mode": "restricted", "scope_ceiling": [value] });
                let answer = api.session(ADMIN, agent, more).await;
                let shown = answer.body["scope_ceiling"][0].clone();
                (answer, shown)
            }
            "scopes[0]" | "audience[0]" => {
                let list = place.strip_suffix("[0]").unwrap();
                let mut body = json!({ "agent_id": agent, "scopes": [] });
                body[list] = json!([value]);
                let answer = api.post("/api/v1/agent-tokens/issue", ADMIN, body).await;
                let shown = answer.body[list][0].clone();
                if let Some(token) = answer.body["token"].as_str() {
                    // Not to run into the bound of those that are alive.
                    let body = json!({ "token": token });
                    api.post("/api/v1/agent-tokens/revoke", ADMIN, body).await.ok();
                }
                (answer, shown)
            }
            "required_scopes[0]" | "target" => {
                let token = api.token(agent, &["*"]).await;
                let mut body = json!({ "token": token });
                match place {
                    "target" => body[place] = json!(value),
                    _ => body["required_scopes"] = json!([value]),
                }
                let answer = api.post("/api/v1/agent-tokens/introspect", ADMIN, body).await;
                api.post("/api/v1/agent-tokens/revoke", ADMIN, json!({ "token": token }))
                    .await
                    .ok();
                let works = answer.body["active"] == true;
                (answer, if works { json!(value) } else { Value::Null })
            }
            "reason" => {
                let other = api.agent(&[]).await;
                for (verb, kind) in [
                    ("suspend", "agent.suspended"),
                    ("reactivate", "agent.reactivated"),
                    ("revoke", "agent.revoked"),
                ] {
                    let path = format!("/api/v1/agents/{other}/{verb}");
                    let answer = api.post(&path, &self.operator, json!({ place: value })).await;
                    if !answer.status.is_success() || verb == "revoke" {
                        return (answer, self.last_of(kind, "reason").await);
                    }
                    assert_eq!(self.last_of(kind, "reason").await, value);
                }
                unreachable!()
            }
            "decided_by" => {
                let body = json!({
                    "agent_id": agent, "action_name": encoded, "action_effect": "destructive",
                });
                let id = api.check_as(ADMIN, body).await.held();
                let path = format!("/mcp/approvals/{id}/approve");
                let answer = api.post(&path, &self.operator, json!({ place: value })).await;
                if !answer.status.is_success() {
                    api.approve(&self.operator, &id).await.ok();
                }
                (answer, api.approval(&id).await[place].clone())
            }
            "tools[0].name" | "tools[0].arguments[0].name" | "tools[0].scopes[0]" => {
                let tool = match place {
                    "tools[0].name" => json!({ "name": value }),
                    "tools[0].scopes[0]" => json!({ "name": "tool", "scopes": [value] }),
                    _ => json!({ "name": "tool", "arguments": [{ "name": value }] }),
                };
                let answer = api.put("/api/v1/tools", ADMIN, json!({ "tools": [tool] })).await;
                let listed = api.get("/api/v1/tools", ADMIN).await.ok().body;
                let tools = listed["tools"].as_array().unwrap();
                let shown = match place {
                    "tools[0].name" => tools.iter().find(|tool| tool["name"] == value),
                    _ => tools.iter().find(|tool| tool["name"] == "tool"),
                };
                let shown = shown.cloned().unwrap_or_default();
                let shown = match place {
                    "tools[0].name" => shown["name"].clone(),
                    "tools[0].scopes[0]" => shown["scopes"][0].clone(),
                    _ => shown["arguments"][0]["name"].clone(),
                };
                (answer, shown)
            }
            "tools[0].places[0].file" | "tools[0].places[0].module" => {
                let part = place.rsplit('.').next().unwrap();
                let mut at = json!({ "module": "m", "file": "f", "line": 1 });
                at[part] = json!(value);
                let body = json!({ "tools": [{ "name": "placed", "places": [at] }] });
                let answer = api.put("/api/v1/tools", ADMIN, body).await;
                let shown = answer.body["tools"][0]["places"][0][part].clone();
                (answer, shown)
            }
            "id" => {
                let path = format!("/api/v1/tools/{encoded}/effect");
                let answer = api.put(&path, ADMIN, json!({ "effect": "admin" })).await;
                let shown = answer.body["tool"].clone();
                if answer.status.is_success() {
                    let checked = api.check_in(ADMIN, agent, value, "by its own name").await;
                    assert_eq!(checked.body["action_effect"], "admin", "{place} {value:?}");
                    let id = checked.held();
                    api.approve(&self.operator, &id).await.ok();
                    api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
                }
                (answer, shown)
            }
            "events[0].event_type" | "events[0].tool_name" | "events[0].error_type" => {
                let part = place.rsplit('.').next().unwrap();
                let mut event = json!({ "event_type": "note", "tool_name": "tool" });
                event[part] = json!(value);
                let body = json!({ "agent_id": agent, "session_id": "walk", "events": [event] });
                let answer = api.post("/api/v1/telemetry/report", ADMIN, body).await;
                let kept = match part {
                    "event_type" => self.kept("SELECT event_type FROM telemetry").await,
                    "tool_name" => self.kept("SELECT tool FROM telemetry").await,
                    _ => {
                        let all = "SELECT COALESCE(error_type, '') FROM telemetry";
                        self.kept(all).await
                    }
                };
                let found = kept.iter().any(|kept| kept == value);
                (answer, if found { json!(value) } else { Value::Null })
            }
            _ => panic!("no place {place}"),
        }
    }

    async fn last_of(&self, kind: &str, field: &str) -> Value {
        self.api.audit(kind).await.pop().map_or(Value::Null, |row| row["body"][field].clone())
    }

    async fn reread(&self, created: &Answer) -> Value {
        match created.body["id"].as_str() {
            Some(id) => self.api.get(&format!("/api/v1/agents/{id}"), ADMIN).await.ok().body,
            None => Value::Null,
        }
    }
}

/// As one segment of a path.
fn encode(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Where a name is taken, by how a refusal names it.
const NAMED: &[&str] = &[
    "name",
    "framework",
    "capabilities[0]",
    "action_name",
    "session_id",
    "action_source",
    "server_id",
    "scope_ceiling[0]",
    "scopes[0]",
    "audience[0]",
    "required_scopes[0]",
    "decided_by",
    "tools[0].name",
    "tools[0].arguments[0].name",
    "tools[0].scopes[0]",
    "tools[0].places[0].file",
    "tools[0].places[0].module",
    "id",
    "events[0].event_type",
    "events[0].tool_name",
    "events[0].error_type",
];

/// Where a text for people is taken.
const TEXTS: &[&str] = &["action_input_summary", "target", "reason", "metadata"];

#[tokio::test]
async fn name_that_means_something_elsewhere_comes_back_byte_for_byte_or_is_refused_by_name() {
    let world = World::new().await;
    let before = world.tables().await;
    for place in NAMED.iter().chain(TEXTS) {
        for value in NAMES {
            let (answer, back) = world.send(place, value).await;
            if answer.status == 400 {
                refused(&answer, place, value);
                assert!(may_be_refused(place, value), "{place} {value:?}: {answer:?}");
            } else {
                assert!(answer.status.is_success(), "{place} {value:?}: {answer:?}");
                assert_eq!(back, *value, "{place}: {answer:?}");
            }
        }
    }
    intact(&world, &before).await;
}

/// A `*` in a capability and a `:` at its end mean something, and so does a comma in a scope.
fn may_be_refused(place: &str, value: &str) -> bool {
    match place {
        "capabilities[0]" | "scope_ceiling[0]" | "scopes[0]" => value.contains(['*', ':']),
        "tools[0].scopes[0]" => value.contains(',') || value.trim() != value,
        _ => false,
    }
}

#[tokio::test]
async fn control_character_in_a_name_is_refused_by_name_and_changes_nothing() {
    let world = World::new().await;
    let before = world.tables().await;
    for place in NAMED {
        for value in CONTROLS {
            let (answer, _) = world.send(place, value).await;
            refused(&answer, place, value);
        }
    }
    intact(&world, &before).await;
}

#[tokio::test]
async fn text_for_people_keeps_every_character_but_nul() {
    let world = World::new().await;
    let before = world.tables().await;
    for place in TEXTS {
        for value in CONTROLS {
            let (answer, back) = world.send(place, value).await;
            // What is kept as JSON escapes it.
            if value.contains('\0') && *place != "metadata" {
                refused(&answer, place, value);
            } else {
                assert!(answer.status.is_success(), "{place} {value:?}: {answer:?}");
                assert_eq!(back, *value, "{place}: {answer:?}");
            }
        }
    }
    intact(&world, &before).await;
}

#[tokio::test]
async fn disclosed_input_comes_back_byte_for_byte() {
    let world = World::new().await;
    let before = world.tables().await;
    for value in NAMES.iter().chain(CONTROLS) {
        let input = json!({ *value: [value] });
        let digest = agenttrust::guard::digest::commit(&[7; 32], &input).unwrap();
        let headers = [("agenttrust-input-digest", digest.digest.as_str())];
        let check = json!({
            "agent_id": world.agent, "action_name": "run", "action_effect": "destructive",
        });
        let id = world.api.check_with(ADMIN, &headers, check).await.held();
        let body = json!({ "input": input, "r": digest.opening });
        world.api.put(&format!("/mcp/approvals/{id}/input"), ADMIN, body).await.ok();
        assert_eq!(world.api.approval(&id).await["input"], input);
        world.api.approve(&world.operator, &id).await.ok();
    }
    intact(&world, &before).await;
}

#[tokio::test]
async fn id_that_is_not_there_stays_a_name_in_the_refusal() {
    let world = World::new().await;
    let before = world.tables().await;
    let api = &world.api;
    for value in NAMES {
        let id = encode(value);
        let said = format!("{value:?}");
        for (method, path) in [
            (Method::GET, format!("/api/v1/agents/{id}")),
            (Method::POST, format!("/api/v1/agents/{id}/revoke")),
            (Method::POST, format!("/api/v1/agents/{id}/suspend")),
            (Method::POST, format!("/api/v1/agents/{id}/reactivate")),
            (Method::GET, format!("/mcp/sessions/{id}")),
            (Method::GET, format!("/mcp/approvals/{id}")),
            (Method::POST, format!("/mcp/approvals/{id}/approve")),
            (Method::POST, format!("/mcp/approvals/{id}/deny")),
            (Method::DELETE, format!("/api/v1/keys/{id}")),
            (Method::DELETE, format!("/api/v1/tools/{id}")),
            (Method::DELETE, format!("/api/v1/tools/{id}/effect")),
        ] {
            let answer = api.ask(method, &path, ADMIN, None).await;
            answer.refused(404, "NOT_FOUND");
            assert!(answer.text("message").contains(&said), "{path}: {answer:?}");
        }
        let floor = json!({ "mode": "open" });
        let answer = api.put(&format!("/api/v1/agents/{id}/floor"), ADMIN, floor).await;
        answer.refused(404, "NOT_FOUND");
        for body in [
            json!({ "agent_id": value, "action_name": "read" }),
            json!({ "agent_id": value, "server_id": "files" }),
            json!({ "agent_id": value, "scopes": [] }),
            json!({ "agent_id": value, "events": [] }),
        ] {
            let path = match () {
                () if body.get("action_name").is_some() => "/api/v1/agenttrust/check",
                () if body.get("server_id").is_some() => "/mcp/sessions/init",
                () if body.get("scopes").is_some() => "/api/v1/agent-tokens/issue",
                () => "/api/v1/telemetry/report",
            };
            let answer = api.post(path, ADMIN, body).await;
            answer.refused(404, "NOT_FOUND");
            assert!(answer.text("message").contains(&said), "{path}: {answer:?}");
        }
        for query in ["/mcp/approvals?agent_id=", "/api/v1/audit?agent_id="] {
            let answer = api.get(&format!("{query}{id}"), ADMIN).await.ok();
            let list = answer.body.as_object().unwrap().values().find_map(Value::as_array);
            assert_eq!(list.map(Vec::len), Some(0), "{query} {value:?}: {answer:?}");
        }
        let answer = api.get(&format!("/api/v1/agents?org_id={id}"), ADMIN).await;
        answer.refused(403, "AUTH_DENIED");
        let answer = api.get(&format!("/mcp/approvals?status={id}"), ADMIN).await;
        answer.refused(400, "VALIDATION_ERROR");
        let token = json!({ "token": value });
        let answer = api.post("/api/v1/agent-tokens/introspect", ADMIN, token.clone()).await;
        assert_eq!(answer.ok().body["active"], false);
        api.post("/api/v1/agent-tokens/revoke", ADMIN, token.clone())
            .await
            .refused(404, "NOT_FOUND");
        let answer = api.post("/api/v1/agenttrust/api-sessions/init", ADMIN, token).await;
        answer.refused(401, "AUTH_FAILED");
        let key = json!({ "role": "agent", "agents": [value] });
        api.post("/api/v1/keys", ADMIN, key).await.refused(400, "VALIDATION_ERROR");
        let key = json!({ "role": value });
        api.post("/api/v1/keys", ADMIN, key).await.refused(400, "VALIDATION_ERROR");
    }
    intact(&world, &before).await;
}

#[tokio::test]
async fn header_that_means_something_elsewhere_is_a_name_or_a_refusal() {
    let world = World::new().await;
    let before = world.tables().await;
    let body = json!({ "agent_id": world.agent, "action_name": "read" });
    for value in NAMES.iter().filter(|value| value.is_ascii()) {
        let sent =
            async |name: &str| world.api.check_with(ADMIN, &[(name, value)], body.clone()).await;
        sent("idempotency-key").await.allowed();
        sent("idempotency-key").await.allowed();
        sent("agenttrust-scopes").await.allowed();
        sent("agenttrust-input-digest").await.refused(400, "VALIDATION_ERROR");
        sent("x-agent-id").await.refused(403, "AUTH_DENIED");
        let report = json!({ "agent_id": world.agent, "events": [{ "event_type": "note" }] });
        let headers = [("agenttrust-check-ids", *value)];
        let path = "/api/v1/telemetry/report";
        world.api.ask_with(Method::POST, path, ADMIN, &headers, Some(report)).await.ok();
        world.api.get("/api/v1/agents", value).await.refused(401, "AUTH_FAILED");
        let bearer = format!("Bearer {value}");
        let headers = [("authorization", bearer.as_str())];
        let answer = world.api.ask_with(Method::GET, "/api/v1/agents", "", &headers, None).await;
        answer.refused(401, "AUTH_FAILED");
    }
    intact(&world, &before).await;
}

#[track_caller]
fn refused(answer: &Answer, place: &str, value: &str) {
    answer.refused(400, "VALIDATION_ERROR");
    let field = answer.body["details"]["field"].as_str().unwrap_or_default();
    assert!(place.starts_with(field) && !field.is_empty(), "{place} {value:?}: {answer:?}");
    let message = answer.text("message");
    assert!(!message.chars().any(char::is_control), "{place} {value:?}: {answer:?}");
}

/// Every table is there with at least the rows that it had, the agent is as it was, nobody was told more
/// than it may, and the audit is whole.
async fn intact(world: &World, before: &BTreeMap<String, i64>) {
    world.api.audit_rows().await;
    let now = world.tables().await;
    for (table, rows) in before {
        assert!(now.get(table).is_some_and(|now| now >= rows), "{table}: {rows}, now {now:?}");
    }
    assert_eq!(before.len(), now.len());
    let agent = world.api.get(&format!("/api/v1/agents/{}", world.agent), ADMIN).await.ok();
    assert_eq!(agent.body["capabilities"], json!(["*"]));
    assert_eq!(agent.body["status"], "active");
}
