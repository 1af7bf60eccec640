//! What one message asked to have approved is its own, and goes with it.

use serde_json::json;

use super::held::held;
use super::target::{Does, Target};
use super::{Fixture, known};

#[tokio::test]
async fn task_that_is_cancelled_withdraws_what_it_asked_to_have_approved() {
    let fixture = Fixture::new().await;
    let target = Target::start(Does::Completes).await;
    fixture.reached_at(&target).await;
    fixture.holds().await;
    let (id, approval) = held(&fixture, "m-1").await;
    fixture.done(&fixture.key, "CancelTask", json!({ "id": id })).await;
    let shown = fixture.api.approval(&approval).await;
    assert_eq!(shown["status"], "expired", "{shown}");
    assert_eq!(shown["decision_reason"], "its task was cancelled", "{shown}");
    let told = fixture.api.approve(&fixture.operator, &approval).await;
    told.refused(409, "CONFLICT").says("was withdrawn (its task was cancelled)");
    // What is just like it is asked about anew.
    let (_, other) = held(&fixture, "m-2").await;
    assert_ne!(other, approval);
    assert!(target.sent().is_empty());
}

#[tokio::test]
async fn approval_lets_go_the_message_that_asked_for_it_and_none_like_it() {
    let fixture = Fixture::new().await;
    let target = Target::start(Does::Completes).await;
    fixture.reached_at(&target).await;
    fixture.holds().await;
    let (id, approval) = held(&fixture, "m-1").await;
    // A further message like that one, of which each is asked about by itself.
    let (twin, other) = held(&fixture, "m-2").await;
    assert_ne!(other, approval);
    fixture.api.approve(&fixture.operator, &other).await.ok();
    fixture.becomes(&twin, "TASK_STATE_COMPLETED").await;
    let task = fixture.task(&id).await;
    assert_eq!(task["status"]["state"], "TASK_STATE_AUTH_REQUIRED", "{task}");
    assert_eq!(known(&task, "approval_id"), &json!(approval));
    assert_eq!(target.sent().len(), 1);
    fixture.api.approve(&fixture.operator, &approval).await.ok();
    fixture.becomes(&id, "TASK_STATE_COMPLETED").await;
    assert_eq!(target.sent().len(), 2);
}
