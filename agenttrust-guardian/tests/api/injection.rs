//! Strings that mean something to SQL, to a log, to a header or to a terminal mean nothing here. Each is kept and shown
//! byte for byte, or refused with a sentence that names its place.

use std::collections::BTreeMap;

use agenttrust_testkit::{ADMIN, Answer, escaped};
use axum::http::Method;
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::{Api, Harness, open_with};

/// Texts that may be a name.
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

/// Texts that may not be a name: control characters could end a line, a header or a string.
const CONTROLS: &[&str] = &[
    "name\r\nSet-Cookie: a=b",
    "name\nlevel=ERROR msg=forged",
    "\u{1b}[2Jname",
    "name\u{7}",
    "name\u{0}'; DROP TABLE agents; --",
    "name\u{85}next",
    "\t",
];

/// Puts strings in every place that takes one, and looks into the database of the Guardian.
struct Probe {
    harness: Harness,
    folder: tempfile::TempDir,
}

impl Probe {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("at.db").to_str().unwrap().to_owned();
        let api = open_with(|builder| builder.database(database)).await;
        Self { harness: Harness::new(api).await, folder }
    }

    async fn database(&self) -> sqlx::SqlitePool {
        let url = format!("sqlite://{}?mode=ro", self.folder.path().join("at.db").display());
        sqlx::SqlitePool::connect(&url).await.unwrap()
    }

    /// Returns the tables with how many rows each has.
    async fn tables(&self) -> BTreeMap<String, i64> {
        let pool = self.database().await;
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
        let rows = sqlx::query(sql).fetch_all(&self.database().await).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Sends `value` at this place, and answers with what came back of it where it is kept.
    async fn send(&self, place: &str, value: &str) -> (Answer, Value) {
        match place {
            "name" | "framework" | "capabilities[0]" | "metadata" => {
                self.of_an_agent(place, value).await
            }
            "action_name" | "session_id" | "action_input_summary" | "action_source" => {
                self.of_a_check(place, value).await
            }
            "server_id" | "scope_ceiling[0]" => self.of_a_session(place, value).await,
            "scopes[0]" | "audience[0]" => self.of_a_token(place, value).await,
            "required_scopes[0]" | "target" => self.of_an_introspection(place, value).await,
            "reason" => self.of_what_is_taken_back(place, value).await,
            "decided_by" => self.of_a_decision(place, value).await,
            "id" => self.of_a_tool_that_is_set(place, value).await,
            _ if place.starts_with("tools[0].places[0].") => self.of_a_place(place, value).await,
            _ if place.starts_with("tools[0].") => self.of_a_declared_tool(place, value).await,
            _ if place.starts_with("events[0].") => self.of_a_report(place, value).await,
            _ => panic!("no place {place}"),
        }
    }

    async fn of_an_agent(&self, place: &str, value: &str) -> (Answer, Value) {
        let mut body = json!({ "name": "worker" });
        match place {
            "capabilities[0]" => body["capabilities"] = json!([value]),
            "metadata" => body["metadata"] = json!({ value: value }),
            _ => body[place] = json!(value),
        }
        let answer = self.harness.post("/api/v1/agents", ADMIN, body).await;
        let Some(id) = answer.body["id"].as_str() else { return (answer, Value::Null) };
        let shown = self.harness.get(&format!("/api/v1/agents/{id}"), ADMIN).await.ok().body;
        let shown = match place {
            "capabilities[0]" => &shown["capabilities"][0],
            "metadata" => &shown["metadata"][value],
            _ => &shown[place],
        };
        (answer, shown.clone())
    }

    async fn of_a_check(&self, place: &str, value: &str) -> (Answer, Value) {
        let api = &self.harness;
        if place == "action_source" {
            let body = json!({ "agent_id": api.agent, "action_name": "read", place: value });
            let answer = api.check_as(&api.key, body).await;
            return (answer, self.last_of("decision", "source").await);
        }
        let mut body = json!({
            "agent_id": api.agent, "action_name": "run", "action_effect": "destructive",
        });
        body[place] = json!(value);
        let answer = api.check_as(&api.key, body).await;
        let Some(id) = answer.body["approval_id"].as_str() else { return (answer, Value::Null) };
        let approval = api.approval(id).await;
        // Not to run into the bound of those that are pending.
        api.approve(&api.operator, id).await.ok();
        (answer, approval[place].clone())
    }

    async fn of_a_session(&self, place: &str, value: &str) -> (Answer, Value) {
        let more = match place {
            "scope_ceiling[0]" => json!({ "mode": "restricted", "scope_ceiling": [value] }),
            _ => json!({ place: value }),
        };
        let answer = self.harness.session(ADMIN, &self.harness.agent, more).await;
        let shown = match place {
            "scope_ceiling[0]" => answer.body["scope_ceiling"][0].clone(),
            _ => answer.body[place].clone(),
        };
        (answer, shown)
    }

    async fn of_a_token(&self, place: &str, value: &str) -> (Answer, Value) {
        let api = &self.harness;
        let list = place.strip_suffix("[0]").unwrap();
        let mut body = json!({ "agent_id": api.agent, "scopes": [] });
        body[list] = json!([value]);
        let answer = api.post("/api/v1/agent-tokens/issue", ADMIN, body).await;
        let shown = answer.body[list][0].clone();
        if let Some(token) = answer.body["token"].as_str() {
            self.take_back(token).await;
        }
        (answer, shown)
    }

    async fn of_an_introspection(&self, place: &str, value: &str) -> (Answer, Value) {
        let api = &self.harness;
        let token = api.token(&api.agent, &["*"]).await;
        let mut body = json!({ "token": token });
        match place {
            "target" => body[place] = json!(value),
            _ => body["required_scopes"] = json!([value]),
        }
        let answer = api.post("/api/v1/agent-tokens/introspect", ADMIN, body).await;
        self.take_back(&token).await;
        let works = answer.body["active"] == true;
        (answer, if works { json!(value) } else { Value::Null })
    }

    /// Revokes a token, so that the bound on live tokens is not met.
    async fn take_back(&self, token: &str) {
        let body = json!({ "token": token });
        self.harness.post("/api/v1/agent-tokens/revoke", ADMIN, body).await.ok();
    }

    async fn of_what_is_taken_back(&self, place: &str, value: &str) -> (Answer, Value) {
        let api = &self.harness;
        let other = api.agent(&[]).await;
        let said = async |verb: &str| {
            let path = format!("/api/v1/agents/{other}/{verb}");
            api.post(&path, &api.operator, json!({ place: value })).await
        };
        for (verb, kind) in [("suspend", "agent.suspended"), ("reactivate", "agent.reactivated")] {
            let answer = said(verb).await;
            if !answer.status.is_success() {
                return (answer, self.last_of(kind, "reason").await);
            }
            assert_eq!(self.last_of(kind, "reason").await, value);
        }
        (said("revoke").await, self.last_of("agent.revoked", "reason").await)
    }

    async fn of_a_decision(&self, place: &str, value: &str) -> (Answer, Value) {
        let api = &self.harness;
        let body = json!({
            "agent_id": api.agent, "action_name": escaped(value), "action_effect": "destructive",
        });
        let id = api.check_as(&api.key, body).await.held();
        let path = format!("/mcp/approvals/{id}/approve");
        let answer = api.post(&path, &api.operator, json!({ place: value })).await;
        if !answer.status.is_success() {
            api.approve(&api.operator, &id).await.ok();
        }
        (answer, api.approval(&id).await[place].clone())
    }

    async fn of_a_tool_that_is_set(&self, place: &str, value: &str) -> (Answer, Value) {
        let api = &self.harness;
        let path = format!("/api/v1/tools/{}/effect", escaped(value));
        let answer = api.put(&path, ADMIN, json!({ "effect": "admin" })).await;
        let shown = answer.body["tool"].clone();
        if answer.status.is_success() {
            let checked = api.check_in(&api.key, &api.agent, value, "by its own name").await;
            assert_eq!(checked.body["action_effect"], "admin", "{place} {value:?}");
            api.approve(&api.operator, &checked.held()).await.ok();
            api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
        }
        (answer, shown)
    }

    async fn of_a_declared_tool(&self, place: &str, value: &str) -> (Answer, Value) {
        let (name, tool) = match place {
            "tools[0].name" => (value, json!({ "name": value })),
            "tools[0].scopes[0]" => ("tool", json!({ "name": "tool", "scopes": [value] })),
            "tools[0].arguments[0].name" => {
                ("tool", json!({ "name": "tool", "arguments": [{ "name": value }] }))
            }
            _ => panic!("no place {place}"),
        };
        let body = json!({ "tools": [tool] });
        let answer = self.harness.put("/api/v1/tools", ADMIN, body).await;
        let listed = self.harness.get("/api/v1/tools", ADMIN).await.ok().body;
        let mut tools = listed["tools"].as_array().unwrap().iter();
        let shown = tools.find(|tool| tool["name"] == name).cloned().unwrap_or_default();
        let shown = match place {
            "tools[0].name" => &shown["name"],
            "tools[0].scopes[0]" => &shown["scopes"][0],
            _ => &shown["arguments"][0]["name"],
        };
        (answer, shown.clone())
    }

    async fn of_a_place(&self, place: &str, value: &str) -> (Answer, Value) {
        let part = place.rsplit('.').next().unwrap();
        let mut at = json!({ "module": "m", "file": "f", "line": 1 });
        at[part] = json!(value);
        let body = json!({ "tools": [{ "name": "placed", "places": [at] }] });
        let answer = self.harness.put("/api/v1/tools", ADMIN, body).await;
        let shown = answer.body["tools"][0]["places"][0][part].clone();
        (answer, shown)
    }

    async fn of_a_report(&self, place: &str, value: &str) -> (Answer, Value) {
        let api = &self.harness;
        let part = place.rsplit('.').next().unwrap();
        let mut event = json!({ "event_type": "note", "tool_name": "tool" });
        event[part] = json!(value);
        let body = json!({ "agent_id": api.agent, "session_id": "walk", "events": [event] });
        let answer = api.post("/api/v1/telemetry/report", ADMIN, body).await;
        let kept = match part {
            "event_type" => self.kept("SELECT event_type FROM telemetry").await,
            "tool_name" => self.kept("SELECT tool FROM telemetry").await,
            _ => self.kept("SELECT COALESCE(error_type, '') FROM telemetry").await,
        };
        let found = kept.iter().any(|kept| kept == value);
        (answer, if found { json!(value) } else { Value::Null })
    }

    async fn last_of(&self, kind: &str, field: &str) -> Value {
        self.harness.audit(kind).await.pop().map_or(Value::Null, |row| row["body"][field].clone())
    }
}

/// The places that take a name, as a refusal names them.
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

/// The places that take a text for people.
const TEXTS: &[&str] = &["action_input_summary", "target", "reason", "metadata"];

#[tokio::test]
async fn name_that_means_something_elsewhere_comes_back_byte_for_byte_or_is_refused_by_name() {
    let probe = Probe::new().await;
    let before = probe.tables().await;
    for place in NAMED.iter().chain(TEXTS) {
        for value in NAMES {
            let (answer, back) = probe.send(place, value).await;
            if answer.status == 400 {
                refused(&answer, place, value);
                assert!(may_be_refused(place, value), "{place} {value:?}: {answer:?}");
            } else {
                assert!(answer.status.is_success(), "{place} {value:?}: {answer:?}");
                assert_eq!(back, *value, "{place}: {answer:?}");
            }
        }
    }
    intact(&probe, &before).await;
}

/// Returns whether a place may refuse a value: a `*` in a capability and a `:` at its end mean something, and so does
/// a comma in a scope.
fn may_be_refused(place: &str, value: &str) -> bool {
    match place {
        "capabilities[0]" | "scope_ceiling[0]" | "scopes[0]" => value.contains(['*', ':']),
        "tools[0].scopes[0]" => value.contains(',') || value.trim() != value,
        _ => false,
    }
}

#[tokio::test]
async fn control_character_in_a_name_is_refused_by_name_and_changes_nothing() {
    let probe = Probe::new().await;
    let before = probe.tables().await;
    for place in NAMED {
        for value in CONTROLS {
            let (answer, _) = probe.send(place, value).await;
            refused(&answer, place, value);
        }
    }
    intact(&probe, &before).await;
}

#[tokio::test]
async fn text_for_people_keeps_every_character_but_nul() {
    let probe = Probe::new().await;
    let before = probe.tables().await;
    for place in TEXTS {
        for value in CONTROLS {
            let (answer, back) = probe.send(place, value).await;
            // What is kept as JSON escapes it.
            if value.contains('\0') && *place != "metadata" {
                refused(&answer, place, value);
            } else {
                assert!(answer.status.is_success(), "{place} {value:?}: {answer:?}");
                assert_eq!(back, *value, "{place}: {answer:?}");
            }
        }
    }
    intact(&probe, &before).await;
}

#[tokio::test]
async fn disclosed_input_comes_back_byte_for_byte() {
    let probe = Probe::new().await;
    let before = probe.tables().await;
    for value in NAMES.iter().chain(CONTROLS) {
        let input = json!({ *value: [value] });
        let digest = agenttrust::guard::digest::commit(&[7; 32], &input).unwrap();
        let headers = [("agenttrust-input-digest", digest.digest.as_str())];
        let check = json!({
            "agent_id": probe.harness.agent, "action_name": "run", "action_effect": "destructive",
        });
        let id = probe.harness.check_with(&probe.harness.key, &headers, check).await.held();
        let body = json!({ "input": input, "r": digest.opening });
        probe.harness.put(&format!("/mcp/approvals/{id}/input"), ADMIN, body).await.ok();
        assert_eq!(probe.harness.approval(&id).await["input"], input);
        probe.harness.approve(&probe.harness.operator, &id).await.ok();
    }
    intact(&probe, &before).await;
}

#[tokio::test]
async fn id_that_is_not_there_stays_a_name_in_the_refusal() {
    let probe = Probe::new().await;
    let before = probe.tables().await;
    for value in NAMES {
        id_in_a_path_is_named(&probe.harness, value).await;
        id_in_a_body_is_named(&probe.harness, value).await;
        id_in_a_query_finds_nothing(&probe.harness, value).await;
        secret_is_none(&probe.harness, value).await;
    }
    intact(&probe, &before).await;
}

#[track_caller]
fn unknown_by_name(answer: &Answer, value: &str) {
    answer.refused(404, "NOT_FOUND");
    assert!(answer.text("message").contains(&format!("{value:?}")), "{answer:?}");
}

async fn id_in_a_path_is_named(api: &Api, value: &str) {
    let id = escaped(value);
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
        unknown_by_name(&api.ask(method, &path, ADMIN, None).await, value);
    }
    let floor = json!({ "mode": "open" });
    let answer = api.put(&format!("/api/v1/agents/{id}/floor"), ADMIN, floor).await;
    answer.refused(404, "NOT_FOUND");
}

async fn id_in_a_body_is_named(api: &Api, value: &str) {
    for (path, more) in [
        ("/api/v1/agenttrust/check", json!({ "action_name": "read" })),
        ("/mcp/sessions/init", json!({ "server_id": "files" })),
        ("/api/v1/agent-tokens/issue", json!({ "scopes": [] })),
        ("/api/v1/telemetry/report", json!({ "events": [] })),
    ] {
        let mut body = more;
        body["agent_id"] = json!(value);
        unknown_by_name(&api.post(path, ADMIN, body).await, value);
    }
    for key in [json!({ "role": "agent", "agents": [value] }), json!({ "role": value })] {
        api.post("/api/v1/keys", ADMIN, key).await.refused(400, "VALIDATION_ERROR");
    }
}

async fn id_in_a_query_finds_nothing(api: &Api, value: &str) {
    let id = escaped(value);
    for query in ["/mcp/approvals?agent_id=", "/api/v1/audit?agent_id="] {
        let answer = api.get(&format!("{query}{id}"), ADMIN).await.ok();
        let list = answer.body.as_object().unwrap().values().find_map(Value::as_array);
        assert_eq!(list.map(Vec::len), Some(0), "{query} {value:?}: {answer:?}");
    }
    let answer = api.get(&format!("/api/v1/agents?org_id={id}"), ADMIN).await;
    answer.refused(403, "AUTH_DENIED");
    let answer = api.get(&format!("/mcp/approvals?status={id}"), ADMIN).await;
    answer.refused(400, "VALIDATION_ERROR");
}

async fn secret_is_none(api: &Api, value: &str) {
    let token = || json!({ "token": value });
    let answer = api.post("/api/v1/agent-tokens/introspect", ADMIN, token()).await;
    assert_eq!(answer.ok().body["active"], false);
    let answer = api.post("/api/v1/agent-tokens/revoke", ADMIN, token()).await;
    answer.refused(404, "NOT_FOUND");
    let answer = api.post("/api/v1/agenttrust/api-sessions/init", ADMIN, token()).await;
    answer.refused(401, "AUTH_FAILED");
}

#[tokio::test]
async fn header_that_means_something_elsewhere_is_a_name_or_a_refusal() {
    let probe = Probe::new().await;
    let before = probe.tables().await;
    let body = json!({ "agent_id": probe.harness.agent, "action_name": "read" });
    for value in NAMES.iter().filter(|value| value.is_ascii()) {
        let sent = async |name: &str| {
            probe.harness.check_with(ADMIN, &[(name, value)], body.clone()).await
        };
        sent("idempotency-key").await.allowed();
        sent("idempotency-key").await.allowed();
        sent("agenttrust-scopes").await.allowed();
        sent("agenttrust-input-digest").await.refused(400, "VALIDATION_ERROR");
        sent("x-agent-id").await.refused(403, "AUTH_DENIED");
        let report =
            json!({ "agent_id": probe.harness.agent, "events": [{ "event_type": "note" }] });
        let headers = [("agenttrust-check-ids", *value)];
        let path = "/api/v1/telemetry/report";
        probe.harness.with(&headers).post(path, ADMIN, report).await.ok();
        probe.harness.get("/api/v1/agents", value).await.refused(401, "AUTH_FAILED");
        let bearer = format!("Bearer {value}");
        let headers = [("authorization", bearer.as_str())];
        let answer = probe.harness.with(&headers).get("/api/v1/agents", "").await;
        answer.refused(401, "AUTH_FAILED");
    }
    intact(&probe, &before).await;
}

#[track_caller]
fn refused(answer: &Answer, place: &str, value: &str) {
    answer.refused(400, "VALIDATION_ERROR");
    let field = answer.body["details"]["field"].as_str().unwrap_or_default();
    assert!(place.starts_with(field) && !field.is_empty(), "{place} {value:?}: {answer:?}");
    let message = answer.text("message");
    assert!(!message.chars().any(char::is_control), "{place} {value:?}: {answer:?}");
}

/// Checks that every table has at least the rows that it had, the agent is as it was, no caller was told more than it
/// may, and the audit is whole.
async fn intact(probe: &Probe, before: &BTreeMap<String, i64>) {
    probe.harness.audit_rows().await;
    let now = probe.tables().await;
    for (table, rows) in before {
        assert!(now.get(table).is_some_and(|now| now >= rows), "{table}: {rows}, now {now:?}");
    }
    assert_eq!(before.len(), now.len());
    let agent =
        probe.harness.get(&format!("/api/v1/agents/{}", probe.harness.agent), ADMIN).await.ok();
    assert_eq!(agent.body["capabilities"], json!(["*"]));
    assert_eq!(agent.body["status"], "active");
}
