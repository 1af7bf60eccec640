//! Checks while the database is busy: answered by their deadline, decided once, and never denied for it.

use std::time::{Duration, Instant};

use agenttrust::model::headers::{IDEMPOTENCY_KEY, RETRY_AFTER};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::task::unconstrained;
use tower::ServiceExt;

use crate::audit::Record;
use crate::domain::DEFAULT_ORG;
use crate::store::Transaction;
use crate::{Guardian, Role};

const DEADLINE: Duration = Duration::from_millis(100);

/// A Guardian in memory, whose one connection a test can hold, and an agent's key.
struct Busy {
    guardian: Guardian,
    agent: String,
    key: String,
}

impl Busy {
    async fn new() -> Self {
        let guardian = Guardian::builder().check_deadline(DEADLINE).build().await.unwrap();
        let request = agenttrust::CreateAgentRequest {
            name: "worker".to_owned(),
            capabilities: vec!["*".to_owned()],
            ..Default::default()
        };
        let agent = guardian.client().agents().create(&request).await.unwrap().id;
        let key = guardian.create_key(Role::Agent, &[&agent]).await.unwrap();
        Self { guardian, agent, key }
    }

    /// Keeps everything else from the database until it is dropped.
    async fn hold_database(&self) -> Transaction {
        self.guardian.engine().store.db().begin().await.unwrap()
    }

    /// Hands over rows until there is no place for another one, not even after the writer took its batch.
    async fn fill_queue(&self) {
        let audit = &self.guardian.engine().audit;
        for _ in 0..5 {
            loop {
                let filler = Record::new("filler", DEFAULT_ORG);
                let mut row = Box::pin(unconstrained(audit.enqueue(filler)));
                if row.as_mut().now_or_never().is_none() {
                    break;
                }
            }
            tokio::time::sleep(DEADLINE / 10).await;
        }
    }

    async fn check(&self, tool: &str, key: Option<&str>) -> (Value, HeaderMap) {
        let body = json!({ "agent_id": self.agent, "action_name": tool });
        let mut request = Request::post("/api/v1/agenttrust/check").header("x-api-key", &self.key);
        if let Some(key) = key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        let asked = Instant::now();
        let response = self.guardian.router().oneshot(request).await.unwrap();
        assert!(asked.elapsed() < 10 * DEADLINE, "answered after {:?}", asked.elapsed());
        assert_eq!(response.status(), 200);
        let headers = response.headers().clone();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (serde_json::from_slice(&bytes).unwrap(), headers)
    }

    async fn is_undecided(&self, tool: &str, key: Option<&str>) {
        let (answer, headers) = self.check(tool, key).await;
        assert_eq!(answer["allowed"], false, "{answer}");
        assert_eq!(answer["elevation_required"], false, "{answer}");
        assert!(answer["reason"].as_str().unwrap().starts_with("not decided"), "{answer}");
        assert!(headers.contains_key(RETRY_AFTER), "{headers:?}");
    }

    async fn approvals(&self) -> usize {
        self.guardian.client().approvals().list(&Default::default()).await.unwrap().len()
    }
}

#[tokio::test]
async fn every_check_is_answered_by_its_deadline_while_the_database_is_busy() {
    let busy = Busy::new().await;
    let held = busy.hold_database().await;
    // Held, mutating, and one that a capability denies: each has a row to be kept.
    for tool in ["db_delete", "send_mail"] {
        busy.is_undecided(tool, None).await;
    }
    // A read needs no more than a place in the queue.
    assert_eq!(busy.check("get_file", None).await.0["allowed"], true);
    drop(held);
    assert_eq!(busy.check("send_mail", None).await.0["allowed"], true);
}

#[tokio::test]
async fn full_queue_denies_no_read_that_policies_allow() {
    let busy = Busy::new().await;
    let held = busy.hold_database().await;
    busy.fill_queue().await;
    busy.is_undecided("get_file", Some("one")).await;
    // Waits for its place, and has it before its deadline.
    let (answer, ()) = tokio::join!(busy.check("get_file", None), async {
        tokio::time::sleep(DEADLINE / 5).await;
        drop(held);
    });
    assert_eq!(answer.0["allowed"], true, "{answer:?}");
    // What was not decided is not kept under its key.
    let (answer, headers) = busy.check("get_file", Some("one")).await;
    assert_eq!(answer["allowed"], true, "{answer}");
    assert!(!headers.contains_key(RETRY_AFTER));
}

#[tokio::test]
async fn check_that_is_asked_again_joins_the_decision_under_way() {
    let busy = Busy::new().await;
    let held = busy.hold_database().await;
    for _ in 0..3 {
        busy.is_undecided("db_delete", Some("one")).await;
    }
    drop(held);
    let mut ids = Vec::new();
    for _ in 0..50 {
        let (answer, headers) = busy.check("db_delete", Some("one")).await;
        if !headers.contains_key(RETRY_AFTER) {
            ids.push(answer["approval_id"].as_str().unwrap().to_owned());
        }
    }
    assert!(!ids.is_empty() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(busy.approvals().await, 1);
}

#[tokio::test]
async fn approval_that_a_late_decision_used_up_is_told_to_the_one_who_asks_again() {
    let busy = Busy::new().await;
    let (answer, _) = busy.check("db_delete", None).await;
    let approval = answer["approval_id"].as_str().unwrap().to_owned();
    let operator = busy.guardian.create_key(Role::Operator, &[]).await.unwrap();
    let operator = busy.guardian.client_with_key(&operator).unwrap();
    operator.approvals().approve(&approval, "ada").await.unwrap();

    let held = busy.hold_database().await;
    busy.is_undecided("db_delete", Some("one")).await;
    drop(held);
    let answer = loop {
        let (answer, headers) = busy.check("db_delete", Some("one")).await;
        if !headers.contains_key(RETRY_AFTER) {
            break answer;
        }
    };
    assert_eq!(answer["allowed"], true, "{answer}");
    assert_eq!(answer["approval_id"], approval);
    // It served once.
    assert_eq!(busy.check("db_delete", None).await.0["elevation_required"], true);
}

#[tokio::test]
async fn decision_goes_on_when_its_caller_hangs_up() {
    let busy = Busy::new().await;
    let held = busy.hold_database().await;
    let asked = tokio::time::timeout(DEADLINE / 5, busy.check("db_delete", Some("one"))).await;
    assert!(asked.is_err(), "nothing is decided while the database is held");
    drop(held);
    for _ in 0..200 {
        if busy.approvals().await == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the approval was not opened");
}

#[tokio::test]
async fn deadline_that_makes_no_sense_is_refused() {
    for deadline in [Duration::ZERO, Duration::from_millis(9), Duration::from_secs(1_000_000_000)] {
        let error = Guardian::builder().check_deadline(deadline).build().await.unwrap_err();
        assert!(
            error.to_string().contains("give check-deadline a time from 10ms to 30s"),
            "{error}"
        );
    }
}
