//! What is kept, is kept: everything that was answered is there after a restart, and a caller who hangs
//! up leaves nothing half done.

use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Waker};

use agenttrust_guardian::Role;
use agenttrust_testkit::{ADMIN, Answer, eventually};
use axum::http::Method;
use serde_json::json;

use crate::support::{Api, open, open_with};

async fn at(path: &Path) -> Api {
    open_with(|builder| builder.database(path.to_str().unwrap())).await
}

/// Declares tools, raises some, and takes some back.
async fn tell_of_tools(api: &Api, key: &str) {
    api.put("/api/v1/tools/frobnicate/effect", ADMIN, json!({ "effect": "admin" })).await.ok();
    let tools = json!({ "tools": [
        { "name": "tickle", "effect": "destructive", "scopes": ["fun:have"],
          "arguments": [{ "name": "whom", "schema": { "type": "string", "maxLength": u64::MAX } }],
          "places": [{ "module": "fun", "file": "src/fun.rs", "line": 7 }] },
        { "name": "gone" },
        { "name": "mine" },
    ] });
    api.put("/api/v1/tools", ADMIN, tools).await.ok();
    let raised = json!({ "tools": [
        { "name": "mine", "effect": "admin" }, { "name": "gone", "effect": "admin" },
    ] });
    api.put("/api/v1/tools", key, raised).await.ok();
    api.ask(Method::DELETE, "/api/v1/tools/gone", ADMIN, None).await.ok();
    api.put("/api/v1/tools/free/effect", ADMIN, json!({ "effect": "admin" })).await.ok();
    api.ask(Method::DELETE, "/api/v1/tools/free/effect", ADMIN, None).await.ok();
}

/// Asks about those tools, of which more is known than their names.
async fn tools_are_known(api: &Api, key: &str, agent: &str) {
    assert_eq!(api.check(key, agent, "frobnicate").await.held(), {
        let listed = api.get("/mcp/approvals?status=pending", ADMIN).await.ok();
        listed.body["approvals"][0]["id"].as_str().unwrap().to_owned()
    });
    for (tool, effect) in [("tickle", "destructive"), ("mine", "admin")] {
        let answer = api.check(key, agent, tool).await;
        answer.held();
        assert_eq!(answer.body["action_effect"], effect, "{answer:?}");
    }
    for tool in ["gone", "free"] {
        let answer = api.check(key, agent, tool).await;
        assert_eq!(answer.allowed().body["action_effect"], "mutating", "{answer:?}");
    }
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    let api = at(&path).await;
    let (agent, key) = api.worker().await;
    api.put(&format!("/api/v1/agents/{agent}/floor"), ADMIN, json!({ "mode": "supervised" }))
        .await
        .ok();
    tell_of_tools(&api, &key).await;
    let tools = api.get("/api/v1/tools", ADMIN).await.ok().body;
    let token = api.token(&agent, &["search"]).await;
    let session = api.session(&key, &agent, json!({})).await.ok().text("session_id");
    api.check_in(&key, &agent, "search", &session).await.allowed();
    let used = api.check(&key, &agent, "db_delete").await.held();
    api.approve(ADMIN, &used).await.ok();
    api.check(&key, &agent, "db_delete").await.allowed();
    let approved = api.check(&key, &agent, "db_drop").await.held();
    api.approve(ADMIN, &approved).await.ok();
    let pending = api.check(&key, &agent, "db_truncate").await.held();
    let denied = api.check(&key, &agent, "db_wipe").await.held();
    api.deny(ADMIN, &denied).await.ok();
    let rows = api.audit_rows().await;
    api.guardian.close().await;

    let api = at(&path).await;
    assert!(api.audit_rows().await > rows);
    let floor = api.session(&key, &agent, json!({})).await.ok();
    assert_eq!(floor.body["mode"], "supervised");
    tools_are_known(&api, &key, &agent).await;
    assert_eq!(api.get("/api/v1/tools", ADMIN).await.ok().body, tools);
    let body = json!({ "token": token });
    assert_eq!(api.post("/api/v1/agent-tokens/introspect", ADMIN, body).await.body["active"], true);
    let shown = api.get(&format!("/mcp/sessions/{session}"), &key).await.ok();
    assert_eq!((&shown.body["total_calls"], &shown.body["read_calls"]), (&json!(1), &json!(1)));
    assert_ne!(api.check(&key, &agent, "db_delete").await.held(), used, "a used approval is used");
    api.check(&key, &agent, "db_drop").await.allowed();
    assert_eq!(api.check(&key, &agent, "db_truncate").await.held(), pending);
    api.check(&key, &agent, "db_wipe").await.denied("was denied");
    api.guardian.close().await;
}

#[tokio::test]
async fn asker_of_before_a_restart_still_cannot_decide() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    let api = at(&path).await;
    let agent = api.agent(&["*"]).await;
    let approval = api.check(ADMIN, &agent, "db_delete").await.held();
    api.guardian.close().await;
    let api = at(&path).await;
    api.approve(ADMIN, &approval).await.refused(403, "AUTH_DENIED");
}

#[tokio::test]
async fn key_of_the_embedded_client_is_not_kept_and_works_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    for _ in 0..2 {
        let api = at(&path).await;
        assert!(api.guardian.client().agents().list().await.unwrap().is_empty());
        let keys = api.get("/api/v1/keys", ADMIN).await.ok();
        assert_eq!(keys.body["keys"].as_array().unwrap().len(), 1);
        api.guardian.close().await;
    }
}

/// Polls `asking` once and drops it; whether that was in the middle.
fn hung_up(asking: impl Future<Output = Answer>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    pin!(asking).poll(&mut cx).is_pending()
}

#[tokio::test]
async fn caller_who_hangs_up_leaves_nothing_half_done() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let body = json!({ "agent_id": agent, "action_name": "db_delete" });
    // A database that answers within the one poll leaves no middle to hang up in: try again.
    let mut rounds = 0..50;
    loop {
        let round = rounds.next().expect("a poll that ends before the database has answered");
        let approval = api.check(&key, &agent, "db_delete").await.held();
        api.approve(ADMIN, &approval).await.ok();
        let once = format!("once-{round}");
        let headers = [("idempotency-key", once.as_str())];
        let in_the_middle = hung_up(api.check_with(&key, &headers, body.clone()));
        let answer = api.check_with(&key, &headers, body.clone()).await;
        assert_eq!(
            answer.allowed().body["approval_id"],
            approval,
            "the answer waited for its caller"
        );
        if in_the_middle {
            break;
        }
    }

    let mut asked = 1;
    loop {
        asked += 1;
        assert!(asked < 50, "no poll ended before the database had answered");
        let create = json!({ "name": "late", "capabilities": ["*"] });
        if hung_up(api.post("/api/v1/agents", ADMIN, create)) {
            break;
        }
    }
    let there = async || {
        let agents = api.get("/api/v1/agents", ADMIN).await.ok().body;
        agents["agents"].as_array().unwrap().len() == asked
    };
    eventually("the agent never appeared", there).await;
}

#[tokio::test]
async fn mutating_and_supervised_decisions_are_on_disk_before_the_answer() {
    use sqlx::Connection;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    let api = at(&path).await;
    let (agent, key) = api.worker().await;
    let session = api.session(&key, &agent, json!({ "mode": "supervised" })).await.ok();
    let session = session.text("session_id");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).read_only(true);
    let mut other = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    for (tool, session) in
        [("search", session.as_str()), ("send_mail", ""), ("db_delete", "")].repeat(10)
    {
        let check_id = api.check_in(&key, &agent, tool, session).await.ok().text("check_id");
        // Another process sees it at once, and nothing was flushed in between.
        let seen: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM audit WHERE instr(body, $1) > 0")
            .bind(&check_id)
            .fetch_one(&mut other)
            .await
            .unwrap();
        assert_eq!(seen, 1, "{tool}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn database_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let api = at(&folder.path().join("guardian.db")).await;
    api.worker().await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", file.path());
    }
}

#[tokio::test]
async fn unreachable_and_broken_databases_are_refused_with_what_to_do() {
    let open = async |url: &str| {
        let built = agenttrust_guardian::Guardian::builder().database(url).build().await;
        built.unwrap_err().to_string()
    };
    let said = open("postgres://me:hunter2@127.0.0.1:1/at").await;
    assert!(said.contains("postgres://me@127.0.0.1:1/at") && !said.contains("hunter2"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.db");
    std::fs::write(&path, "this is no database, whatever its name says ".repeat(100)).unwrap();
    let said = open(path.to_str().unwrap()).await;
    assert!(said.contains("broken.db"), "{said}");
    let said = open(folder.path().join("no/such/folder.db").to_str().unwrap()).await;
    assert!(said.contains("folder.db"), "{said}");
}

#[test]
fn guardian_is_built_from_a_thread_without_a_runtime() {
    let guardian = agenttrust_guardian::Guardian::builder().build_blocking().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let key = guardian.create_key(Role::Auditor, &[]).await.unwrap();
        guardian.client_with_key(&key).unwrap().agents().list().await.unwrap();
        guardian.close().await;
    });
}

#[tokio::test]
async fn works_for_a_caller_without_any_runtime() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let answers = std::thread::spawn(move || {
        let waiter = std::sync::Arc::new(ThreadWaker(std::thread::current()));
        let waker = std::task::Waker::from(waiter);
        let mut cx = std::task::Context::from_waker(&waker);
        let mut asking = std::pin::pin!(async {
            let held = api.check(&key, &agent, "db_delete").await.held();
            let read = api.check(&key, &agent, "search").await.body["allowed"].clone();
            (held, read)
        });
        loop {
            match asking.as_mut().poll(&mut cx) {
                std::task::Poll::Ready(answers) => return answers,
                std::task::Poll::Pending => std::thread::park(),
            }
        }
    });
    let (held, read) = answers.join().unwrap();
    assert!(held.starts_with("apr_"));
    assert_eq!(read, true);
}

struct ThreadWaker(std::thread::Thread);

impl std::task::Wake for ThreadWaker {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}
