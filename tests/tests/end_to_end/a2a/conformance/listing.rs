//! Lists of tasks: which, in which order, how much of each, page by page (§3.1.4, §9.4.4).

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::super::caller::{Caller, state};
use super::with_an_agent;

const INVALID_PARAMS: i64 = -32602;

async fn listed(caller: &Caller, params: Value) -> Result<Value> {
    let page = caller.result("ListTasks", params).await?;
    ensure!(page["tasks"].is_array(), "{page}");
    ensure!(page["totalSize"].is_u64() && page["pageSize"].is_u64(), "{page}");
    ensure!(page["nextPageToken"].is_string(), "always there, and empty on the last page: {page}");
    Ok(page)
}

fn ids(page: &Value) -> Vec<&Value> {
    page["tasks"].as_array().into_iter().flatten().map(|task| &task["id"]).collect()
}

/// §3.1.4: all of them, the last that something happened to first.
#[test]
fn tasks_are_listed_from_the_newest_on() -> Result<()> {
    with_an_agent(async |fixture| {
        let empty = listed(&fixture.caller, json!({ "contextId": "nothing" })).await?;
        ensure!(empty["tasks"] == json!([]) && empty["totalSize"] == 0, "{empty}");
        ensure!(empty["nextPageToken"] == "", "{empty}");
        let first = fixture.caller.said("ask").await?;
        let second = fixture.caller.said("echo 2").await?;
        let third = fixture.caller.said("echo 3").await?;
        let page = listed(&fixture.caller, json!({})).await?;
        ensure!(ids(&page) == [&third["id"], &second["id"], &first["id"]], "{page}");
        ensure!(page["totalSize"] == 3 && page["nextPageToken"] == "", "{page}");
        for task in page["tasks"].as_array().context("tasks")? {
            ensure!(task["contextId"].is_string() && !state(task).is_empty(), "{task}");
        }
        fixture.caller.continued("done", &json!({ "taskId": first["id"] })).await?;
        fixture.caller.task(&first["id"]).await?;
        let page = listed(&fixture.caller, json!({})).await?;
        ensure!(ids(&page).first() == Some(&&first["id"]), "what changed is the newest: {page}");
        Ok(())
    })
}

/// §3.1.4: those of a context, in a state, changed since; and all of that together.
#[test]
fn tasks_are_listed_by_context_state_and_time() -> Result<()> {
    with_an_agent(async |fixture| {
        let before = fixture.caller.said("echo before").await?;
        // The last millisecond in which the first one may have changed is over.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let after = fixture.caller.said("ask").await?;
        let since = after["status"]["timestamp"].clone();
        let only = async |params: Value, wanted: &[&Value]| {
            let page = listed(&fixture.caller, params.clone()).await?;
            ensure!(ids(&page) == wanted && page["totalSize"] == wanted.len(), "{params}: {page}");
            Ok(())
        };
        only(json!({ "contextId": after["contextId"] }), &[&after["id"]]).await?;
        only(json!({ "status": "TASK_STATE_COMPLETED" }), &[&before["id"]]).await?;
        only(json!({ "status": "TASK_STATE_INPUT_REQUIRED" }), &[&after["id"]]).await?;
        only(
            json!({ "statusTimestampAfter": "2001-01-01T00:00:00Z" }),
            &[&after["id"], &before["id"]],
        )
        .await?;
        only(json!({ "statusTimestampAfter": "2101-01-01T00:00:00Z" }), &[]).await?;
        let first = json!({ "statusTimestampAfter": before["status"]["timestamp"] });
        let page = listed(&fixture.caller, first).await?;
        ensure!(ids(&page).contains(&&after["id"]), "since {since}: {page}");
        let all = |state: &str| json!({ "contextId": after["contextId"], "status": state, "statusTimestampAfter": "2001-01-01T00:00:00Z" });
        only(all("TASK_STATE_INPUT_REQUIRED"), &[&after["id"]]).await?;
        only(all("TASK_STATE_COMPLETED"), &[]).await
    })
}

/// §3.1.4: each task on one page, and how many there are on every one.
#[test]
fn pages_have_each_task_once_and_the_last_says_so() -> Result<()> {
    with_an_agent(async |fixture| {
        let context = fixture.caller.said("echo 0").await?["contextId"].take();
        for _ in 1..5 {
            fixture.caller.continued("echo", &json!({ "contextId": context })).await?;
        }
        let (mut seen, mut token) = (Vec::new(), String::new());
        for expected in [2, 2, 1] {
            let params = json!({ "contextId": context, "pageSize": 2, "pageToken": token });
            let page = listed(&fixture.caller, params).await?;
            ensure!(ids(&page).len() == expected && page["totalSize"] == 5, "{page}");
            seen.extend(ids(&page).into_iter().cloned());
            token = page["nextPageToken"].as_str().context("a token")?.to_owned();
            ensure!(token.is_empty() == (seen.len() == 5), "{page}");
        }
        let distinct: std::collections::BTreeSet<_> = seen.iter().map(Value::to_string).collect();
        ensure!(distinct.len() == 5, "{seen:?}");
        Ok(())
    })
}

/// §3.1.4: fifty, where no size is asked for.
#[test]
fn a_page_has_fifty_tasks_by_default() -> Result<()> {
    with_an_agent(async |fixture| {
        for _ in 0..51 {
            fixture.caller.said("echo").await?;
        }
        let page = listed(&fixture.caller, json!({})).await?;
        ensure!(ids(&page).len() == 50 && page["pageSize"] == 50, "{}", page["pageSize"]);
        ensure!(page["totalSize"] == 51 && page["nextPageToken"] != "", "{}", page["totalSize"]);
        Ok(())
    })
}

/// §3.1.4, §3.2.4: artifacts only where they are asked for, and as much history as is.
#[test]
fn a_list_has_artifacts_and_history_as_asked_for() -> Result<()> {
    with_an_agent(async |fixture| {
        fixture.caller.said("echo").await?;
        let page = listed(&fixture.caller, json!({})).await?;
        ensure!(page["tasks"][0].get("artifacts").is_none(), "{page}");
        let page = listed(&fixture.caller, json!({ "includeArtifacts": false })).await?;
        ensure!(page["tasks"][0].get("artifacts").is_none(), "{page}");
        let page = listed(&fixture.caller, json!({ "includeArtifacts": true })).await?;
        ensure!(page["tasks"][0]["artifacts"][0]["parts"][0]["text"] == "echo", "{page}");
        let page = listed(&fixture.caller, json!({ "historyLength": 0 })).await?;
        let history = &page["tasks"][0]["history"];
        ensure!(history.is_null() || *history == json!([]), "{page}");
        let page = listed(&fixture.caller, json!({ "historyLength": 1 })).await?;
        let history = page["tasks"][0]["history"].as_array();
        ensure!(history.is_none_or(|history| history.len() <= 1), "{page}");
        listed(&fixture.caller, json!({ "historyLength": 1000 })).await?;
        Ok(())
    })
}

/// §3.1.4, §3.3.2: what no list can be asked for.
#[test]
fn a_list_that_cannot_be_is_refused() -> Result<()> {
    with_an_agent(async |fixture| {
        for params in [
            json!({ "pageToken": "no token" }),
            json!({ "status": "TASK_STATE_ASLEEP" }),
            json!({ "status": "completed" }),
            json!({ "pageSize": -1 }),
            json!({ "pageSize": 0 }),
            json!({ "pageSize": 101 }),
            json!({ "pageSize": "many" }),
            json!({ "historyLength": -1 }),
            json!({ "statusTimestampAfter": "yesterday" }),
        ] {
            let code = fixture.caller.refused("ListTasks", params.clone()).await?;
            ensure!(code == INVALID_PARAMS, "{params}: {code}");
        }
        Ok(())
    })
}
