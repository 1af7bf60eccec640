//! Messages, the tasks that come of them, and streams.

use agenttrust_tests::bounded::until;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::super::caller::{Caller, state};
use super::with_an_agent;

const UNSUPPORTED_OPERATION: i64 = -32004;
const TASK_NOT_CANCELABLE: i64 = -32002;
const INVALID_PARAMS: i64 = -32602;

/// Waits until a task is so.
async fn is(caller: &Caller, task: &Value, wanted: &str) -> Result<Value> {
    until(wanted, async || {
        let now = caller.task(&task["id"]).await?;
        Ok((state(&now) == wanted).then_some(now))
    })
    .await
}

/// Returns a task that goes on until it is canceled.
async fn waiting(caller: &Caller) -> Result<Value> {
    let configuration = json!({ "returnImmediately": true });
    let params = json!({ "message": caller.message("wait"), "configuration": configuration });
    let mut result = caller.result("SendMessage", params).await?;
    is(caller, &result["task"].take(), "WORKING").await
}

/// §3.1.1, §3.2.2, §3.4.1, §3.4.2, §5.6.1: it waits for the end by default, and the answer has all that came of it.
#[test]
fn a_message_is_answered_with_its_task_and_what_came_of_it() -> Result<()> {
    with_an_agent(async |fixture| {
        let task = fixture.caller.said("echo größe").await?;
        ensure!(state(&task) == "COMPLETED", "{task}");
        ensure!(task["id"].as_str().is_some_and(|id| !id.is_empty()), "{task}");
        ensure!(task["contextId"].as_str().is_some_and(|id| !id.is_empty()), "{task}");
        ensure!(task["artifacts"][0]["parts"][0]["text"] == "echo größe", "{task}");
        ensure!(task["artifacts"][0]["artifactId"].is_string(), "{task}");
        let time = task["status"]["timestamp"].as_str().context("a time")?;
        ensure!(time.ends_with('Z') && time.contains('T'), "{time}");
        let other = fixture.caller.said("echo größe").await?;
        ensure!(other["id"] != task["id"] && other["contextId"] != task["contextId"], "{other}");
        Ok(())
    })
}

/// §3.2.2: it returns at once where that is asked for.
#[test]
fn a_message_is_answered_at_once_where_that_is_asked_for() -> Result<()> {
    with_an_agent(async |fixture| {
        let task = waiting(&fixture.caller).await?;
        ensure!(["SUBMITTED", "WORKING"].contains(&state(&task)), "{task}");
        fixture.caller.result("CancelTask", json!({ "id": task["id"] })).await?;
        Ok(())
    })
}

/// §3.4.1, §3.4.2, §3.4.3: a message goes on with a task that wants more, in its context and in no other.
#[test]
fn a_task_that_wants_more_goes_on_in_its_own_context_only() -> Result<()> {
    with_an_agent(async |fixture| {
        let task = fixture.caller.said("ask").await?;
        ensure!(state(&task) == "INPUT_REQUIRED", "{task}");
        ensure!(task["status"]["message"]["role"] == "ROLE_AGENT", "{task}");
        let elsewhere = json!({ "taskId": task["id"], "contextId": "another" });
        let answer = fixture.caller.continued("more", &elsewhere).await?;
        ensure!(answer["error"]["code"] == INVALID_PARAMS, "{answer}");
        // The context of the task is known where it is not named.
        let on = fixture.caller.continued("more", &json!({ "taskId": task["id"] })).await?;
        let on = &on["result"]["task"];
        ensure!(on["id"] == task["id"] && on["contextId"] == task["contextId"], "{on}");
        let named = json!({ "taskId": task["id"], "contextId": task["contextId"] });
        fixture.caller.continued("done", &named).await?;
        is(&fixture.caller, &task, "COMPLETED").await?;
        // §3.4.3: another task in the same context.
        let next =
            fixture.caller.continued("echo", &json!({ "contextId": task["contextId"] })).await?;
        let next = &next["result"]["task"];
        ensure!(next["contextId"] == task["contextId"] && next["id"] != task["id"], "{next}");
        Ok(())
    })
}

/// §3.1.1, §3.1.5, §3.1.6: what is over takes no message, is not canceled, and is not followed.
#[test]
fn a_task_that_is_over_stays_as_it_is() -> Result<()> {
    with_an_agent(async |fixture| {
        let done = fixture.caller.said("echo over").await?;
        let answer = fixture.caller.continued("more", &json!({ "taskId": done["id"] })).await?;
        ensure!(answer["error"]["code"] == UNSUPPORTED_OPERATION, "{answer}");
        let code = fixture.caller.refused("CancelTask", json!({ "id": done["id"] })).await?;
        ensure!(code == TASK_NOT_CANCELABLE, "{code}");
        let code = fixture.caller.refused("SubscribeToTask", json!({ "id": done["id"] })).await?;
        ensure!(code == UNSUPPORTED_OPERATION, "{code}");
        ensure!(state(&fixture.caller.task(&done["id"]).await?) == "COMPLETED");
        Ok(())
    })
}

/// §3.1.5, §3.3.1: what goes on is canceled, and stays so.
#[test]
fn a_task_that_goes_on_is_canceled() -> Result<()> {
    with_an_agent(async |fixture| {
        let task = waiting(&fixture.caller).await?;
        let canceled = fixture.caller.result("CancelTask", json!({ "id": task["id"] })).await?;
        ensure!(canceled["id"] == task["id"] && state(&canceled) == "CANCELED", "{canceled}");
        ensure!(state(&fixture.caller.task(&task["id"]).await?) == "CANCELED");
        Ok(())
    })
}

/// §3.1.3, §3.2.4: as much of what was said as is asked for, the newest of it.
#[test]
fn as_much_history_is_shown_as_is_asked_for() -> Result<()> {
    with_an_agent(async |fixture| {
        let task = fixture.caller.said("ask").await?;
        for text in ["one", "two"] {
            fixture.caller.continued(text, &json!({ "taskId": task["id"] })).await?;
        }
        let shown = async |length: Value| {
            let params = json!({ "id": task["id"], "historyLength": length });
            let mut task = fixture.caller.result("GetTask", params).await?;
            anyhow::Ok(task["history"].take())
        };
        let all = fixture.caller.task(&task["id"]).await?["history"].take();
        let all = all.as_array().context("a history")?;
        ensure!(all.len() >= 3, "{all:?}");
        ensure!(all[0]["parts"][0]["text"] == "ask" && all[0]["role"] == "ROLE_USER", "{all:?}");
        let two = shown(json!(2)).await?;
        ensure!(
            two.as_array().map(Vec::as_slice) == Some(&all[all.len() - 2..]),
            "{two} of {all:?}"
        );
        let none = shown(json!(0)).await?;
        ensure!(none.is_null() || none == json!([]), "{none}");
        ensure!(shown(json!(1000)).await?.as_array().map(Vec::len) == Some(all.len()));
        let wrong = json!({ "id": task["id"], "historyLength": -1 });
        let code = fixture.caller.refused("GetTask", wrong).await?;
        ensure!(code == INVALID_PARAMS, "{code}");
        Ok(())
    })
}

/// §3.1.2, §3.1.6, §3.5.2, §9.4.2, §9.4.6: a stream begins with the task and ends when that does.
#[test]
fn a_stream_begins_with_its_task_and_ends_when_that_is_over() -> Result<()> {
    with_an_agent(async |fixture| {
        let params = json!({ "message": fixture.caller.message("echo streamed") });
        let events = fixture.caller.streamed("SendStreamingMessage", params).await?;
        let first = &events.first().context("an event")?["task"];
        ensure!(first["id"].is_string(), "{events:?}");
        let last = events.last().context("an event")?;
        let last = if last["task"].is_object() { &last["task"] } else { &last["statusUpdate"] };
        ensure!(state(last) == "COMPLETED", "{events:?}");
        for event in &events {
            let update = event.as_object().context("an object")?;
            ensure!(update.len() == 1, "each event is of one kind, but {event}");
            let about = update.values().next().context("a kind")?;
            let id = if about["taskId"].is_string() { &about["taskId"] } else { &about["id"] };
            ensure!(*id == first["id"] && about["contextId"] == first["contextId"], "{event}");
        }
        let waits = waiting(&fixture.caller).await?;
        let cancel = fixture.caller.clone();
        let id = waits["id"].clone();
        let follow = json!({ "id": id });
        let canceling = async {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            cancel.result("CancelTask", json!({ "id": id })).await
        };
        let (events, canceled) =
            tokio::join!(fixture.caller.streamed("SubscribeToTask", follow), canceling);
        let (events, _) = (events?, canceled?);
        ensure!(events.first().is_some_and(|it| it["task"]["id"] == waits["id"]), "{events:?}");
        ensure!(
            Value::from(events.clone()).to_string().contains("TASK_STATE_CANCELED"),
            "{events:?}"
        );
        Ok(())
    })
}

/// §3.1.7 to §3.1.10, §9.4.7: the receivers that are notified of a task are written down, shown, listed and struck
/// out.
#[test]
fn push_notification_configs_are_kept_shown_listed_and_deleted() -> Result<()> {
    with_an_agent(async |fixture| {
        let task = waiting(&fixture.caller).await?;
        let config =
            json!({ "taskId": task["id"], "url": "http://127.0.0.1:9/told", "token": "a" });
        let made = fixture.caller.result("CreateTaskPushNotificationConfig", config).await?;
        let id = made["id"].as_str().context("an id")?;
        ensure!(made["url"] == "http://127.0.0.1:9/told" && made["taskId"] == task["id"], "{made}");
        let which = json!({ "taskId": task["id"], "id": id });
        let got = fixture.caller.result("GetTaskPushNotificationConfig", which.clone()).await?;
        ensure!(got["id"] == id && got["url"] == made["url"], "{got}");
        let of_the_task = json!({ "taskId": task["id"] });
        let listed =
            fixture.caller.result("ListTaskPushNotificationConfigs", of_the_task.clone()).await?;
        ensure!(listed["configs"].as_array().is_some_and(|all| all.len() == 1), "{listed}");
        fixture.caller.result("DeleteTaskPushNotificationConfig", which).await?;
        let listed = fixture.caller.result("ListTaskPushNotificationConfigs", of_the_task).await?;
        ensure!(listed["configs"].as_array().is_none_or(Vec::is_empty), "{listed}");
        fixture.caller.result("CancelTask", json!({ "id": task["id"] })).await?;
        Ok(())
    })
}
