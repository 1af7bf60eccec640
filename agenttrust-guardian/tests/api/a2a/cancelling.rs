//! A task is cancelled while its message is being sent: the protocol's own error, or what came of it.

use std::time::Duration;

use serde_json::json;

use super::target::Speaks;
use super::{Reached, V1, request};

const NOT_CANCELABLE: i64 = -32002;

#[tokio::test]
async fn task_whose_message_is_being_sent_is_not_cancelable_in_any_dialect() {
    let reached = Reached::patient(Speaks::V1, Duration::from_secs(20)).await;
    let id = reached.begins("hang").await;
    agenttrust_testkit::eventually("it is sent", async || reached.target.sent().len() == 1).await;
    let by_id = json!({ "id": id });
    let new = reached.asks(&[V1], request(1, "CancelTask", by_id.clone())).await;
    let old = reached.asks(&[], request(1, "tasks/cancel", by_id.clone())).await;
    let api = &reached.fixture.api;
    let guide = api.post("/a2a", &reached.fixture.key, request(1, "tasks/cancel", by_id)).await;
    for (dialect, said) in [("1.0", new), ("0.3", old), ("the guide", guide)] {
        assert_eq!(said.body["error"]["code"], NOT_CANCELABLE, "{dialect}: {said:?}");
        let message = said.body["error"]["message"].as_str().unwrap();
        assert!(message.contains("being sent") && message.contains("again"), "{message}");
    }
    reached.target.release();
}

#[tokio::test]
async fn task_that_arrives_while_it_is_cancelled_is_cancelled_at_its_target() {
    let reached = Reached::patient(Speaks::V1, Duration::from_secs(20)).await;
    let id = reached.begins("slow").await;
    agenttrust_testkit::eventually("it is sent", async || reached.target.sent().len() == 1).await;
    let cancel = reached.v1("CancelTask", json!({ "id": id }));
    let (said, ()) = tokio::join!(cancel, async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        reached.target.release();
    });
    assert_eq!(said["result"]["status"]["state"], "TASK_STATE_CANCELED", "{said}");
    assert_eq!(reached.target.count("CancelTask"), 1);
}
