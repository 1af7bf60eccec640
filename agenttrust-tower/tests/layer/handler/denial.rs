//! What is not permitted does not run, and the model is told why.

use agenttrust_tower::rmcp::GuardedHandlerExt;
use rmcp::model::CallToolResult;
use serde_json::{Value, json};

use crate::guardian::{Guardian, Script};
use crate::handler::server::{Files, client, of_file, text};

async fn refused_by(script: Script) -> CallToolResult {
    let (guardian, files) = (Guardian::new(script), Files::default());
    let client = client(files.clone().guarded(guardian.guard())).await;
    let result = client.call_tool(of_file("delete")).await.expect("a denial is no protocol error");
    assert_eq!(files.runs(), 0, "{script:?} ran the tool");
    assert!(!guardian.checks().is_empty(), "nobody was asked");
    assert_eq!(result.is_error, Some(true));
    result
}

fn denial(result: &CallToolResult) -> Value {
    let meta = result.meta.as_ref().expect("a denial has its code beside it");
    meta.0["agenttrust/denial"].clone()
}

#[tokio::test]
async fn a_denied_call_never_runs_the_tool() {
    let result = refused_by(Script::Deny).await;
    assert!(text(&result).contains("it is not covered"), "{}", text(&result));
    assert_eq!(denial(&result)["code"], "ACTION_DENIED");
}

#[tokio::test]
async fn a_held_call_never_runs_the_tool_and_names_its_approval() {
    let result = refused_by(Script::Hold).await;
    assert!(text(&result).contains("apr_1"), "{}", text(&result));
    assert_eq!(denial(&result)["code"], "ELEVATION_REQUIRED");
    assert_eq!(denial(&result)["approval_id"], "apr_1");
}

#[tokio::test]
async fn a_call_with_no_guardian_never_runs_the_tool() {
    let result = refused_by(Script::Unreachable).await;
    assert_eq!(denial(&result)["code"], "GUARDIAN_UNAVAILABLE");
}

#[tokio::test]
async fn a_call_that_the_guardian_did_not_decide_never_runs_the_tool() {
    for script in [Script::Status(403), Script::Status(500), Script::Nonsense] {
        refused_by(script).await;
    }
}

#[tokio::test]
async fn a_held_call_runs_once_it_is_approved() {
    let (guardian, files) = (Guardian::new(Script::Hold), Files::default());
    let client = client(files.clone().guarded(guardian.guard())).await;
    let held = client.call_tool(of_file("delete")).await.expect("a result");
    assert_eq!((held.is_error, files.runs()), (Some(true), 0));
    guardian.approve();
    let done = client.call_tool(of_file("delete")).await.expect("a result");
    assert_eq!((done.is_error, files.runs()), (Some(false), 1));
    let [held, approved] = &guardian.checks()[..] else { panic!("one check a call") };
    assert_eq!(held.digest, approved.digest, "the approval would be for another call");
}

#[tokio::test]
async fn a_tool_that_nobody_knows_is_asked_about_too() {
    let (guardian, files) = (Guardian::new(Script::Deny), Files::default());
    let client = client(files.guarded(guardian.guard())).await;
    let result = client.call_tool(crate::handler::server::call("hidden", json!({}))).await;
    assert_eq!(result.expect("a denial, not `no such tool`").is_error, Some(true));
    assert_eq!(guardian.checks()[0].tool, "hidden");
    assert_eq!(guardian.checks()[0].effect, "destructive");
}
