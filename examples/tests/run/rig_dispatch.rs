//! What `rig_agent` says of rig's dispatch and cannot show: runs that are dropped, and runs that share
//! an agent.

#[path = "../../rig_agent/dispatch.rs"]
mod dispatch;

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agenttrust::AgentTrustGuard;
use agenttrust_examples::{ModelEndpoint, Office, Turn};
use anyhow::Result;
use rig_agent::AgentBuilder;
use rig_agent::tool::ToolSet;
use rig_core::DynModel;
use rig_core::message::ToolName;
use rig_core::operation::Completion;
use rig_core::providers::openai::OpenAIConfig;
use rig_core::tool::{DynamicTool, ToolOutput};
use serde_json::json;
use tokio::sync::Notify;

fn model(endpoint: &ModelEndpoint) -> DynModel<Completion> {
    let openai = OpenAIConfig::new(endpoint.api_key.clone()).with_base_url(&endpoint.base_url);
    openai.client().chat(&endpoint.model).into()
}

/// Returns a tool that is given nothing.
fn tool<F: Future<Output = ()> + Send + 'static>(
    name: &str,
    work: impl Fn() -> F + Send + Sync + 'static,
) -> Result<DynamicTool> {
    let schema = json!({ "type": "object", "properties": {} });
    Ok(DynamicTool::new(ToolName::new(name)?, "Takes its time.", schema, move |_| {
        let work = work();
        Box::pin(async {
            work.await;
            Ok(ToolOutput::text("done"))
        })
    }))
}

#[tokio::test]
async fn a_tool_whose_run_is_dropped_is_reported() -> Result<()> {
    let office = Office::in_memory().await?;
    let guard = office.register("archivist", &["wait"]).await?;
    let endpoint = ModelEndpoint::scripted(vec![Turn::Calls("wait", "{}")]).await?;
    let began = Arc::new(Notify::new());
    let mut tools = ToolSet::default();
    let beginning = Arc::clone(&began);
    tools.add_dynamic_tool(tool("wait", move || {
        beginning.notify_one();
        pending()
    })?);
    let tools = dispatch::ask_first(&guard, &tools, |_| None)?;
    let agent = AgentBuilder::new(model(&endpoint)).tool_server_handle(tools).build();

    tokio::select! {
        outcome = agent.prompt("Wait.").max_turns(2) => panic!("it never ends: {outcome:?}"),
        () = began.notified() => {}
    }
    guard.close().await?;
    assert_eq!(office.trail(&guard).await?["wait"], ["allow", "error"]);
    Ok(())
}

/// Shows why the example's functions ask the guard of the process, and the wrapper brings its own.
#[tokio::test]
async fn runs_that_share_an_agent_poll_each_others_tools_in_the_scope_of_the_wrong_one()
-> Result<()> {
    let office = Office::in_memory().await?;
    let one = office.register("one", &[]).await?;
    let other = office.register("other", &[]).await?;
    let call = Turn::Calls("who", "{}");
    let done = Turn::Says("done");
    let endpoint = ModelEndpoint::scripted(vec![call.clone(), call, done.clone(), done]).await?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seeing = Arc::clone(&seen);
    let who = tool("who", move || {
        let seen = Arc::clone(&seeing);
        async move {
            for _ in 0..10 {
                let guard = AgentTrustGuard::current().expect("both runs are in a scope");
                seen.lock().expect("nobody panics").push(guard.agent_id().to_owned());
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    })?;
    let agent = AgentBuilder::new(model(&endpoint)).dynamic_tool(who).build();

    let run = || async { agent.prompt("Who?").max_turns(3).await };
    let (first, second) = tokio::join!(one.scope(run()), other.scope(run()));
    first?;
    second?;
    let seen = seen.lock().expect("nobody panics");
    let of_one = seen.iter().filter(|agent_id| *agent_id == one.agent_id()).count();
    assert_eq!(seen.len(), 20);
    assert_ne!(of_one, 10, "each tool is polled by its own run now: say so in tools.rs");
    Ok(())
}
