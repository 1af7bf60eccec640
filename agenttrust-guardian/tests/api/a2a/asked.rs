//! The agent that is asked, as it follows its tasks: it hears of what has reached it, and of nothing else.

use std::time::Duration;

use agenttrust_testkit::receiver::Receiver;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::target::Speaks;
use super::{Reached, Streamed, V1, request, v1_message};

impl Reached {
    /// Subscribes to a task as the agent that is asked.
    async fn follows(&self, id: &Value) -> Streamed {
        let body = request("s", "SubscribeToTask", json!({ "id": id }));
        let request = Request::post(self.path())
            .header("x-api-key", &self.fixture.target_key)
            .header("content-type", "application/json")
            .header("a2a-version", "1.0")
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = self.fixture.api.guardian.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Streamed { status: parts.status, headers: parts.headers, body, rest: String::new() }
    }

    /// Goes on with a task by a message that is held; returns the approval that it waits for.
    async fn has_one_held(&self, id: &Value) -> String {
        self.fixture.holds().await;
        let mut more = v1_message("the secret plan");
        more["taskId"] = id.clone();
        let params = json!({ "message": more, "configuration": { "returnImmediately": true } });
        let said = self.v1("SendMessage", params).await;
        let task = self.fixture.becomes(id, "TASK_STATE_AUTH_REQUIRED").await;
        let known = &task["metadata"]["https://agenttrust.id/ext/trust/v1"];
        known["approval_id"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned()
    }
}

#[tokio::test]
async fn stream_of_the_one_who_is_asked_has_nothing_of_a_message_that_is_held_or_was_denied() {
    let reached = Reached::by(Speaks::V1).await;
    let id = reached.works().await;
    let mut stream = reached.follows(&id).await;
    let first = stream.next().await.unwrap();
    assert_eq!(first["result"]["task"]["status"]["state"], "TASK_STATE_WORKING", "{first}");
    let approval = reached.has_one_held(&id).await;
    // Another one begins to follow it while that waits.
    let mut late = reached.follows(&id).await;
    let first = late.next().await.unwrap();
    assert_eq!(first["result"]["task"]["status"]["state"], "TASK_STATE_WORKING", "{first}");
    // Long enough for those who look at the row.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    reached.fixture.api.deny(&reached.fixture.operator, &approval).await.ok();
    reached.fixture.becomes(&id, "TASK_STATE_WORKING").await;
    reached.target.is("completed");
    reached.fixture.becomes(&id, "TASK_STATE_COMPLETED").await;
    for (whose, stream) in [("the first", stream), ("the late", late)] {
        let told = stream.all().await;
        let text = json!(told).to_string();
        for hidden in ["AUTH_REQUIRED", &approval, "secret plan", "denied"] {
            assert!(!text.contains(hidden), "{whose} hears {hidden}: {text}");
        }
        let last = told.last().unwrap_or_else(|| panic!("{whose} hears nothing"));
        assert!(last.to_string().contains("TASK_STATE_COMPLETED"), "{whose}: {text}");
    }
}

#[tokio::test]
async fn notification_of_the_one_who_is_asked_is_not_sent_for_a_message_that_is_held_or_was_denied()
{
    let reached = Reached::by(Speaks::V1).await;
    let id = reached.works().await;
    let mut receiver = Receiver::answering(&[200]).await;
    let push = json!({ "taskId": id, "url": receiver.url() });
    let set = request(1, "CreateTaskPushNotificationConfig", push);
    let v1 = reached.fixture.api.with(&[V1]);
    let set = v1.post(&reached.path(), &reached.fixture.target_key, set).await.ok().body;
    assert!(set["error"].is_null(), "{set}");
    let approval = reached.has_one_held(&id).await;
    // Longer than it takes to tell.
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    assert_eq!(receiver.rest().len(), 0, "it was told of one that is held");
    reached.fixture.api.deny(&reached.fixture.operator, &approval).await.ok();
    reached.fixture.becomes(&id, "TASK_STATE_WORKING").await;
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    assert_eq!(receiver.rest().len(), 0, "it was told of one that was denied");
    reached.target.is("completed");
    reached.fixture.becomes(&id, "TASK_STATE_COMPLETED").await;
    let told = receiver.next().await.json();
    assert_eq!(told["task"]["status"]["state"], "TASK_STATE_COMPLETED", "{told}");
    assert!(!told.to_string().contains("denied"), "{told}");
}
