//! What a worker says that fetches the tasks of an agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agenttrust::model::{TaskArtifact, TaskLease, TaskPart, TaskState};
use agenttrust::{AgentTrustError, blocking};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use super::{ODD, ODD_SEGMENT, answer, client};

/// Returns a Guardian whose inbox of an agent has one task.
fn guardian(request: &Request<Bytes>) -> Response<String> {
    let body: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(request.method(), Method::POST);
    let path = request.uri().path().strip_prefix("/api/v1/agents/agt_1/inbox/").unwrap();
    let ended = |state: &str| {
        answer(200, &json!({ "id": ODD, "contextId": "ctx_1", "status": { "state": state } }))
    };
    match path.strip_prefix(&format!("{ODD_SEGMENT}/")).unwrap_or(path) {
        "next" => {
            assert_eq!(request.uri().query(), Some("wait=2"));
            assert_eq!(body, json!({ "lease_seconds": 90 }));
            let message =
                json!({ "messageId": "m1", "role": "ROLE_USER", "parts": [{ "text": "go" }] });
            let task = json!({ "id": ODD, "status": { "state": "TASK_STATE_WORKING" } });
            answer(
                200,
                &json!({
                    "task": task, "message": message, "source_agent_id": "agt_2",
                    "lease_id": "lse_1", "lease_expires_at": "2026-01-02T03:04:05Z",
                }),
            )
        }
        "complete" => {
            let parts = json!([{ "text": "done" }]);
            let artifacts = json!([{ "artifactId": "result", "parts": parts }]);
            assert_eq!(body, json!({ "lease_id": "lse_1", "artifacts": artifacts }));
            ended("TASK_STATE_COMPLETED")
        }
        "fail" => {
            assert_eq!(body, json!({ "lease_id": "lse_1", "reason": "no paper" }));
            ended("TASK_STATE_FAILED")
        }
        "extend" => {
            assert_eq!(body, json!({ "lease_id": "lse_1", "lease_seconds": 120 }));
            answer(200, &json!({ "lease_expires_at": "2026-01-02T03:06:05Z" }))
        }
        other => panic!("{other}"),
    }
}

/// Makes every call, with `$done` around each.
macro_rules! all {
    ($client:ident, $done:ident) => {{
        let inbox = $client.inbox("agt_1").lease(Duration::from_secs(90));
        let asked = $done!(inbox.next(Duration::from_secs(2))).unwrap();
        assert_eq!((&*asked.task.id, asked.task.status.state), (ODD, TaskState::Working));
        assert_eq!((&*asked.message.text(), &*asked.source_agent_id), ("go", "agt_2"));
        let lease = asked.lease();
        assert_eq!(lease, TaskLease::new(ODD, "lse_1"));
        let extended = $done!(inbox.extend(&lease, Duration::from_secs(120)));
        assert!(extended > asked.lease_expires_at.unwrap());
        let ended = $done!(inbox.complete(&lease, "done"));
        assert_eq!(ended.status.state, TaskState::Completed);
        let artifact = TaskArtifact::new("result", [TaskPart::text("done")]);
        assert_eq!($done!(inbox.complete_with(&lease, &[artifact])), ended);
        assert_eq!($done!(inbox.fail(&lease, "no paper")).status.state, TaskState::Failed);
    }};
}

#[tokio::test]
async fn worker_fetches_keeps_and_ends_a_task() {
    macro_rules! done {
        ($call:expr) => {
            $call.await.unwrap()
        };
    }
    let client = client(guardian);
    all!(client, done);
}

#[test]
fn blocking_worker_does_the_same() {
    macro_rules! done {
        ($call:expr) => {
            $call.unwrap()
        };
    }
    let client = blocking::AgentTrustClient::from(client(guardian));
    all!(client, done);
}

#[tokio::test]
async fn empty_inbox_is_asked_until_the_wait_is_over_and_not_without_a_pause() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let client = client(move |_| {
        counts.fetch_add(1, Ordering::Relaxed);
        Response::builder().status(204).body(String::new()).unwrap()
    });
    let inbox = client.inbox("agt_1");
    assert!(inbox.next(Duration::ZERO).await.unwrap().is_none());
    assert_eq!(asked.swap(0, Ordering::Relaxed), 1);
    assert!(inbox.next(Duration::from_millis(600)).await.unwrap().is_none());
    assert!((2..=4).contains(&asked.load(Ordering::Relaxed)), "{asked:?}");
}

#[tokio::test]
async fn lease_that_is_lost_and_ids_that_are_none_are_refused() {
    let lost =
        client(|_| answer(409, &json!({ "error": "CONFLICT", "message": "another has it" })));
    let refused =
        lost.inbox("agt_1").complete(&TaskLease::new("t", "l"), "done").await.unwrap_err();
    assert_eq!((refused.status(), &*refused.message()), (Some(409), "another has it"));
    let silent = client(|request| panic!("sent {request:?}"));
    for refused in [
        silent.inbox("").next(Duration::ZERO).await.map(drop),
        silent.inbox("..").next(Duration::ZERO).await.map(drop),
        silent.inbox("agt_1").fail(&TaskLease::new("", "l"), "x").await.map(drop),
        silent.inbox("agt_1").extend(&TaskLease::new("..", "l"), Duration::ZERO).await.map(drop),
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, AgentTrustError::Validation { status: 0, .. }), "{refused:?}");
    }
}
