//! Tasks over kills: what was held is sent once, what was being sent is in doubt and told, and of two replicas one
//! sends.

mod streams;

use std::collections::HashMap;
use std::time::Duration;

use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, escaped, eventually_within};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::served::{Caller, Served};
use crate::target::{Does, Target};

const LONG: Duration = Duration::from_secs(30);
const MORE: &[&str] = &["--allow-outbound", "127.0.0.1/32"];

/// A served Guardian, one who asks and one who is asked.
struct Fixture {
    database: String,
    replica: Option<&'static str>,
    served: Served,
    source: String,
    key: String,
    operator: String,
    target: String,
}

fn start(database: &str, replica: Option<&str>) -> Served {
    let mut more = MORE.to_vec();
    if let Some(replica) = replica {
        more.extend(["--replica", replica]);
    }
    tokio::task::block_in_place(|| Served::start(database, &more))
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field}: {value}")).to_owned()
}

impl Fixture {
    async fn new(database: &str, replica: Option<&'static str>, at: &Target) -> Self {
        let served = start(database, replica);
        let caller = served.caller();
        let agent = async || {
            let body = json!({ "name": "worker", "capabilities": ["*"] });
            text(&caller.sure("POST", "/api/v1/agents", ADMIN, &body).await, "id")
        };
        let key = async |body: Value| {
            text(&caller.sure("POST", "/api/v1/keys", ADMIN, &body).await, "key")
        };
        let (source, target) = (agent().await, agent().await);
        let operator = key(json!({ "role": "operator" })).await;
        let agents_key = key(json!({ "role": "agent", "agents": [source] })).await;
        let card = json!({ "interfaces": [{
            "url": at.url, "protocol_binding": "JSONRPC", "protocol_version": "1.0",
        }] });
        caller.sure("POST", &format!("/api/v1/agents/{target}/card"), ADMIN, &card).await;
        let database = database.to_owned();
        Self { database, replica, served, source, key: agents_key, operator, target }
    }

    fn caller(&self) -> Caller {
        self.served.caller()
    }

    async fn holds(&self) {
        let tool = escaped(&format!("a2a/{}", self.target));
        let path = format!("/api/v1/tools/{tool}/effect");
        self.caller().sure("PUT", &path, ADMIN, &json!({ "effect": "destructive" })).await;
    }

    fn kill(&mut self) {
        tokio::task::block_in_place(|| self.served.kill());
    }

    fn restart(&mut self) {
        self.served = start(&self.database, self.replica);
    }

    async fn call(&self, caller: &Caller, method: &str, params: Value) -> Option<Value> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let path = format!("/a2a/agents/{}", self.target);
        let caller = caller.with("a2a-version", "1.0");
        let (status, answer) = caller.ask("POST", &path, &self.key, &body).await?;
        assert_eq!(status, 200, "{answer}");
        Some(answer["result"].clone())
    }

    /// Sends a message, and returns its task; `None` where no answer came.
    async fn sends(&self, caller: &Caller, id: &str) -> Option<Value> {
        let message = json!({ "messageId": id, "role": "ROLE_USER", "parts": [{ "text": format!("do {id}") }] });
        let params = json!({ "message": message, "configuration": { "returnImmediately": true } });
        Some(self.call(caller, "SendMessage", params).await?["task"].clone())
    }

    async fn task(&self, id: &Value) -> Value {
        self.call(&self.caller(), "GetTask", json!({ "id": id })).await.expect("no answer")
    }

    async fn becomes(&self, id: &Value, state: &str) -> Value {
        let look = async || {
            let task = self.task(id).await;
            if task["status"]["state"] == state { Ok(()) } else { Err(task) }
        };
        eventually_within(LONG, format!("it is not {state}"), look).await;
        self.task(id).await
    }

    async fn approve(&self, approval: &str) {
        let path = format!("/mcp/approvals/{approval}/approve");
        self.caller().sure("POST", &path, &self.operator, &json!({})).await;
    }

    async fn audited(&self, kind: &str) -> usize {
        let page = self.caller().sure("GET", "/api/v1/audit?limit=1000", ADMIN, &Value::Null).await;
        page["entries"].as_array().unwrap().iter().filter(|row| row["kind"] == kind).count()
    }
}

fn known<'t>(task: &'t Value, member: &str) -> &'t Value {
    &task["metadata"]["https://agenttrust.id/ext/trust/v1"][member]
}

async fn held_over_a_kill(database: &str, replica: Option<&'static str>) {
    let target = Target::start(Does::Completes).await;
    let mut fixture = Fixture::new(database, replica, &target).await;
    fixture.holds().await;
    let task = fixture.sends(&fixture.caller(), "m-1").await.unwrap();
    assert_eq!(task["status"]["state"], "TASK_STATE_AUTH_REQUIRED", "{task}");
    let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
    fixture.kill();
    fixture.restart();
    assert_eq!(fixture.task(&task["id"]).await["status"]["state"], "TASK_STATE_AUTH_REQUIRED");
    assert_eq!(fixture.sends(&fixture.caller(), "m-1").await.unwrap()["id"], task["id"]);
    assert!(target.sent().is_empty());
    fixture.approve(&approval).await;
    fixture.becomes(&task["id"], "TASK_STATE_COMPLETED").await;
    assert_eq!(target.sent().len(), 1);

    // Approved while no Guardian is there to go on: at another one's, or a moment before it dies.
    let task = fixture.sends(&fixture.caller(), "m-2").await.unwrap();
    let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
    fixture.approve(&approval).await;
    fixture.kill();
    let before = target.sent().len();
    fixture.restart();
    let look = async || {
        let task = fixture.task(&task["id"]).await;
        let done = task["status"]["state"] == "TASK_STATE_COMPLETED";
        let doubted = known(&task, "in_doubt") == &json!(true);
        if done || doubted { Ok(()) } else { Err(task) }
    };
    eventually_within(LONG, "it does not go on", look).await;
    assert!(target.sent().len() <= before.max(2), "{:?}", target.sent());
    assert!(fixture.audited("task.held").await >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn task_that_is_held_over_a_kill_is_sent_once_when_it_is_approved() {
    let folder = tempfile::tempdir().unwrap();
    held_over_a_kill(&folder.path().join("at.db").display().to_string(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_that_is_held_over_a_kill_on_postgres_is_sent_once_when_it_is_approved() {
    let Some(fresh) = Fresh::or_skip() else { return };
    held_over_a_kill(&fresh.url(), Some("one")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn approval_that_was_used_before_a_kill_is_that_messages_own_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").display().to_string();
    let target = Target::start(Does::Completes).await;
    let mut fixture = Fixture::new(&database, None, &target).await;
    fixture.holds().await;
    let task = fixture.sends(&fixture.caller(), "m-1").await.unwrap();
    let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
    fixture.approve(&approval).await;
    fixture.becomes(&task["id"], "TASK_STATE_COMPLETED").await;
    fixture.kill();
    // As it was between the approval being used and the message being marked as sent.
    execute(
        &database,
        "UPDATE task_messages SET phase = 'checking', claim = 'clm_1', claimed_until = 0, check_id = NULL, \
         approval_id = (SELECT id FROM approvals); \
         UPDATE tasks SET state = 'auth-required', seen = NULL, seen_state = NULL, seen_at = NULL, upstream = NULL, \
         task = json_set(task, '$.status.state', 'TASK_STATE_AUTH_REQUIRED')",
    )
    .await;
    fixture.restart();
    fixture.becomes(&task["id"], "TASK_STATE_COMPLETED").await;
    assert_eq!(target.sent().len(), 2, "once before it was set back, and once after");
    let approvals = fixture.caller().sure("GET", "/mcp/approvals", ADMIN, &Value::Null).await;
    assert_eq!(approvals["approvals"].as_array().unwrap().len(), 1, "{approvals}");
}

async fn execute(database: &str, sql: &'static str) {
    use sqlx::Connection;

    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn killed_while_sending(database: &str, replica: Option<&'static str>) {
    let target = Target::start(Does::HangsUp).await;
    let mut fixture = Fixture::new(database, replica, &target).await;
    let id = fixture.sends(&fixture.caller(), "m-1").await.unwrap()["id"].clone();
    eventually_within(LONG, "it is not sent", async || target.sent().len() == 1).await;
    fixture.kill();
    fixture.restart();
    let look = async || {
        let task = fixture.task(&id).await;
        if known(&task, "in_doubt") == &json!(true) { Ok(()) } else { Err(task) }
    };
    eventually_within(LONG, "it is not in doubt", look).await;
    let told = fixture.task(&id).await;
    assert_eq!(told["status"]["state"], "TASK_STATE_SUBMITTED");
    let said = told["status"]["message"]["parts"][0]["text"].as_str().unwrap();
    assert!(said.contains("\"m-1\"") && said.contains("same messageId again"), "{said}");
    assert_eq!(fixture.audited("task.in_doubt").await, 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(target.sent().len(), 1, "it is not sent again by itself");
    target.does(Does::Completes);
    assert_eq!(fixture.sends(&fixture.caller(), "m-1").await.unwrap()["id"], id);
    let done = fixture.becomes(&id, "TASK_STATE_COMPLETED").await;
    assert!(known(&done, "in_doubt").is_null());
    assert_eq!(target.sent().len(), 2);
    assert_eq!(fixture.sends(&fixture.caller(), "m-1").await.unwrap()["id"], id);
    assert_eq!(target.sent().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn task_of_a_guardian_that_is_killed_while_sending_is_in_doubt_and_told() {
    let folder = tempfile::tempdir().unwrap();
    killed_while_sending(&folder.path().join("at.db").display().to_string(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn task_of_a_replica_that_is_killed_while_sending_is_in_doubt_and_told() {
    let Some(fresh) = Fresh::or_skip() else { return };
    killed_while_sending(&fresh.url(), Some("one")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_race_and_one_that_is_killed_send_each_message_once() {
    const TASKS: usize = 12;
    let Some(fresh) = Fresh::or_skip() else { return };
    let target = Target::start(Does::Completes).await;
    let mut fixture = Fixture::new(&fresh.url(), Some("one"), &target).await;
    fixture.holds().await;
    let other = start(&fresh.url(), Some("two"));
    let (one, two) = (fixture.caller(), other.caller());
    let sending = (0..TASKS).map(|n| {
        let (fixture, one, two) = (&fixture, &one, &two);
        async move {
            let id = format!("m-{n}");
            let (at_one, at_two) = tokio::join!(fixture.sends(one, &id), fixture.sends(two, &id));
            let (at_one, at_two) = (at_one.unwrap(), at_two.unwrap());
            assert_eq!(at_one["id"], at_two["id"]);
            at_one["id"].clone()
        }
    });
    let ids = join_all(sending).await;
    let mut approvals = Vec::new();
    for id in &ids {
        let task = fixture.becomes(id, "TASK_STATE_AUTH_REQUIRED").await;
        approvals.push(known(&task, "approval_id").as_str().unwrap().to_owned());
    }
    // Half of them are decided, then one of the two is gone while it sends, then the rest.
    let (first, rest) = approvals.split_at(TASKS / 2);
    join_all(first.iter().map(|approval| fixture.approve(approval))).await;
    fixture.kill();
    for approval in rest {
        let path = format!("/mcp/approvals/{approval}/approve");
        two.sure("POST", &path, &fixture.operator, &json!({})).await;
    }
    fixture.restart();
    for id in &ids {
        let look = async || {
            let task = fixture.task(id).await;
            let state = &task["status"]["state"];
            let settled = state == "TASK_STATE_COMPLETED"
                || known(&task, "in_doubt") == &json!(true)
                // The killed one had used its approval, and not sent.
                || state == "TASK_STATE_AUTH_REQUIRED"
                    && approvals.iter().all(|known_| known(&task, "approval_id") != &json!(known_));
            if settled { Ok(()) } else { Err(task) }
        };
        eventually_within(LONG, "a task does not go on", look).await;
    }
    let mut counts: HashMap<String, usize> = HashMap::new();
    for message in target.sent() {
        *counts.entry(text(&message, "messageId")).or_default() += 1;
    }
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert!(counts.len() >= TASKS / 2, "{counts:?}");
    println!("{} of {TASKS} were sent, each once; agent {}", counts.len(), fixture.source);
}
