//! Webhooks from outside: registered, signed so that the official library of Standard Webhooks believes them, and
//! never sent to an address that no operator set.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use agenttrust_guardian::Role;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::receiver::{Message, Receiver};
use agenttrust_testkit::{ADMIN, Answer, eventually_within};
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, open_with};

const VERSION: &str = "1.1.0";

async fn open() -> Api {
    open_with(|builder| builder.allow_private_targets(true)).await
}

async fn register(api: &Api, url: &str, events: &[&str]) -> Answer {
    api.post("/api/v1/webhooks", ADMIN, json!({ "url": url, "events": events })).await
}

/// Returns what the official Python library says of a message; `None`, and a word about why, where it is not here.
fn official(secret: &str, message: &Message) -> Option<Result<Value, String>> {
    const SCRIPT: &str = "
import importlib.metadata, json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
print(importlib.metadata.version('standardwebhooks'))
told = json.load(sys.stdin)
try:
    print(json.dumps(Webhook(told['secret']).verify(told['body'], told['headers'])))
except WebhookVerificationError as error:
    print('refused: ' + str(error))
";
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
    let given = std::env::var_os("AGENTTRUST_TEST_PYTHON").map(Into::into);
    for python in given.into_iter().chain([venv]) {
        let has = Command::new(&python).args(["-c", "import standardwebhooks"]).output();
        if !has.is_ok_and(|has| has.status.success()) {
            continue;
        }
        let mut child = Command::new(python)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let told = json!({ "secret": secret, "body": message.body, "headers": message.headers });
        child.stdin.take().unwrap().write_all(told.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let (version, verdict) = said.trim().split_once('\n').expect("the script says its word");
        assert_eq!(version, VERSION);
        return Some(serde_json::from_str(verdict).map_err(|_| verdict.to_owned()));
    }
    println!(
        "skipped: the library is not here; make it with `python3 -m venv .venv && \
         .venv/bin/pip install standardwebhooks=={VERSION}`"
    );
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn official_library_believes_what_is_sent_and_nothing_that_was_changed() {
    let mut receiver = Receiver::answering(&[200]).await;
    let api = open().await;
    let events = ["approval.pending", "approval.approved", "approval.denied"];
    let webhook = register(&api, &receiver.url(), &events).await.ok();
    let secret = webhook.text("secret");
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    let pending = receiver.next().await;
    api.approve(ADMIN, &approval).await.ok();
    let approved = receiver.next().await;
    let other = api.check(&key, &agent, "db_drop").await.held();
    receiver.next().await;
    api.deny(ADMIN, &other).await.ok();
    let denied = receiver.next().await;
    for (message, kind, id) in [
        (&pending, "approval.pending", &approval),
        (&approved, "approval.approved", &approval),
        (&denied, "approval.denied", &other),
    ] {
        assert_eq!(message.headers["content-type"], "application/json");
        let Some(verdict) = official(&secret, message) else { return };
        let body = verdict.expect("the library believes it");
        assert_eq!(body["type"], kind);
        assert_eq!((&body["data"]["id"], &body["data"]["agent_id"]), (&json!(id), &json!(agent)));
        assert!(body["timestamp"].is_string(), "{body}");
    }
    let changed =
        Message { body: pending.body.replace("db_delete", "db_select"), ..pending.clone() };
    let mut moved = pending.clone();
    moved.headers.insert("webhook-id".to_owned(), approved.id().to_owned());
    for message in [&changed, &moved] {
        let refused = official(&secret, message).unwrap().expect_err("the library refuses it");
        assert!(refused.starts_with("refused: "), "{refused}");
    }
    let another = register(&api, &receiver.url(), &["approval.pending"]).await.ok().text("secret");
    assert!(official(&another, &pending).unwrap().is_err());
}

async fn is_told_of_what_it_listens_for(api: Api) {
    let mut receiver = Receiver::answering(&[200]).await;
    register(&api, &receiver.url(), &["approval.approved"]).await.ok();
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    api.check(&key, &agent, "db_delete").await.held();
    api.approve(ADMIN, &approval).await.ok();
    let message = receiver.next().await;
    assert_eq!(message.json()["type"], "approval.approved");
    assert_eq!(message.json()["data"]["id"], approval);
    assert!(receiver.rest().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_is_told_of_what_it_listens_for_and_nothing_else_on_sqlite() {
    is_told_of_what_it_listens_for(open().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_is_told_of_what_it_listens_for_and_nothing_else_on_postgres() {
    if let Some(database) = Fresh::or_skip() {
        let api = |builder: agenttrust_guardian::GuardianBuilder| {
            builder
                .allow_private_targets(true)
                .database(database.url())
                .secret_key("0f1e".repeat(16))
        };
        is_told_of_what_it_listens_for(open_with(api).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disclosed_input_and_what_the_caller_wrote_of_it_are_told_to_nobody() {
    let mut receiver = Receiver::answering(&[200]).await;
    let api = open().await;
    register(&api, &receiver.url(), &["approval.pending", "approval.approved"]).await.ok();
    let (agent, key) = api.worker().await;
    let input = json!({ "table": "salaries" });
    let digest = agenttrust::guard::digest::commit(&[7; 32], &input).unwrap();
    let headers =
        [("agenttrust-input-digest", digest.digest.as_str()), ("agenttrust-binds", "request")];
    let body = json!({
        "agent_id": agent, "action_name": "db_delete", "action_input_summary": "drop salaries",
    });
    let approval = api.check_with(&key, &headers, body).await.held();
    let disclosure = json!({ "input": input, "r": digest.opening });
    api.put(&format!("/mcp/approvals/{approval}/input"), &key, disclosure).await.ok();
    api.approve(ADMIN, &approval).await.ok();
    for _ in 0..2 {
        let message = receiver.next().await;
        assert!(!message.body.contains("salaries"), "{}", message.body);
        assert_eq!(message.json()["data"]["input_digest"], digest.digest);
        assert_eq!(message.json()["data"]["bound_to"], "request");
    }
}

#[tokio::test]
async fn secret_is_shown_once_and_what_is_as_good_as_one_is_not_in_the_audit() {
    let api = open().await;
    let made = register(&api, "https://hooks.example.com/hunter2", &["approval.denied"]).await.ok();
    assert_eq!(made.status, 201);
    let (id, secret) = (made.text("id"), made.text("secret"));
    assert!(secret.starts_with("whsec_"), "{secret}");
    let listed = api.get("/api/v1/webhooks", ADMIN).await.ok().body;
    assert_eq!(listed["webhooks"][0]["id"], id);
    assert!(!listed.to_string().contains("whsec_"), "{listed}");
    let path = format!("/api/v1/webhooks/{id}");
    api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
    api.ask(Method::DELETE, &path, ADMIN, None).await.refused(404, "NOT_FOUND");
    api.get(&format!("{path}/deliveries"), ADMIN).await.refused(404, "NOT_FOUND");
    let (created, removed) =
        (api.audit("webhook.created").await, api.audit("webhook.removed").await);
    assert_eq!(created[0]["body"]["origin"], "https://hooks.example.com");
    assert_eq!(removed[0]["body"]["webhook_id"], id);
    let audit = api.get("/api/v1/audit?limit=1000", ADMIN).await.ok().body.to_string();
    assert!(!audit.contains("whsec_") && !audit.contains("hunter2"), "{audit}");
}

#[tokio::test]
async fn auditor_sees_the_origin_of_a_webhook_however_its_url_is_written() {
    let api = open().await;
    let auditor = api.key(Role::Auditor, &[]).await;
    for url in [
        "https://hooks.example.com/hunter2",
        "https:////hooks.example.com/hunter2",
        "https://hooks.example.com?hunter2",
        "https://HOOKS.example.com:443/hunter2",
    ] {
        register(&api, url, &["approval.pending"]).await.ok();
    }
    // What one reader takes for another host than the next one does is not called at all.
    for url in [
        r"https://hooks.example.com\hunter2",
        r"https:\\hooks.example.com\hunter2",
        r"https:/\hooks.example.com/hunter2",
        "https:hooks.example.com/hunter2",
        "https://hooks.example.com\t/hunter2",
        "  https://hooks.example.com/hunter2",
    ] {
        register(&api, url, &["approval.pending"]).await.refused(400, "VALIDATION_ERROR");
    }
    let listed = api.get("/api/v1/webhooks", &auditor).await.ok().body;
    let webhooks = listed["webhooks"].as_array().unwrap();
    assert_eq!(webhooks.len(), 4);
    for webhook in webhooks {
        assert_eq!(webhook["url"], "https://hooks.example.com/…");
    }
    let audit = api.get("/api/v1/audit?limit=1000", &auditor).await.ok().body.to_string();
    assert!(!audit.contains("hunter2"), "{audit}");
}

#[tokio::test]
async fn only_what_could_be_told_can_be_registered() {
    let strict = crate::support::open().await;
    for url in [
        "",
        "hooks",
        "http://hooks.example.com/",
        "http://127.0.0.1:9/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.0.0.8/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.8]/",
        "https://me:pw@hooks.example.com/",
        "https://hooks.example.com/#top",
        "ftp://hooks.example.com/",
    ] {
        let answer = register(&strict, url, &["approval.pending"]).await;
        let answer = answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.body["details"]["field"], "url", "{url}");
    }
    let metadata = register(&open().await, "https://169.254.169.254/", &["approval.pending"]).await;
    metadata.refused(400, "VALIDATION_ERROR");
    let url = "https://hooks.example.com/";
    for (events, field) in [
        (vec![], "events"),
        (vec!["approval.*"], "events[0]"),
        (vec!["approval.pending", "approval.pending"], "events[1]"),
    ] {
        let answer = register(&strict, url, &events).await;
        assert_eq!(answer.refused(400, "VALIDATION_ERROR").body["details"]["field"], field);
    }
    for _ in 0..20 {
        register(&strict, url, &["approval.denied"]).await.ok();
    }
    register(&strict, url, &["approval.denied"]).await.refused(429, "TOO_MANY");
    let operator = strict.key(Role::Operator, &[]).await;
    let listed = strict.get("/api/v1/webhooks", &operator).await.ok().body;
    assert_eq!(listed["webhooks"].as_array().unwrap().len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn name_that_stands_for_this_machine_is_never_called() {
    // Registered where it was allowed, then opened by a Guardian that allows it no more.
    let mut receiver = Receiver::answering(&[200]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db").to_str().unwrap().to_owned();
    let api = open_with(|it| it.database(&path).allow_private_targets(true)).await;
    let made = register(&api, &receiver.url(), &["approval.pending"]).await.ok();
    api.guardian.close().await;
    drop(api);
    let api = open_with(|it| it.database(&path)).await;
    let (agent, key) = api.worker().await;
    api.check(&key, &agent, "db_delete").await.held();
    let deliveries = format!("/api/v1/webhooks/{}/deliveries", made.text("id"));
    let tried = async || {
        let listed = api.get(&deliveries, ADMIN).await.ok().body;
        listed["deliveries"][0]["last_error"].as_str().map(str::to_owned)
    };
    let error = eventually_within(Duration::from_secs(30), "nothing was tried", tried).await;
    assert!(error.contains("must be https"), "{error}");
    assert!(receiver.rest().is_empty());
}

#[tokio::test]
async fn deliveries_are_listed_page_by_page() {
    let api = open().await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let made = register(&api, &format!("http://{closed}/"), &["approval.pending"]).await.ok();
    let (agent, key) = api.worker().await;
    for n in 0..5 {
        api.check(&key, &agent, &format!("delete_{n}")).await.held();
    }
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/webhooks/{}/deliveries?limit=2&before={next}", made.text("id"));
        let page = api.get(&path, ADMIN).await.ok().body;
        for delivery in page["deliveries"].as_array().unwrap() {
            assert_eq!(delivery["event"], "approval.pending");
            assert!(delivery.get("body").is_none(), "{delivery}");
            seen.push(delivery["id"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(more) => next = more.to_owned(),
            None => break,
        }
    }
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.reverse();
    assert_eq!((seen.len(), seen), (5, sorted));
    for query in ["limit=0", "limit=201", "limit=x"] {
        let path = format!("/api/v1/webhooks/{}/deliveries?{query}", made.text("id"));
        api.get(&path, ADMIN).await.refused(400, "VALIDATION_ERROR");
    }
}
