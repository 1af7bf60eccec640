//! What is sent: once, by our ids, and what comes of it.

use std::time::Duration;

use agenttrust_testkit::eventually_within;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::target::{Does, Target};
use super::{Fixture, known, message, said};

#[tokio::test]
async fn message_is_dispatched_once_however_often_it_is_sent() {
    let fixture = Fixture::new().await;
    let target = Target::start(Does::Completes).await;
    fixture.reached_at(&target).await;
    let sending = (0..8).map(|_| fixture.sends("m-1", "do it"));
    let tasks = join_all(sending).await;
    let id = tasks[0]["id"].clone();
    assert!(tasks.iter().all(|task| task["id"] == id), "{tasks:?}");
    let task = fixture.becomes(&id, "TASK_STATE_COMPLETED").await;
    assert_eq!(task["artifacts"][0]["parts"][0]["text"], "a result");
    assert_eq!(fixture.sends("m-1", "do it").await["id"], id);
    assert_eq!(target.sent().len(), 1, "{:?}", target.sent());
    assert!(!task.to_string().contains("theirs"), "{task}");

    let other =
        fixture.call(&fixture.key, "SendMessage", message("m-1", "do something else")).await;
    assert_eq!(other["error"]["code"], -32602, "{other}");
    assert!(other["error"]["message"].as_str().unwrap().contains("was used for another message"));
    // Of another sender it is another message.
    let mine = fixture.done(&fixture.operator, "SendMessage", message("m-1", "mine")).await;
    assert_ne!(mine["task"]["id"], id);
    fixture.becomes_of(&fixture.operator, &mine["task"]["id"], "TASK_STATE_COMPLETED").await;
    assert_eq!(target.sent().len(), 2);
    let told = fixture.api.audit("task.dispatched").await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(fixture.api.audit("task.ended").await.len(), 2);
}

impl Fixture {
    async fn becomes_of(&self, key: &str, id: &Value, state: &str) {
        let look = async || {
            let task = self.done(key, "GetTask", json!({ "id": id })).await;
            if task["status"]["state"] == state { Ok(()) } else { Err(task) }
        };
        eventually_within(Duration::from_secs(20), format!("it is not {state}"), look).await;
    }
}

#[tokio::test]
async fn task_that_goes_on_is_asked_after_and_takes_another_message() {
    let fixture = Fixture::new().await;
    let target = Target::start(Does::AsksBack).await;
    fixture.reached_at(&target).await;
    target.is("TASK_STATE_INPUT_REQUIRED");
    let task = fixture.sends("m-1", "do it").await;
    let id = fixture.becomes(&task["id"], "TASK_STATE_INPUT_REQUIRED").await["id"].clone();
    target.does(Does::Works);
    target.is("TASK_STATE_WORKING");
    let mut more = message("m-2", "and that");
    more["message"]["taskId"] = id.clone();
    let went_on = fixture.done(&fixture.key, "SendMessage", more.clone()).await;
    assert_eq!(went_on["task"]["id"], id);
    eventually_within(Duration::from_secs(10), "it is not sent", async || target.sent().len() == 2)
        .await;
    let handed = &target.sent()[1];
    assert_eq!((&handed["taskId"], &handed["contextId"]), (&json!("theirs-1"), &json!("theirs-c")));
    target.is("TASK_STATE_COMPLETED");
    fixture.becomes(&id, "TASK_STATE_COMPLETED").await;
    assert!(target.asked() > 0);

    // What has ended takes no more, in the words of the protocol.
    more["message"]["messageId"] = json!("m-3");
    let over = fixture.call(&fixture.key, "SendMessage", more).await;
    assert_eq!(over["error"]["code"], -32004, "{over}");
    assert_eq!(target.sent().len(), 2);
    let cancelled = fixture.call(&fixture.key, "CancelTask", json!({ "id": id })).await;
    assert_eq!(cancelled["error"]["code"], -32002, "{cancelled}");

    // The next task of the same context is one of the same context there.
    let mut next = message("m-4", "next");
    next["message"]["contextId"] = task["contextId"].clone();
    fixture.done(&fixture.key, "SendMessage", next).await;
    eventually_within(Duration::from_secs(10), "it is not sent", async || target.sent().len() == 3)
        .await;
    assert_eq!(target.sent()[2]["contextId"], "theirs-c");
    assert!(target.sent()[2]["taskId"].is_null());
}

#[tokio::test]
async fn task_is_cancelled_where_it_is_worked_at() {
    let fixture = Fixture::new().await;
    let target = Target::start(Does::Works).await;
    fixture.reached_at(&target).await;
    let task = fixture.sends("m-1", "do it").await;
    fixture.becomes(&task["id"], "TASK_STATE_WORKING").await;
    let cancelled = fixture.done(&fixture.key, "CancelTask", json!({ "id": task["id"] })).await;
    assert_eq!(cancelled["status"]["state"], "TASK_STATE_CANCELED");
    let again = fixture.call(&fixture.key, "CancelTask", json!({ "id": task["id"] })).await;
    assert_eq!(again["error"]["code"], -32002, "{again}");
}

#[tokio::test]
async fn answer_that_is_none_fails_the_task_and_says_so() {
    let fixture = Fixture::new().await;
    let target = Target::start(Does::Lies).await;
    fixture.reached_at(&target).await;
    for (place, (does, says)) in
        [(Does::Lies, "cannot be used"), (Does::Html, "cannot be used"), (Does::Refuses, "refused")]
            .into_iter()
            .enumerate()
    {
        target.does(does);
        let task = fixture.sends(&format!("m-{place}"), "do it").await;
        let task = fixture.becomes(&task["id"], "TASK_STATE_FAILED").await;
        assert!(said(&task).contains(says), "{does:?}: {task}");
        assert_eq!(target.sent().len(), place + 1);
    }
    target.does(Does::Says);
    let task = fixture.sends("m-says", "do it").await;
    let task = fixture.becomes(&task["id"], "TASK_STATE_COMPLETED").await;
    assert_eq!(said(&task), "hello");
}

#[tokio::test]
async fn target_that_is_away_is_tried_again_and_one_that_hangs_up_leaves_a_doubt() {
    let fixture = Fixture::new().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let away = Target { url: format!("http://{address}/a2a"), ..Target::start(Does::Says).await };
    fixture.reached_at(&away).await;
    let task = fixture.sends("m-1", "do it").await;
    let look =
        async || said(&fixture.task(&task["id"]).await).contains("is not reached at present");
    eventually_within(Duration::from_secs(10), "it says nothing", look).await;
    assert_eq!(fixture.task(&task["id"]).await["status"]["state"], "TASK_STATE_SUBMITTED");
    let target = Target::start(Does::Completes).await;
    fixture.reached_at(&target).await;
    fixture.becomes(&task["id"], "TASK_STATE_COMPLETED").await;
    assert_eq!(target.sent().len(), 1);

    // It takes the message and breaks off.
    let (rude, visits) = breaks_off().await;
    let rude = Target { url: format!("http://{rude}/a2a"), ..target.clone() };
    fixture.reached_at(&rude).await;
    let task = fixture.sends("m-2", "do it").await;
    let look = async || known(&fixture.task(&task["id"]).await, "in_doubt") == &json!(true);
    eventually_within(Duration::from_secs(10), "it is not in doubt", look).await;
    let doubted = fixture.task(&task["id"]).await;
    assert_eq!(doubted["status"]["state"], "TASK_STATE_SUBMITTED");
    assert!(said(&doubted).contains("same messageId again"), "{doubted}");
    let before = visits.lock().unwrap().len();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(visits.lock().unwrap().len(), before, "it is not sent again by itself");
    fixture.reached_at(&target).await;
    assert_eq!(fixture.sends("m-2", "do it").await["id"], task["id"]);
    let done = fixture.becomes(&task["id"], "TASK_STATE_COMPLETED").await;
    assert!(known(&done, "in_doubt").is_null());
    assert_eq!(target.sent().len(), 2);
    assert_eq!(fixture.api.audit("task.in_doubt").await.len(), 1);
}

/// Returns an address that takes what it is sent and breaks off, and how often it did.
pub(super) async fn breaks_off() -> (std::net::SocketAddr, std::sync::Arc<std::sync::Mutex<Vec<()>>>)
{
    use tokio::io::AsyncReadExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let visits = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let counted = std::sync::Arc::clone(&visits);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut taken = [0; 4096];
            if socket.read(&mut taken).await.is_ok_and(|length| length > 0) {
                counted.lock().unwrap().push(());
            }
        }
    });
    (address, visits)
}
