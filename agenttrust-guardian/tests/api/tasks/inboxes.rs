//! The inbox of an agent without an endpoint: each task is one worker's, for as long as its lease runs.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Answer, eventually_within};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{House, said};

impl House {
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
    let house = House::new().await;
    assert_eq!(house.fetch("", json!({})).await.status, 204);
    let waiting = house.fetches(json!({}));
    let begun = Instant::now();
    let (fetched, sent) = tokio::join!(waiting, async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        house.sends("m-1", "do it").await
    });
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(fetched["task"]["id"], sent["id"]);
    assert_eq!(fetched["source_agent_id"], house.source);
    assert_eq!(fetched["message"]["parts"][0]["text"], "do it");
    assert_eq!(house.task(&sent["id"]).await["status"]["state"], "TASK_STATE_WORKING");
    assert_eq!(house.fetch("", json!({})).await.status, 204, "it is one worker's");

    let lease = &fetched["lease_id"];
    house
        .says(&sent, "complete", json!({ "lease_id": "lease_of_another" }))
        .await
        .refused(409, "CONFLICT");
    house.says(&sent, "extend", json!({ "lease_id": lease, "lease_seconds": 600 })).await.ok();
    let done = json!({ "lease_id": lease, "text": "done" });
    let completed = house.says(&sent, "complete", done.clone()).await.ok();
    assert_eq!(completed.body["artifacts"][0]["parts"][0]["text"], "done");
    assert_eq!(house.says(&sent, "complete", done).await.ok().body, completed.body, "said again");
    let failed = json!({ "lease_id": lease, "reason": "after all" });
    house.says(&sent, "fail", failed).await.refused(409, "CONFLICT");
    assert_eq!(house.task(&sent["id"]).await["status"]["state"], "TASK_STATE_COMPLETED");
    assert_eq!(house.api.audit("task.ended").await.len(), 1);

    let sent = house.sends("m-2", "do that").await;
    let fetched = house.fetches(json!({ "lease_seconds": 5 })).await;
    let failed = json!({ "lease_id": fetched["lease_id"], "reason": "no time" });
    house.says(&sent, "fail", failed).await.ok();
    let task = house.task(&sent["id"]).await;
    assert_eq!(
        (task["status"]["state"].as_str(), said(&task)),
        (Some("TASK_STATE_FAILED"), "no time".into())
    );
}

#[tokio::test]
async fn task_of_a_worker_that_crashed_is_there_again_and_its_lease_is_worth_nothing() {
    let house = House::new().await;
    let sent = house.sends("m-1", "do it").await;
    let first = house.fetches(json!({ "lease_seconds": 1 })).await;
    let second = house.fetches(json!({})).await;
    assert_eq!(second["task"]["id"], sent["id"]);
    assert_ne!(first["lease_id"], second["lease_id"]);
    for (what, more) in [("complete", "text"), ("fail", "reason"), ("extend", "")] {
        let mut body = json!({ "lease_id": first["lease_id"] });
        if !more.is_empty() {
            body[more] = json!("mine");
        }
        house.says(&sent, what, body).await.refused(409, "CONFLICT");
    }
    house
        .says(&sent, "complete", json!({ "lease_id": second["lease_id"], "text": "ok" }))
        .await
        .ok();

    // Nobody took it: then it is late and still good.
    let sent = house.sends("m-2", "do it").await;
    let late = house.fetches(json!({ "lease_seconds": 1 })).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    house.says(&sent, "complete", json!({ "lease_id": late["lease_id"] })).await.ok();
}

#[tokio::test]
async fn inbox_is_its_agents_alone_and_a_task_that_is_cancelled_is_gone() {
    let house = House::new().await;
    let sent = house.sends("m-1", "do it").await;
    let path = format!("/api/v1/agents/{}/inbox/next", house.target);
    for key in [&house.key, &house.operator] {
        house.api.post(&path, key, json!({})).await.refused(403, "AUTH_DENIED");
    }
    house
        .api
        .post("/api/v1/agents/agt_none/inbox/next", ADMIN, json!({}))
        .await
        .refused(404, "NOT_FOUND");
    let elsewhere =
        format!("/api/v1/agents/{}/inbox/{}/complete", house.source, sent["id"].as_str().unwrap());
    let body = json!({ "lease_id": "lease_1" });
    house.api.post(&elsewhere, &house.key, body).await.refused(404, "NOT_FOUND");
    house.fetch("?wait=61", json!({})).await.refused(400, "VALIDATION_ERROR");
    house.fetch("", json!({ "lease_seconds": 0 })).await.refused(400, "VALIDATION_ERROR");

    let mut more = super::message("m-2", "and that");
    more["message"]["taskId"] = sent["id"].clone();
    let refused = house.call(&house.key, "SendMessage", more).await;
    assert_eq!(refused["error"]["code"], -32004, "{refused}");
    let fetched = house.fetches(json!({})).await;
    house.done(&house.key, "CancelTask", json!({ "id": sent["id"] })).await;
    let done = json!({ "lease_id": fetched["lease_id"], "text": "too late" });
    house.says(&sent, "complete", done).await.refused(409, "CONFLICT");
    assert_eq!(house.task(&sent["id"]).await["status"]["state"], "TASK_STATE_CANCELED");
    house.sends("m-3", "do it").await;
    let sent = house.sends("m-3", "do it").await;
    house.done(&house.key, "CancelTask", json!({ "id": sent["id"] })).await;
    assert_eq!(
        house.fetch("", json!({})).await.status,
        204,
        "what was cancelled is fetched by no one"
    );
}

/// Many workers fetch many tasks: each task comes to one of them.
async fn each_task_comes_to_one_worker(houses: &[&House]) {
    const TASKS: usize = 24;
    for n in 0..TASKS {
        houses[0].sends(&format!("m-{n}"), "do it").await;
    }
    let ready = async || {
        let listed = houses[0].done(&houses[0].key, "ListTasks", json!({})).await;
        listed["totalSize"] == TASKS
    };
    eventually_within(Duration::from_secs(10), "they are not there", ready).await;
    let workers = (0..8).map(|worker| {
        let house = houses[worker % houses.len()];
        async move {
            let mut mine = Vec::new();
            loop {
                let fetched = house.fetch("?wait=2", json!({})).await;
                if fetched.status == 204 {
                    return mine;
                }
                let task = fetched.ok().body;
                mine.push(task["task"]["id"].as_str().unwrap().to_owned());
                let done = json!({ "lease_id": task["lease_id"] });
                house.says(&task["task"], "complete", done).await.ok();
            }
        }
    });
    let all: Vec<String> = join_all(workers).await.concat();
    assert_eq!(all.len(), TASKS, "{all:?}");
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), TASKS);
}

#[tokio::test]
async fn workers_that_race_have_each_task_once() {
    let house = House::new().await;
    each_task_comes_to_one_worker(&[&house]).await;
}

#[tokio::test]
async fn workers_of_two_replicas_that_race_have_each_task_once() {
    let Some(fresh) = Fresh::or_skip() else { return };
    let open = |name: &'static str| {
        let url = fresh.url();
        House::with(move |builder| {
            builder.database(url).replica(name).secret_key("0f1e".repeat(16))
        })
    };
    let one = open("one").await;
    let mut two = open("two").await;
    two.target.clone_from(&one.target);
    two.target_key.clone_from(&one.target_key);
    each_task_comes_to_one_worker(&[&one, &two]).await;
}
