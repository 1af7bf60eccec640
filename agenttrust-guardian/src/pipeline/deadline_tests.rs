//! Checks while the database is busy: answered by their deadline, decided once, and never denied for it.

use std::time::{Duration, Instant};

use agenttrust::model::headers::{IDEMPOTENCY_KEY, RETRY_AFTER};
use agenttrust_testkit::{Answer, eventually};
use futures_util::FutureExt;
use tokio::task::unconstrained;

use crate::Guardian;
use crate::audit::Record;
use crate::domain::DEFAULT_ORG;
use crate::harness::{Harness, open_with};
use crate::store::Transaction;

const DEADLINE: Duration = Duration::from_millis(100);

/// A Guardian in memory, whose one connection a test can hold.
struct Busy {
    harness: Harness,
}

impl Busy {
    async fn new() -> Self {
        let api = open_with(|builder| builder.check_deadline(DEADLINE)).await;
        Self { harness: Harness::new(api).await }
    }

    /// Keeps everything else from the database until it is dropped.
    async fn hold_database(&self) -> Transaction {
        self.harness.guardian.engine().store.db().begin().await.unwrap()
    }

    /// Hands over rows until there is no place for another one, not even after the writer took its batch.
    async fn fill_queue(&self) {
        let audit = &self.harness.guardian.engine().audit;
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

    async fn check(&self, tool: &str, key: Option<&str>) -> Answer {
        let headers: Vec<_> = key.iter().map(|key| (IDEMPOTENCY_KEY, *key)).collect();
        let asked = Instant::now();
        let answer = self.harness.asks_with(&headers, tool).await;
        assert!(asked.elapsed() < 10 * DEADLINE, "answered after {:?}", asked.elapsed());
        answer.ok()
    }

    async fn is_undecided(&self, tool: &str, key: Option<&str>) {
        let answer = self.check(tool, key).await;
        answer.denied("not decided");
        assert!(answer.text("reason").starts_with("not decided"), "{answer:?}");
        assert!(answer.headers.contains_key(RETRY_AFTER), "{answer:?}");
    }

    async fn approvals(&self) -> usize {
        self.harness.guardian.client().approvals().list(&Default::default()).await.unwrap().len()
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
    busy.check("get_file", None).await.allowed();
    drop(held);
    busy.check("send_mail", None).await.allowed();
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
    answer.allowed();
    // What was not decided is not kept under its key.
    let answer = busy.check("get_file", Some("one")).await;
    assert!(!answer.allowed().headers.contains_key(RETRY_AFTER));
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
        let answer = busy.check("db_delete", Some("one")).await;
        if !answer.headers.contains_key(RETRY_AFTER) {
            ids.push(answer.text("approval_id"));
        }
    }
    assert!(!ids.is_empty() && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(busy.approvals().await, 1);
}

#[tokio::test]
async fn approval_that_a_late_decision_used_up_is_told_to_the_one_who_asks_again() {
    let busy = Busy::new().await;
    let approval = busy.check("db_delete", None).await.held();
    busy.harness.approve(&busy.harness.operator, &approval).await.ok();

    let held = busy.hold_database().await;
    busy.is_undecided("db_delete", Some("one")).await;
    drop(held);
    let decided = async || {
        let answer = busy.check("db_delete", Some("one")).await;
        (!answer.headers.contains_key(RETRY_AFTER)).then_some(answer)
    };
    let answer = eventually("it is not decided", decided).await;
    assert_eq!(answer.allowed().text("approval_id"), approval);
    // It served once.
    busy.check("db_delete", None).await.held();
}

#[tokio::test]
async fn decision_goes_on_when_its_caller_hangs_up() {
    let busy = Busy::new().await;
    let held = busy.hold_database().await;
    let asked = tokio::time::timeout(DEADLINE / 5, busy.check("db_delete", Some("one"))).await;
    assert!(asked.is_err(), "nothing is decided while the database is held");
    drop(held);
    eventually("the approval was not opened", async || busy.approvals().await == 1).await;
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
