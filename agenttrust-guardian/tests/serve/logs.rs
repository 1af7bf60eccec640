//! What is logged, at its most talkative: no secret, nothing of what callers sent, and a line an event.

use std::collections::BTreeMap;
use std::time::Duration;

use agenttrust_testkit::ADMIN;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::proxy::{Proxy, Wire};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::{Program, client, run, text};

#[tokio::test]
async fn start_on_postgresql_logs_no_notice_of_tables_that_are_there_already() {
    let Some(fresh) = Fresh::or_skip() else { return };
    for _ in 0..2 {
        let database = fresh.url();
        let environment = [("AGENTTRUST_ADMIN_KEY", ADMIN)];
        let mut program =
            Program::serve(&["--replica", "one", "--database", &database], &environment).await;
        program.signal("TERM");
        program.ends().await;
        let log = program.log();
        assert!(log.contains(" INFO ") && !log.contains("already exists"), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outage_of_the_database_is_a_line_for_each_thing_that_fails_and_not_one_a_second() {
    let Some(database) = Fresh::or_skip() else { return };
    let proxy = Proxy::before(database.address()).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), database.url_by(proxy.address));
    let audit_key = folder.path().join("audit.key");
    let arguments =
        ["--replica", "one", "--audit-key", audit_key.to_str().unwrap(), "--database", &url];
    let secret_key = "0f1e".repeat(16);
    let environment = [("AGENTTRUST_ADMIN_KEY", ADMIN), ("AGENTTRUST_SECRET_KEY", &secret_key)];
    let program = Program::serve(&arguments, &environment).await;
    proxy.set(Wire::Cut);
    program.logs("the database does not answer").await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    proxy.set(Wire::Whole);
    program.logs("the database answers again").await;
    let (log, mut times) = (program.log(), BTreeMap::<&str, usize>::new());
    let grave = log.lines().filter(|line| line.contains(" WARN ") || line.contains(" ERROR "));
    for (_, told) in grave.filter_map(|line| line.split_once("agenttrust_guardian")) {
        *times.entry(told.split(" error=").next().unwrap()).or_default() += 1;
    }
    assert!(times.len() > 2 && times.values().all(|times| *times == 1), "{times:#?}");
}

/// Says to the program all that its callers may say, and returns what must not be in its log.
async fn talk(program: &Program, admin: &str) -> Vec<String> {
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (status, agent) = program.post("/api/v1/agents", admin, &create).await;
    assert_eq!(status, 201);
    let make = json!({ "role": "agent", "agents": [agent["id"]] });
    let (_, key) = program.post("/api/v1/keys", admin, &make).await;
    let key = key["key"].as_str().unwrap().to_owned();

    let issue = json!({ "agent_id": agent["id"], "scopes": ["*"] });
    let (_, token) = program.post("/api/v1/agent-tokens/issue", &key, &issue).await;
    let token = token["token"].as_str().unwrap().to_owned();
    for path in ["agent-tokens/introspect", "agenttrust/api-sessions/init", "agent-tokens/revoke"] {
        program.post(&format!("/api/v1/{path}"), admin, &json!({ "token": token })).await;
    }

    let mut secrets = vec![admin.to_owned(), key.clone(), token];
    secrets.extend(talk_of_an_approval(program, admin, &agent["id"], &key).await);
    secrets.extend(talk_with_wrong_keys(program, admin).await);
    secrets.extend(talk_brokenly(program, admin).await);
    secrets
}

/// Returns a check with its input, held, shown to the approver and decided.
async fn talk_of_an_approval(
    program: &Program,
    admin: &str,
    agent: &Value,
    key: &str,
) -> Vec<String> {
    let input = json!({ "password": "input-marker-41" });
    let commitment = agenttrust::guard::digest::commit(&[7; 32], &input).unwrap();
    let check = json!({
        "agent_id": agent, "action_name": "db_delete", "session_id": "conv-1",
        "action_input_summary": "drop table summary-marker-42",
    });
    let client = client();
    let held = client
        .post(program.url("/api/v1/agenttrust/check"))
        .header("x-api-key", key)
        .header("agenttrust-input-digest", &commitment.digest)
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .body(check.to_string())
        .send()
        .await
        .unwrap();
    let held: Value = serde_json::from_str(&held.text().await.unwrap()).unwrap();
    let approval = format!("/mcp/approvals/{}", held["approval_id"].as_str().unwrap());
    let disclosure = json!({ "input": input, "r": commitment.opening });
    let shown = client
        .put(program.url(&format!("{approval}/input")))
        .header("x-api-key", key)
        .body(disclosure.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(shown.status(), 200);
    program.get(&approval, admin).await;
    program.post(&format!("{approval}/approve"), admin, &json!({})).await;
    vec!["input-marker-41".to_owned(), "summary-marker-42".to_owned(), commitment.opening]
}

/// Returns keys that are none, in every place that holds one.
async fn talk_with_wrong_keys(program: &Program, admin: &str) -> Vec<String> {
    for (header, value) in [
        ("x-api-key", "sk_live_wrong-marker-43"),
        ("authorization", "Bearer sk_live_wrong-marker-44"),
        ("x-api-key", "sk_live_b\u{e9}-marker-45"),
    ] {
        let request = client().get(program.url("/api/v1/agents")).header(header, value);
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    let token = json!({ "token": "at_wrong-marker-46" });
    program.post("/api/v1/agent-tokens/introspect", admin, &token).await;
    (43..=46).map(|number| format!("marker-{number}")).collect()
}

/// Returns bodies that are none.
async fn talk_brokenly(program: &Program, admin: &str) -> Vec<String> {
    for body in [
        "{\"token\": \"at_broken-marker-47",
        "\"at_broken-marker-48\"",
        "{\"role\": \"marker-49\"}",
    ] {
        for path in ["agent-tokens/introspect", "keys", "agenttrust/check"] {
            let request =
                client().post(program.url(&format!("/api/v1/{path}"))).header("x-api-key", admin);
            request.body(body).send().await.unwrap();
        }
    }
    ["marker-47", "marker-48"].map(str::to_owned).to_vec()
}

/// Names that would begin a line of their own, or drive a terminal.
async fn inject(program: &Program, admin: &str) {
    const FORGED: &str =
        "x\r\n2026-01-01T00:00:00Z  INFO all is well\u{1b}[2J\u{9b}2J\u{2028}\u{7}";
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", admin, &create).await;
    for field in ["agent_id", "action_name", "session_id", "action_source"] {
        let mut check = json!({ "agent_id": agent["id"], "action_name": "read" });
        check[field] = json!(FORGED);
        program.post("/api/v1/agenttrust/check", admin, &check).await;
    }
    // What is no control character is a name.
    let check = json!({ "agent_id": agent["id"], "action_name": "read\u{2028}INFO all is well" });
    assert_eq!(program.post("/api/v1/agenttrust/check", admin, &check).await.0, 200);
    for path in
        ["/api/v1/agents/x%0d%0aINFO%20all%20is%20well%1b%5b2J", "/x%0aINFO%20all%20is%20well"]
    {
        program.get(path, admin).await;
    }
    for head in [
        "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Agent-ID: a\u{1b}[2J\r\n\r\n",
        "GET /\u{1b}[2J HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\u{1b}[2J / HTTP/1.1\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(program.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // It may be cut off, or answered.
        let _ = stream.read_to_end(&mut answer).await;
    }
}

async fn logged(format: &str) -> (Vec<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let arguments = ["--database", &database, "--log", "trace", "--log-format", format];
    let mut program = Program::serve(&arguments, &[]).await;
    let admin = program.first_key();
    let secrets = talk(&program, &admin).await;
    inject(&program, &admin).await;
    program.signal("TERM");
    assert!(program.ends().await.success());
    program.logs("stopping").await;
    let log = program.log();
    assert!(log.contains("sqlx") && log.contains("db_delete"), "it is talkative: {log}");
    (secrets, log)
}

#[track_caller]
fn holds_none(log: &str, secrets: &[String]) {
    assert!(secrets.len() > 10);
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert_eq!(line, None, "{secret}");
    }
}

#[tokio::test]
async fn text_log_at_trace_holds_no_secret_and_no_line_that_the_program_did_not_begin() {
    let (secrets, log) = logged("text").await;
    holds_none(&log, &secrets);
    for line in log.lines() {
        let begins = line.len() > 28 && line.starts_with("20") && line[10..].starts_with('T');
        assert!(begins && !line.starts_with("2026-01-01T00"), "{line:?}");
        assert!(
            !line.contains(|letter: char| letter.is_control() || letter == '\u{2028}'),
            "{line:?}"
        );
    }
}

#[tokio::test]
async fn json_log_at_trace_holds_no_secret_and_is_json_line_by_line() {
    let (secrets, log) = logged("json").await;
    holds_none(&log, &secrets);
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"));
        assert!(event["timestamp"].is_string() && event["level"].is_string(), "{line:?}");
    }
}

#[tokio::test]
async fn log_tells_how_many_policies_were_written_at_the_start_and_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "a.cedar",
        "permit (principal, action, resource);\n@elevate forbid (principal, action, resource);",
    );
    write(
        "b.cedar",
        "@shadow forbid (principal, action, resource);\n@limit(\"9/1m\") permit (principal, action, resource);",
    );
    let path = folder.path().to_str().unwrap();
    let arguments =
        ["--database", "memory", "--policies", path, "--log", "info", "--log-format", "json"];
    let program =
        Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", "sk_live_of_the_admin")]).await;
    program.logs("policies are in force").await;
    write("c.cedar", "permit (principal, action, resource);");
    program.logs("\"policies\":5").await;
    let log = program.log();
    let told: Vec<Value> = log
        .lines()
        .filter(|line| line.contains("policies are in force"))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let counts: Vec<_> = told.iter().map(|line| (&line["policies"], &line["shadow"])).collect();
    assert_eq!(counts, [(&json!(4), &json!(1)), (&json!(5), &json!(1))], "{log}");
    let metrics = program.get("/metrics", "sk_live_of_the_admin").await.text().await.unwrap();
    assert!(metrics.lines().any(|line| line == "agenttrust_policies 4"), "{metrics}");
    let audit = program.get("/api/v1/audit", "sk_live_of_the_admin").await.text().await.unwrap();
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let entries = audit["entries"].as_array().unwrap();
    let body = |kind: &str| &entries.iter().find(|entry| entry["kind"] == kind).unwrap()["body"];
    assert_eq!(body("guardian.started")["policies"]["count"], 4);
    assert_eq!(body("policies.loaded")["count"], 5);
}

#[tokio::test]
async fn key_of_the_environment_is_not_logged() {
    let environment =
        [("AGENTTRUST_ADMIN_KEY", "sk_live_env-marker-50"), ("AGENTTRUST_DATABASE", "memory")];
    let program = Program::serve(&["--log", "trace"], &environment).await;
    assert_eq!(program.get("/api/v1/keys", "sk_live_env-marker-50").await.status(), 200);
    program.logs("/api/v1/keys").await;
    holds_none_of(&program.log(), "marker-50");
    let database = "postgres://ada:pa55-marker-51@127.0.0.1:1/at";
    let output =
        run(&["serve", "--listen", "127.0.0.1:0", "--log", "trace", "--database", database], &[])
            .await;
    assert!(!output.status.success());
    holds_none_of(&text(&output.stderr), "marker-51");
}

#[track_caller]
fn holds_none_of(log: &str, secret: &str) {
    assert!(!log.contains(secret), "{log}");
}
