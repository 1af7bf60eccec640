//! What waits for an approval: goes on by itself, once, at whichever replica.

use std::time::Duration;

use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, eventually_within};
use serde_json::json;

use super::target::{Does, Target};
use super::{Fixture, known, message, said};

pub(super) async fn held(fixture: &Fixture, id: &str) -> (serde_json::Value, String) {
    let task = fixture.sends(id, "do it").await;
    assert_eq!(task["status"]["state"], "TASK_STATE_AUTH_REQUIRED", "{task}");
    let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
    (task["id"].clone(), approval)
}

#[tokio::test]
async fn task_that_is_held_goes_on_by_itself_once_it_is_approved() {
    let fixture = Fixture::new().await;
    let target = Target::start(Does::Completes).await;
    fixture.reached_at(&target).await;
    fixture.holds().await;
    let (id, approval) = held(&fixture, "m-1").await;
    let shown = fixture.api.approval(&approval).await;
    assert_eq!(shown["action_name"], format!("a2a/{}", fixture.target));
    assert_eq!(shown["bound_to"], "input");
    assert_eq!(shown["input"]["parts"][0]["text"], "do it", "{shown}");

    // Waiting permits nothing: neither the same message nor a further one goes out, and its agent cannot approve it.
    assert_eq!(fixture.sends("m-1", "do it").await["id"], id);
    let mut more = message("m-2", "and that");
    more["message"]["taskId"] = id.clone();
    let task = fixture.done(&fixture.key, "SendMessage", more).await["task"].clone();
    assert_eq!(task["status"]["state"], "TASK_STATE_AUTH_REQUIRED");
    fixture.api.approve(&fixture.key, &approval).await.refused(403, "AUTH_DENIED");
    assert!(target.sent().is_empty());

    fixture.api.approve(&fixture.operator, &approval).await.ok();
    fixture.becomes(&id, "TASK_STATE_COMPLETED").await;
    assert_eq!(target.sent().len(), 1);
    assert_eq!(fixture.api.approval(&approval).await["status"], "consumed");
    let look = async || fixture.api.approval(&approval).await["succeeded"] == json!(true);
    eventually_within(Duration::from_secs(10), "its outcome is not told", look).await;
    // The next one is asked about anew.
    let (_, other) = held(&fixture, "m-3").await;
    assert_ne!(other, approval);
}

#[tokio::test]
async fn task_that_is_denied_or_lapses_is_rejected_and_never_sent() {
    let fixture = Fixture::with(|builder| builder.approval_ttl(Duration::from_secs(3))).await;
    let target = Target::start(Does::Completes).await;
    fixture.reached_at(&target).await;
    fixture.holds().await;
    let (id, approval) = held(&fixture, "m-1").await;
    let why = json!({ "reason": "not today" });
    let path = format!("/mcp/approvals/{approval}/deny");
    fixture.api.post(&path, &fixture.operator, why).await.ok();
    let task = fixture.becomes(&id, "TASK_STATE_REJECTED").await;
    assert!(said(&task).contains("was denied (not today)"), "{task}");

    let task = fixture.sends("m-2", "something else").await;
    let task = fixture.becomes(&task["id"], "TASK_STATE_REJECTED").await;
    assert!(said(&task).contains("has expired"), "{task}");
    assert!(target.sent().is_empty());

    // Denied at once, it is a task all the same.
    let path = format!("/api/v1/agents/{}", fixture.source);
    fixture
        .api
        .ask(axum::http::Method::PATCH, &path, ADMIN, Some(json!({ "capabilities": ["search"] })))
        .await
        .ok();
    let task = fixture.sends("m-3", "do it").await;
    assert_eq!(task["status"]["state"], "TASK_STATE_REJECTED", "{task}");
    assert!(target.sent().is_empty());
}

#[tokio::test]
async fn task_whose_sender_or_key_is_taken_back_meanwhile_is_rejected() {
    for (place, revoked) in ["key", "source", "target"].into_iter().enumerate() {
        let fixture = Fixture::new().await;
        let target = Target::start(Does::Completes).await;
        fixture.reached_at(&target).await;
        fixture.holds().await;
        let (id, approval) = held(&fixture, &format!("m-{place}")).await;
        match revoked {
            "key" => {
                let keys = fixture.api.get("/api/v1/keys", ADMIN).await.ok().body;
                let of = |key: &&serde_json::Value| key["agents"] == json!([fixture.source]);
                let key = keys["keys"].as_array().unwrap().iter().find(of).unwrap();
                let path = format!("/api/v1/keys/{}", key["id"].as_str().unwrap());
                fixture.api.ask(axum::http::Method::DELETE, &path, ADMIN, None).await.ok();
            }
            agent => {
                let agent = if agent == "source" { &fixture.source } else { &fixture.target };
                let path = format!("/api/v1/agents/{agent}/revoke");
                fixture.api.post(&path, ADMIN, json!({ "reason": "a test" })).await.ok();
            }
        }
        let look = async || {
            let path = "/a2a";
            let body = json!({
                "jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": { "id": id },
            });
            let task = fixture.api.post(path, &fixture.operator, body).await.ok().body;
            if task["result"]["state"] == "rejected" || task["result"]["status"] == "failed" {
                Ok(())
            } else {
                Err(task)
            }
        };
        eventually_within(Duration::from_secs(10), format!("{revoked}: not rejected"), look).await;
        fixture.api.approve(&fixture.operator, &approval).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(target.sent().is_empty(), "{revoked}");
    }
}

#[tokio::test]
async fn task_that_is_held_at_one_replica_is_sent_once_whichever_hears_of_its_approval() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let open = |name: &'static str| {
        let url = fresh.url();
        Fixture::with(move |builder| {
            builder.database(url).replica(name).secret_key("0f1e".repeat(16))
        })
    };
    let one = open("one").await;
    let mut two = open("two").await;
    two.source.clone_from(&one.source);
    two.key.clone_from(&one.key);
    two.target.clone_from(&one.target);
    let target = Target::start(Does::Completes).await;
    one.reached_at(&target).await;
    one.holds().await;
    eventually_within(Duration::from_secs(5), "the other replica does not follow", async || {
        let path = format!("/api/v1/agents/{}", two.target);
        two.api.get(&path, ADMIN).await.status == 200
    })
    .await;
    for round in 0..6 {
        let id = format!("m-{round}");
        // Sent to both at once.
        let text = format!("do {round}");
        let (at_one, at_two) = tokio::join!(one.sends(&id, &text), two.sends(&id, &text));
        assert_eq!(at_one["id"], at_two["id"]);
        let task = one.becomes(&at_one["id"], "TASK_STATE_AUTH_REQUIRED").await;
        let approval = known(&task, "approval_id").as_str().unwrap().to_owned();
        two.api.approve(&one.operator, &approval).await.ok();
        one.becomes(&at_one["id"], "TASK_STATE_COMPLETED").await;
        two.becomes(&at_one["id"], "TASK_STATE_COMPLETED").await;
        assert_eq!(target.sent().len(), round + 1);
    }
}

#[tokio::test]
async fn task_in_doubt_stays_so_where_sending_it_again_is_denied() {
    let fixture = Fixture::new().await;
    let target = Target::start(Does::Completes).await;
    let (rude, _) = super::sent::breaks_off().await;
    let rude = Target { url: format!("http://{rude}/a2a"), ..target.clone() };
    fixture.reached_at(&rude).await;
    let id = fixture.sends("m-1", "do it").await["id"].clone();
    let doubted = async || known(&fixture.task(&id).await, "in_doubt") == &json!(true);
    eventually_within(Duration::from_secs(10), "it is not in doubt", doubted).await;
    fixture.holds().await;
    fixture.reached_at(&target).await;
    let again = fixture.sends("m-1", "do it").await;
    assert_eq!(again["status"]["state"], "TASK_STATE_AUTH_REQUIRED", "{again}");
    assert_eq!(known(&again, "in_doubt"), &json!(true));
    let approval = known(&again, "approval_id").as_str().unwrap().to_owned();
    fixture.api.deny(&fixture.operator, &approval).await.ok();
    let task = fixture.becomes(&id, "TASK_STATE_SUBMITTED").await;
    assert_eq!(known(&task, "in_doubt"), &json!(true));
    assert!(said(&task).contains("was not sent again"), "{task}");
    assert!(target.sent().is_empty());
}
