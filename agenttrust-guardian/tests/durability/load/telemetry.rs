//! Reports have a queue and a quota: one agent's fill neither the disk nor the place of another's.

use std::time::Duration;

use agenttrust_testkit::Answer;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::load::stalled::Database;
use crate::support::Api;

const REPORT: &str = "/api/v1/telemetry/report";

fn events(count: usize) -> Vec<Value> {
    let event = json!({ "event_type": "tool_end", "tool_name": "search", "success": true });
    vec![event; count]
}

async fn report(api: &Api, key: &str, agent: &str, count: usize) -> Answer {
    let body = json!({ "agent_id": agent, "session_id": "s", "events": events(count) });
    api.post(REPORT, key, body).await
}

/// Reports how the call went that this check allowed.
async fn report_of(api: &Api, key: &str, agent: &str) -> Answer {
    let check = api.check_in(key, agent, "search", "s").await;
    let check_id = check.allowed().text("check_id");
    let body = json!({ "agent_id": agent, "session_id": "s", "events": events(1) });
    let headers = [("AgentTrust-Check-Ids", check_id.as_str())];
    api.with(&headers).post(REPORT, key, body).await
}

#[tokio::test]
async fn agent_fills_no_disk_with_what_no_check_vouches_for() {
    for database in Database::both() {
        let api = database.guardian().await;
        let (agent, key) = api.worker().await;
        let mut kept = 0;
        for _ in 0..12 {
            let answer = report(&api, &key, &agent, 1_000).await.ok();
            assert_eq!(answer.body["accepted"], true, "{answer:?}");
            kept += answer.body["events_processed"].as_u64().unwrap();
        }
        assert_eq!(kept, 10_000, "{}", database.name());
        assert_eq!(database.count("SELECT COUNT(*) FROM telemetry").await, 10_000);
        let metrics = api.get("/metrics", agenttrust_testkit::ADMIN).await.ok();
        let metrics = metrics.body.as_str().unwrap().to_owned();
        assert!(metrics.contains("agenttrust_reports_not_kept_total 2000"), "{metrics}");
        // What a check vouches for is believed all the same, once.
        assert_eq!(report_of(&api, &key, &agent).await.ok().body["events_processed"], 1);
        assert_eq!(api.audit("outcome").await.len(), 1);
        // And so is what another agent reports.
        let (other, other_key) = api.worker().await;
        let answer = report(&api, &other_key, &other, 10).await.ok();
        assert_eq!(answer.body["events_processed"], 10);
        api.guardian.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agent_that_floods_while_the_database_is_locked_leaves_room_for_others() {
    for database in Database::both() {
        let api = database.guardian().await;
        let (agent, key) = api.worker().await;
        let (other, other_key) = api.worker().await;
        let lock = database.lock().await;
        let flood = join_all((0..20).map(|_| report(&api, &key, &agent, 1_000)));
        let quiet = async {
            // When the flood has taken what it gets.
            tokio::time::sleep(Duration::from_millis(500)).await;
            let answer = report(&api, &other_key, &other, 10).await;
            // There is room for it, and only the database keeps it waiting.
            assert!(
                answer.body["message"].as_str().unwrap().contains("takes its time"),
                "{answer:?}"
            );
        };
        let (answers, ()) = tokio::join!(flood, quiet);
        let mut full = 0;
        for answer in &answers {
            answer.refused(503, "UNAVAILABLE");
            assert_eq!(answer.headers["retry-after"], "1", "{answer:?}");
            full += usize::from(answer.text("message").contains("room"));
        }
        assert!(full >= 10, "{full} of {}", answers.len());
        lock.let_go().await;
        crate::load::stalled::healthy(&api).await;
        report(&api, &other_key, &other, 10).await.ok();
        report_of(&api, &key, &agent).await.ok();
        api.guardian.close().await;
    }
}
