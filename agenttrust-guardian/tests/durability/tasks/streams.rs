//! Streams over kills: what an agent has begun goes on without being sent again.

use agenttrust_testkit::eventually_within;
use serde_json::json;

use super::{Fixture, LONG, known};
use crate::target::{Does, Target};

#[tokio::test(flavor = "multi_thread")]
async fn task_whose_stream_ends_by_a_kill_goes_on_and_is_sent_once() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").display().to_string();
    let target = Target::start(Does::Works).await;
    let mut fixture = Fixture::new(&database, None, &target).await;
    let message =
        json!({ "messageId": "m-1", "role": "ROLE_USER", "parts": [{ "text": "do it" }] });
    let sending = {
        let caller = fixture.caller().with("a2a-version", "1.0");
        let (path, key) = (format!("/a2a/agents/{}", fixture.target), fixture.key.clone());
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": { "message": &message },
        });
        tokio::spawn(async move { caller.ask("POST", &path, &key, &body).await })
    };
    let look = async || {
        let listed =
            fixture.call(&fixture.caller(), "ListTasks", json!({ "includeArtifacts": true })).await;
        let task = listed.unwrap()["tasks"][0].clone();
        if task["artifacts"].to_string().contains("a result") { Ok(task) } else { Err(task) }
    };
    let task = eventually_within(LONG, "nothing is heard of it", look).await;
    fixture.kill();
    assert!(sending.await.unwrap().is_none(), "its stream ended as if all were said");
    fixture.restart();
    let now = fixture.task(&task["id"]).await;
    assert_eq!(now["status"]["state"], "TASK_STATE_WORKING", "{now} before {task}");
    assert!(known(&now, "in_doubt").is_null(), "{now}");
    // The same message again is the same task.
    let params = json!({ "message": message, "configuration": { "returnImmediately": true } });
    let again = fixture.call(&fixture.caller(), "SendMessage", params).await.unwrap();
    assert_eq!(again["task"]["id"], task["id"]);
    target.is("TASK_STATE_COMPLETED");
    fixture.becomes(&task["id"], "TASK_STATE_COMPLETED").await;
    assert_eq!(target.sent().len(), 1);
}
