//! The inbox of an agent without an endpoint: each task is one worker's, for as long as its lease runs.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Answer, eventually_within};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Fixture, said};

impl Fixture {
    async fn fetch(&self, more: &str, body: Value) -> Answer {
        let path = format!("/api/v1/agents/{}/inbox/next{more}", self.target);
        self.api.post(&path, &self.target_key, body).await
    }

    async fn says(&self, task: &Value, what: &str, body: Value) -> Answer {
        let id = task["id"].as_str().unwrap();
        let path = format!("/api/v1/agents/{}/inbox/{id}/{what}", self.target);
        self.api.post(&path, &self.target_key, body).await
    }

    /// Waits until there is one.
    async fn fetches(&self, body: Value) -> Value {
        let fetched = self.fetch("?wait=20", body).await;
        assert_eq!(fetched.status, 200, "{fetched:?}");
        fetched.body
    }
}

#[tokio::test]
async fn task_is_fetched_by_its_agent_and_completed_for_its_sender() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.fetch("", json!({})).await.status, 204);
    let waiting = fixture.fetches(json!({}));
    let begun = Instant::now();
    let (fetched, sent) = tokio::join!(waiting, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        fixture.sends("m-1", "do it").await
    });
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(fetched["task"]["id"], sent["id"]);
    assert_eq!(fetched["source_agent_id"], fixture.source);
    assert_eq!(fetched["message"]["parts"][0]["text"], "do it");
    assert_eq!(fixture.task(&sent["id"]).await["status"]["state"], "TASK_STATE_WORKING");
    assert_eq!(fixture.fetch("", json!({})).await.status, 204, "it is one worker's");

    let lease = &fetched["lease_id"];
    fixture
        .says(&sent, "complete", json!({ "lease_id": "lease_of_another" }))
        .await
        .refused(409, "CONFLICT");
    fixture.says(&sent, "extend", json!({ "lease_id": lease, "lease_seconds": 600 })).await.ok();
    let done = json!({ "lease_id": lease, "text": "done" });
    let completed = fixture.says(&sent, "complete", done.clone()).await.ok();
    assert_eq!(completed.body["artifacts"][0]["parts"][0]["text"], "done");
    assert_eq!(fixture.says(&sent, "complete", done).await.ok().body, completed.body, "said again");
    let failed = json!({ "lease_id": lease, "reason": "after all" });
    fixture.says(&sent, "fail", failed).await.refused(409, "CONFLICT");
    assert_eq!(fixture.task(&sent["id"]).await["status"]["state"], "TASK_STATE_COMPLETED");
    assert_eq!(fixture.api.audit("task.ended").await.len(), 1);

    let sent = fixture.sends("m-2", "do that").await;
    let fetched = fixture.fetches(json!({ "lease_seconds": 5 })).await;
    let failed = json!({ "lease_id": fetched["lease_id"], "reason": "no time" });
    fixture.says(&sent, "fail", failed).await.ok();
    let task = fixture.task(&sent["id"]).await;
    assert_eq!(
        (task["status"]["state"].as_str(), said(&task)),
        (Some("TASK_STATE_FAILED"), "no time".into())
    );
}

#[tokio::test]
async fn task_of_a_worker_that_crashed_is_there_again_and_its_lease_is_worth_nothing() {
    let fixture = Fixture::new().await;
    let sent = fixture.sends("m-1", "do it").await;
    let first = fixture.fetches(json!({ "lease_seconds": 1 })).await;
    let second = fixture.fetches(json!({})).await;
    assert_eq!(second["task"]["id"], sent["id"]);
    assert_ne!(first["lease_id"], second["lease_id"]);
    for (what, more) in [("complete", "text"), ("fail", "reason"), ("extend", "")] {
        let mut body = json!({ "lease_id": first["lease_id"] });
        if !more.is_empty() {
            body[more] = json!("mine");
        }
        fixture.says(&sent, what, body).await.refused(409, "CONFLICT");
    }
    fixture
        .says(&sent, "complete", json!({ "lease_id": second["lease_id"], "text": "ok" }))
        .await
        .ok();

    // Nobody took it: then it is late and still good.
    let sent = fixture.sends("m-2", "do it").await;
    let late = fixture.fetches(json!({ "lease_seconds": 1 })).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    fixture.says(&sent, "complete", json!({ "lease_id": late["lease_id"] })).await.ok();
}

#[tokio::test]
async fn inbox_is_its_agents_alone_and_a_task_that_is_cancelled_is_gone() {
    let fixture = Fixture::new().await;
    let sent = fixture.sends("m-1", "do it").await;
    let path = format!("/api/v1/agents/{}/inbox/next", fixture.target);
    for key in [&fixture.key, &fixture.operator] {
        fixture.api.post(&path, key, json!({})).await.refused(403, "AUTH_DENIED");
    }
    fixture
        .api
        .post("/api/v1/agents/agt_none/inbox/next", ADMIN, json!({}))
        .await
        .refused(404, "NOT_FOUND");
    let elsewhere = format!(
        "/api/v1/agents/{}/inbox/{}/complete",
        fixture.source,
        sent["id"].as_str().unwrap()
    );
    let body = json!({ "lease_id": "lease_1" });
    fixture.api.post(&elsewhere, &fixture.key, body).await.refused(404, "NOT_FOUND");
    fixture.fetch("?wait=61", json!({})).await.refused(400, "VALIDATION_ERROR");
    fixture.fetch("", json!({ "lease_seconds": 0 })).await.refused(400, "VALIDATION_ERROR");

    let mut more = super::message("m-2", "and that");
    more["message"]["taskId"] = sent["id"].clone();
    let refused = fixture.call(&fixture.key, "SendMessage", more).await;
    assert_eq!(refused["error"]["code"], -32004, "{refused}");
    let fetched = fixture.fetches(json!({})).await;
    fixture.done(&fixture.key, "CancelTask", json!({ "id": sent["id"] })).await;
    let done = json!({ "lease_id": fetched["lease_id"], "text": "too late" });
    fixture.says(&sent, "complete", done).await.refused(409, "CONFLICT");
    assert_eq!(fixture.task(&sent["id"]).await["status"]["state"], "TASK_STATE_CANCELED");
    fixture.sends("m-3", "do it").await;
    let sent = fixture.sends("m-3", "do it").await;
    fixture.done(&fixture.key, "CancelTask", json!({ "id": sent["id"] })).await;
    assert_eq!(
        fixture.fetch("", json!({})).await.status,
        204,
        "what was cancelled is fetched by no one"
    );
}

/// Fetches many tasks with many workers, and checks that each task comes to one of them.
async fn each_task_comes_to_one_worker(fixtures: &[&Fixture]) {
    const TASKS: usize = 24;
    for n in 0..TASKS {
        fixtures[0].sends(&format!("m-{n}"), "do it").await;
    }
    let ready = async || {
        let listed = fixtures[0].done(&fixtures[0].key, "ListTasks", json!({})).await;
        listed["totalSize"] == TASKS
    };
    eventually_within(Duration::from_secs(10), "they are not there", ready).await;
    let workers = (0..8).map(|worker| {
        let fixture = fixtures[worker % fixtures.len()];
        async move {
            let mut mine = Vec::new();
            loop {
                let fetched = fixture.fetch("?wait=2", json!({})).await;
                if fetched.status == 204 {
                    return mine;
                }
                let task = fetched.ok().body;
                mine.push(task["task"]["id"].as_str().unwrap().to_owned());
                let done = json!({ "lease_id": task["lease_id"] });
                fixture.says(&task["task"], "complete", done).await.ok();
            }
        }
    });
    let all: Vec<String> = join_all(workers).await.concat();
    assert_eq!(all.len(), TASKS, "{all:?}");
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), TASKS);
}

#[tokio::test]
async fn workers_that_race_have_each_task_once() {
    let fixture = Fixture::new().await;
    each_task_comes_to_one_worker(&[&fixture]).await;
}

#[tokio::test]
async fn workers_of_two_replicas_that_race_have_each_task_once() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let open = |name: &'static str| {
        let url = fresh.url();
        Fixture::with(move |builder| {
            builder.database(url).replica(name).secret_key("0f1e".repeat(16))
        })
    };
    let one = open("one").await;
    let mut two = open("two").await;
    two.target.clone_from(&one.target);
    two.target_key.clone_from(&one.target_key);
    each_task_comes_to_one_worker(&[&one, &two]).await;
}
