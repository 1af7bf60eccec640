//! A call that is cancelled before it is permitted does not run; one that runs is the tool's to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agenttrust::OnElevation;
use agenttrust_testkit::eventually;
use agenttrust_tower::rmcp::GuardedHandlerExt;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResponse, CallToolResult, ClientRequest,
};
use rmcp::service::{PeerRequestOptions, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::guardian::{Guardian, Script};
use crate::handler::server::{Files, client, context, of_file};

const SOON: Duration = Duration::from_secs(5);

fn request(params: CallToolRequestParams) -> ClientRequest {
    ClientRequest::CallToolRequest(CallToolRequest::new(params))
}

#[tokio::test]
async fn a_call_cancelled_while_it_waits_for_approval_never_runs() {
    let (guardian, files) = (Guardian::new(Script::Hold), Files::default());
    let guard = guardian.guard();
    let handler = files
        .clone()
        .guarded(guard.clone())
        .on_elevation(OnElevation::Wait(Duration::from_secs(60)));
    let client = client(handler).await;
    let options = PeerRequestOptions::no_options();
    let call = client.send_cancellable_request(request(of_file("delete")), options).await;
    guardian.asked(1).await;
    call.expect("it is sent").cancel(Some("changed my mind".to_owned())).await.expect("it is sent");
    // Answered in order: once this is, the server has read the cancellation.
    client.list_all_tools().await.expect("the server still serves");
    guardian.approve();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(files.runs(), 0, "the tool ran for a client that had taken its call back");
    assert_eq!(guardian.events(&guard).await.len(), 0);
}

#[tokio::test]
async fn a_call_that_waits_for_approval_runs_once_it_is_there() {
    let (guardian, files) = (Guardian::new(Script::Hold), Files::default());
    let handler = files
        .clone()
        .guarded(guardian.guard())
        .on_elevation(OnElevation::Wait(Duration::from_secs(60)));
    let client = client(handler).await;
    let call = tokio::spawn(async move { client.call_tool(of_file("delete")).await });
    guardian.asked(1).await;
    assert_eq!(files.runs(), 0);
    guardian.approve();
    let result = timeout(SOON, call).await.expect("soon").expect("no panic").expect("a result");
    assert_eq!((result.is_error, files.runs()), (Some(false), 1));
}

/// A server whose one tool runs until it is cancelled, or for ever.
#[derive(Clone, Default)]
struct Patient {
    running: Arc<Notify>,
    told: Arc<AtomicUsize>,
}

impl ServerHandler for Patient {
    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.running.notify_one();
        context.ct.cancelled().await;
        self.told.fetch_add(1, Ordering::SeqCst);
        Ok(CallToolResult::success(Vec::new()).into())
    }
}

#[tokio::test]
async fn a_running_tool_hears_of_its_cancellation_and_its_own_end_is_reported() {
    let (guardian, patient) = (Guardian::new(Script::Allow), Patient::default());
    let guard = guardian.guard();
    let client = client(patient.clone().guarded(guard.clone())).await;
    let options = PeerRequestOptions::no_options();
    let call = client.send_cancellable_request(request(of_file("wait")), options).await;
    timeout(SOON, patient.running.notified()).await.expect("the tool runs");
    call.expect("it is sent").cancel(None).await.expect("it is sent");
    eventually("the tool was not told", async || patient.told.load(Ordering::SeqCst) == 1).await;
    let events = guardian.events(&guard).await;
    let [event] = &events[..] else { panic!("expected one report, found {events:#?}") };
    assert_eq!(event["success"], true);
}

#[tokio::test]
async fn a_dropped_call_is_reported_as_cancelled() {
    let (guardian, patient) = (Guardian::new(Script::Allow), Patient::default());
    let guard = guardian.guard();
    let handler = patient.clone().guarded(guard.clone());
    let call =
        tokio::spawn(async move { handler.call_tool(of_file("wait"), context()).await.is_ok() });
    timeout(SOON, patient.running.notified()).await.expect("the tool runs");
    call.abort();
    assert!(call.await.is_err_and(|error| error.is_cancelled()));
    let events = guardian.events(&guard).await;
    let [event] = &events[..] else { panic!("expected one report, found {events:#?}") };
    assert_eq!(event["error_type"], "Cancelled");
}
