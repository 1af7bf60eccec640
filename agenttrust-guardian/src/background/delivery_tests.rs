//! Webhooks against a real receiver, while time passes by hand and Guardians restart.

use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::receiver::Receiver;
use agenttrust_testkit::{ADMIN, eventually_within};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::Role;
use crate::domain::{Event, Secret};
use crate::harness::{Api, open_with};
use crate::outbound::new_secret;
use crate::services::keys::{self, Maker, NewKey};
use crate::store::{Ended, Store, WebhookRow};

/// The time after which a test fails that would otherwise hang: a message is tried again only after a while.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// The secret key by which the Guardians of these tests keep secrets.
const SECRET_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

async fn open(database: &str) -> Api {
    let builder = |builder: crate::GuardianBuilder| {
        builder.database(database).secret_key(SECRET_KEY).allow_private_targets(true)
    };
    open_with(builder).await
}

/// Returns a webhook for every event, and its id.
async fn register(api: &Api, url: &str) -> String {
    let events = json!(["approval.pending", "approval.approved", "approval.denied"]);
    let body = json!({ "url": url, "events": events });
    api.post("/api/v1/webhooks", ADMIN, body).await.ok().text("id")
}

async fn deliveries(api: &Api, webhook: &str) -> Vec<Value> {
    let path = format!("/api/v1/webhooks/{webhook}/deliveries");
    api.get(&path, ADMIN).await.ok().body["deliveries"].as_array().unwrap().clone()
}

/// Waits until the one delivery is as wanted.
async fn until(api: &Api, webhook: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let look = async || {
        let all = deliveries(api, webhook).await;
        all.first().filter(|delivery| wanted(delivery)).cloned().ok_or(all)
    };
    eventually_within(DELIVERY_TIMEOUT, "it never is", look).await
}

async fn message_is_sent_again_until_it_arrives_also_by_the_guardian_that_comes_next(url: &str) {
    let mut receiver = Receiver::answering(&[500, 503, 204]).await;
    let api = open(url).await;
    let webhook = register(&api, &receiver.url()).await;
    let (agent, key) = api.worker().await;
    let approval = api.check(&key, &agent, "db_delete").await.held();
    let first = receiver.next().await;
    let delivery = until(&api, &webhook, |delivery| delivery["last_status"] == 500).await;
    assert_eq!((&delivery["attempts"], &delivery["status"]), (&json!(1), &json!("waiting")));
    // Not before its time: from 5 to 10 seconds.
    assert!(receiver.rest().is_empty());
    api.guardian.engine().clock.advance(Duration::from_secs(11));
    let second = receiver.next().await;
    until(&api, &webhook, |delivery| delivery["last_status"] == 503).await;
    api.guardian.close().await;
    drop(api);

    let api = open(url).await;
    api.guardian.engine().clock.advance(Duration::from_secs(60));
    let third = receiver.next().await;
    let delivery = until(&api, &webhook, |delivery| delivery["status"] == "delivered").await;
    assert_eq!((&delivery["attempts"], &delivery["last_status"]), (&json!(3), &json!(204)));
    assert!(delivery["last_error"].is_null() && delivery["next_attempt_at"].is_null());
    assert_eq!(delivery["id"], first.id());
    assert_eq!(first.json()["data"]["id"], approval);
    for again in [&second, &third] {
        assert_eq!((again.id(), &again.body), (first.id(), &first.body));
    }
    assert!(receiver.rest().is_empty());
    api.guardian.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn message_is_sent_again_until_it_arrives_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    message_is_sent_again_until_it_arrives_also_by_the_guardian_that_comes_next(
        path.to_str().unwrap(),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn message_is_sent_again_until_it_arrives_on_postgres() {
    if let Some(database) = Fresh::or_skip() {
        let url = database.url();
        message_is_sent_again_until_it_arrives_also_by_the_guardian_that_comes_next(&url).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn message_that_nobody_takes_for_a_day_is_given_up() {
    let mut receiver = Receiver::answering(&[500]).await;
    let api = open("memory").await;
    let webhook = register(&api, &receiver.url()).await;
    let (agent, key) = api.worker().await;
    api.check(&key, &agent, "db_delete").await.held();
    receiver.next().await;
    until(&api, &webhook, |delivery| delivery["last_status"] == 500).await;
    api.guardian.engine().clock.advance(Duration::from_secs(24 * 3_600));
    receiver.next().await;
    let delivery = until(&api, &webhook, |delivery| delivery["status"] == "given_up").await;
    assert_eq!(delivery["attempts"], 2);
    assert!(delivery["last_error"].as_str().unwrap().contains("500"), "{delivery}");
}

#[tokio::test(flavor = "multi_thread")]
async fn receiver_that_is_gone_is_told_nothing_more() {
    let mut receiver = Receiver::answering(&[410, 200]).await;
    let api = open("memory").await;
    let webhook = register(&api, &receiver.url()).await;
    let (agent, key) = api.worker().await;
    api.check(&key, &agent, "db_delete").await.held();
    receiver.next().await;
    until(&api, &webhook, |delivery| delivery["status"] == "given_up").await;
    let listed = api.get("/api/v1/webhooks", ADMIN).await.ok().body;
    assert!(listed["webhooks"][0]["disabled_at"].is_string(), "{listed}");
    assert!(listed["webhooks"][0]["disabled_for"].as_str().unwrap().contains("410"), "{listed}");
    api.check(&key, &agent, "db_drop").await.held();
    assert_eq!(deliveries(&api, &webhook).await.len(), 1, "nothing is written down for it");
    assert_eq!(api.audit("webhook.disabled").await[0]["body"]["webhook_id"], webhook);
}

#[tokio::test(flavor = "multi_thread")]
async fn receiver_that_never_answers_holds_up_nobody_else() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut receiver = Receiver::answering(&[200]).await;
    let api = open("memory").await;
    register(&api, &format!("http://{}/", silent.local_addr().unwrap())).await;
    register(&api, &receiver.url()).await;
    let (agent, key) = api.worker().await;
    let begun = std::time::Instant::now();
    for tool in ["delete_1", "delete_2", "delete_3"] {
        api.check(&key, &agent, tool).await.held();
        receiver.next().await;
    }
    // A third of what three turns behind the silent one would take.
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_that_is_told_while_the_guardian_closes_is_no_warning() {
    let lines = super::log_lines::of_the_program();
    let slow = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = open("memory").await;
    let webhook = register(&api, &format!("http://{}/", slow.local_addr().unwrap())).await;
    let (agent, key) = api.worker().await;
    api.check(&key, &agent, "db_delete").await.held();
    let (mut stream, _) = slow.accept().await.unwrap();
    let engine = std::sync::Arc::downgrade(api.guardian.engine());
    api.guardian.close().await;
    drop(api);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    let ended = async || engine.strong_count() == 0;
    eventually_within(DELIVERY_TIMEOUT, "it does not end", ended).await;
    assert_eq!(lines.with(&webhook), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_tell_each_message_once() {
    let Some(database) = Fresh::or_skip() else { return };
    let mut receiver = Receiver::answering(&[200]).await;
    let open = async |name: &str| {
        let url = database.url();
        let open =
            |it: crate::GuardianBuilder| it.database(url).replica(name).secret_key(SECRET_KEY);
        open_with(|it| open(it).allow_private_targets(true)).await
    };
    let (one, two) = (open("one").await, open("two").await);
    let webhook = register(&one, &receiver.url()).await;
    let (agent, key) = one.worker().await;
    two.guardian.engine().sync().await.unwrap();
    let mut held = Vec::new();
    for n in 0..16 {
        let api = if n % 2 == 0 { &one } else { &two };
        held.push(api.check(&key, &agent, &format!("delete_{n}")).await.held());
    }
    let mut told = Vec::new();
    for _ in &held {
        told.push(receiver.next().await.json()["data"]["id"].as_str().unwrap().to_owned());
    }
    told.sort_unstable();
    held.sort_unstable();
    assert_eq!(told, held);
    until(&two, &webhook, |delivery| delivery["status"] == "delivered").await;
    for delivery in deliveries(&two, &webhook).await {
        assert_eq!(delivery["attempts"], 1, "{delivery}");
    }
    assert!(receiver.rest().is_empty());
    one.guardian.close().await;
    two.guardian.close().await;
}

/// Checks that one replica gets a message, however many race for it, until its time is up. Then the late one's word
/// counts no more.
async fn lease_is_one_replicas_own(store: &Store, webhook: &str, now: Timestamp) {
    let until = now.saturating_add(Duration::from_secs(60));
    let all = join_all((0..8).map(|_| store.lease(webhook.to_owned(), now, until))).await;
    let mut won: Vec<_> = all.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(won.len(), 1, "{won:?}");
    let first = won.remove(0);
    assert!(store.lease(webhook.to_owned(), now, until).await.unwrap().is_none());
    let again = store.lease(webhook.to_owned(), until, until).await.unwrap().unwrap();
    assert_eq!((&again.id, again.attempts), (&first.id, first.attempts + 1));
    store.end_delivery(first, Ended::Delivered { status: 200 }, until).await.unwrap();
    let kept = store.deliveries(webhook.to_owned(), None, 10).await.unwrap();
    assert_eq!(kept[0].status, "waiting");
    store.end_delivery(again, Ended::Delivered { status: 200 }, until).await.unwrap();
    let kept = store.deliveries(webhook.to_owned(), None, 10).await.unwrap();
    assert_eq!(kept[0].status, "delivered");
    assert!(store.lease(webhook.to_owned(), until, until).await.unwrap().is_none());
}

async fn with_a_message(url: &str) {
    // Nobody listens there, and nobody is asked to: the Guardian is closed before it looks.
    let api = open(url).await;
    let engine = api.guardian.engine();
    engine.closing.send_replace(true);
    let webhook = register(&api, "http://127.0.0.1:9/").await;
    let (agent, key) = api.worker().await;
    api.check(&key, &agent, "db_delete").await.held();
    lease_is_one_replicas_own(&engine.store, &webhook, engine.clock.now()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lease_is_one_replicas_own_on_sqlite() {
    with_a_message("memory").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lease_is_one_replicas_own_on_postgres() {
    if let Some(database) = Fresh::or_skip() {
        with_a_message(&database.url()).await;
    }
}

#[tokio::test]
async fn organisation_sees_and_tells_only_its_own() {
    let api = open("memory").await;
    let engine = api.guardian.engine();
    engine.closing.send_replace(true);
    let webhook = register(&api, "http://127.0.0.1:9/").await;
    let (agent, key) = api.worker().await;
    api.check(&key, &agent, "db_delete").await.held();
    let stranger = Secret::random("sk_live_").unwrap();
    let hash = stranger.fingerprint();
    let new = NewKey::new("org_2", Role::Admin, hash);
    keys::create(engine, new, Maker::Program("test")).await.unwrap();
    let stranger = stranger.expose();
    let empty = json!({ "webhooks": [] });
    assert_eq!(api.get("/api/v1/webhooks", stranger).await.ok().body, empty);
    let list = api.get("/mcp/approvals", stranger).await.ok().body;
    assert_eq!(list, json!({ "approvals": [] }));
    let path = format!("/api/v1/webhooks/{webhook}");
    let deliveries = format!("{path}/deliveries");
    api.get(&deliveries, stranger).await.refused(404, "NOT_FOUND");
    api.ask(axum::http::Method::DELETE, &path, stranger, None).await.refused(404, "NOT_FOUND");
    let row = WebhookRow {
        id: "whk_2".to_owned(),
        org_id: "org_2".to_owned(),
        url: "http://127.0.0.1:9/".to_owned(),
        events: Event::ALL.to_vec(),
        secret: new_secret().unwrap().expose().to_owned(),
        created_by: "test".to_owned(),
        created_at: Timestamp::now(),
        disabled_at: None,
        disabled_for: None,
    };
    assert!(engine.store.insert_webhook(row).await.unwrap());
    api.check(&key, &agent, "db_drop").await.held();
    assert!(engine.store.deliveries("whk_2".to_owned(), None, 10).await.unwrap().is_empty());
}

#[test]
fn secret_and_url_are_in_no_debug() {
    let row = WebhookRow {
        id: "whk_1".to_owned(),
        org_id: "org_1".to_owned(),
        url: "https://hooks.example.com/hunter2".to_owned(),
        events: vec![Event::Pending],
        secret: "whsec_hunter2".to_owned(),
        created_by: "key_1".to_owned(),
        created_at: Timestamp::now(),
        disabled_at: None,
        disabled_for: None,
    };
    assert!(!format!("{row:?}").contains("hunter2"));
}
