//! Keys over their lives: made, rotated, used, revoked; on SQLite and on PostgreSQL.

use std::time::Duration;

use agenttrust_guardian::Role;
use agenttrust_testkit::ADMIN;
use agenttrust_testkit::postgres::Fresh;
use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::support::{Api, open, open_with};

/// Returns a new key of this role: its id and itself.
async fn key(api: &Api, role: &str) -> (String, String) {
    let made = api.post("/api/v1/keys", ADMIN, json!({ "role": role })).await.ok();
    (made.text("id"), made.text("key"))
}

async fn rotate(api: &Api, id: &str, overlap: u64) -> String {
    let path = format!("/api/v1/keys/{id}/rotate");
    api.post(&path, ADMIN, json!({ "overlap": overlap })).await.ok().text("key")
}

async fn listed(api: &Api, id: &str) -> Value {
    let listed = api.get("/api/v1/keys", ADMIN).await.ok();
    let keys = listed.body["keys"].as_array().unwrap();
    keys.iter().find(|key| key["id"] == id).unwrap().clone()
}

async fn works(api: &Api, key: &str) -> bool {
    match api.get("/mcp/approvals", key).await.status.as_u16() {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

async fn both_secrets_work_until_the_overlap_ends(api: Api) {
    let (id, first) = key(&api, "operator").await;
    let second = rotate(&api, &id, 3).await;
    assert_ne!(first, second);
    assert!(works(&api, &first).await && works(&api, &second).await);
    let row = listed(&api, &id).await;
    assert!(row["rotated_at"].is_string() && row["old_key_until"].is_string(), "{row}");
    let shown = row.to_string();
    assert!(!shown.contains(&first) && !shown.contains(&second), "{shown}");
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    assert!(!works(&api, &first).await && works(&api, &second).await);

    // Without an overlap the one before is over at once, and so is the one before that.
    let third = rotate(&api, &id, 600).await;
    let fourth = rotate(&api, &id, 0).await;
    assert!(!works(&api, &second).await && !works(&api, &third).await);
    assert!(works(&api, &fourth).await);
    let path = format!("/api/v1/keys/{id}");
    api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
    assert!(!works(&api, &fourth).await);
    let path = format!("/api/v1/keys/{id}/rotate");
    api.post(&path, ADMIN, json!({})).await.refused(404, "NOT_FOUND");
    assert_eq!(api.audit("key.rotated").await.len(), 3);
}

#[tokio::test]
async fn both_secrets_of_a_rotated_key_work_until_the_overlap_ends() {
    both_secrets_work_until_the_overlap_ends(open().await).await;
}

#[tokio::test]
async fn both_secrets_of_a_rotated_key_work_until_the_overlap_ends_on_postgres() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let api = open_with(|builder| builder.database(fresh.url())).await;
    both_secrets_work_until_the_overlap_ends(api).await;
}

#[tokio::test]
async fn revoked_key_is_over_under_both_of_its_secrets() {
    let api = open().await;
    let (id, first) = key(&api, "operator").await;
    let second = rotate(&api, &id, 600).await;
    api.ask(Method::DELETE, &format!("/api/v1/keys/{id}"), ADMIN, None).await.ok();
    assert!(!works(&api, &first).await && !works(&api, &second).await);
}

#[tokio::test]
async fn rotated_key_stays_who_it_is_when_it_comes_to_approvals() {
    let api = open().await;
    let (agent, _) = api.worker().await;
    // An admin may ask and decide, but never decide what it asked for, whatever its secret is by now.
    let (id, first) = key(&api, "admin").await;
    let approval = api.check(&first, &agent, "db_delete").await.held();
    let second = rotate(&api, &id, 600).await;
    for secret in [&first, &second] {
        api.approve(secret, &approval).await.refused(403, "AUTH_DENIED");
    }
    api.approve(ADMIN, &approval).await.ok();
    // And what was approved for it is for it.
    api.check(&second, &agent, "db_delete").await.allowed();
}

#[tokio::test]
async fn rotated_key_votes_once() {
    let text = r#"@id("hold") @elevate @quorum("2") permit (principal, action, resource);"#;
    let set = agenttrust_guardian::policy::PolicySet::parse("quorum.cedar", text).unwrap();
    let api = open_with(|builder| builder.policy_set(set)).await;
    let (agent, asker) = api.worker().await;
    let approval = api.check(&asker, &agent, "db_delete").await.held();
    let (id, first) = key(&api, "operator").await;
    let second = rotate(&api, &id, 600).await;
    for secret in [&first, &second] {
        let voted = api.approve(secret, &approval).await.ok();
        assert_eq!(voted.body["status"], "pending", "{voted:?}");
        assert_eq!(voted.body["approvals"], 1, "{voted:?}");
    }
}

#[tokio::test]
async fn last_use_is_told_and_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").display().to_string();
    let api = open_with(|builder| builder.database(&database)).await;
    let (id, key) = key(&api, "auditor").await;
    assert_eq!(listed(&api, &id).await["last_used_at"], Value::Null);
    assert!(works(&api, &key).await);
    api.guardian.close().await;
    let api = open_with(|builder| builder.database(&database)).await;
    assert!(listed(&api, &id).await["last_used_at"].is_string());
    assert_eq!(api.guardian.create_key(Role::Auditor, &[]).await.unwrap().len(), key.len());
}

#[tokio::test]
async fn overlap_is_bounded() {
    let api = open().await;
    let (id, key) = key(&api, "auditor").await;
    let path = format!("/api/v1/keys/{id}/rotate");
    for overlap in [json!(2_592_001), json!(-1), json!("1d")] {
        let body = json!({ "overlap": overlap });
        api.post(&path, ADMIN, body).await.refused(400, "VALIDATION_ERROR");
    }
    assert!(works(&api, &key).await, "nothing was changed");
}

#[tokio::test]
async fn key_that_is_revoked_while_its_body_is_on_the_way_does_nothing() {
    let api = open().await;
    let (id, key) = key(&api, "admin").await;
    let made = api.audit("key.created").await.len();
    let (asked_for, mut wanted) = tokio::sync::mpsc::channel(1);
    let (rest, arrives) = tokio::sync::oneshot::channel::<()>();
    let body = futures_util::stream::once(async move {
        asked_for.send(()).await.unwrap();
        arrives.await.unwrap();
        Ok::<_, std::io::Error>(json!({ "role": "admin" }).to_string())
    });
    let request = Request::post("/api/v1/keys")
        .header("X-API-Key", &key)
        .body(Body::from_stream(body))
        .unwrap();
    let revoked = async {
        wanted.recv().await.unwrap();
        let path = format!("/api/v1/keys/{id}");
        api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
        rest.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(api.send(request), revoked);
    answer.refused(401, "AUTH_FAILED");
    assert_eq!(api.audit("key.created").await.len(), made);
}
