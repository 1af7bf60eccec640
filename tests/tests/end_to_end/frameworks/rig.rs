//! `#[rig_tool]` of rig: tools that are called as an agent calls them, with JSON and a context.

use agenttrust::{AgentTrustError, guarded};
use agenttrust_tests::bounded::in_a_runtime;
use anyhow::Result;
use rig_core::rig_tool;
use rig_core::tool::contextual::ErasedTool;
use rig_core::tool::{Tool, ToolContext, ToolExecutionError, ToolResult};
use serde_json::json;

use crate::frameworks::contract::{Fixture, GuardedAgent, Steps, Told, approval_in, only_the_path};

tokio::task_local! {
    /// A tool of rig is a function of what the model says: nothing else can be handed in.
    static STEPS: Steps;
}

fn step() {
    STEPS.with(Steps::step);
}

/// Says no to the model in words. What is made of any other error is kept from it by rig.
fn refused(denial: AgentTrustError) -> ToolExecutionError {
    ToolExecutionError::refused(denial.to_string()).with_code(denial.code())
}

/// Deletes a file.
#[rig_tool]
#[guarded(
    tool = "file_delete",
    effect = "destructive",
    on_denied = |denial| Err(refused(denial))
)]
async fn delete_above(path: String) -> Result<String, ToolExecutionError> {
    step();
    tokio::task::yield_now().await;
    step();
    if path.is_empty() {
        return Err(ToolExecutionError::invalid_args("no path"));
    }
    step();
    Ok(path)
}

/// Deletes a file.
#[guarded(
    tool = "file_delete",
    effect = "destructive",
    on_denied = |denial| Err(refused(denial))
)]
#[rig_tool]
async fn delete_below(path: String) -> Result<String, ToolExecutionError> {
    step();
    tokio::task::yield_now().await;
    step();
    if path.is_empty() {
        return Err(ToolExecutionError::invalid_args("no path"));
    }
    step();
    Ok(path)
}

/// Deletes a file.
#[rig_tool(name = "delete_now", params(path = "The file to delete"), required(path))]
#[guarded(tool = "file_delete", on_denied = |denial| Err(refused(denial)))]
fn delete_now_above(path: String) -> Result<String, ToolExecutionError> {
    step();
    step();
    step();
    Ok(path)
}

/// Deletes a file.
#[guarded(tool = "file_delete", on_denied = |denial| Err(refused(denial)))]
#[rig_tool(name = "delete_now", params(path = "The file to delete"), required(path))]
fn delete_now_below(path: String) -> Result<String, ToolExecutionError> {
    step();
    step();
    step();
    Ok(path)
}

// The name is what rig's own attribute says.
/// Deletes a file.
#[guarded(effect = "destructive", on_denied = |denial| Err(refused(denial)))]
#[rig_tool(name = "file_delete")]
async fn named_below(path: String) -> Result<String, ToolExecutionError> {
    step();
    tokio::task::yield_now().await;
    step();
    step();
    Ok(path)
}

// The context is the framework's, and left out without a word.
/// Deletes a file.
#[rig_tool]
#[guarded(tool = "file_delete", on_denied = |denial| Err(refused(denial)))]
async fn with_context_above(
    #[rig(context)] context: &mut ToolContext,
    path: String,
) -> Result<String, ToolExecutionError> {
    step();
    assert!(context.is_empty());
    step();
    tokio::task::yield_now().await;
    step();
    Ok(path)
}

/// Deletes a file.
#[guarded(tool = "file_delete", on_denied = |denial| Err(refused(denial)))]
#[rig_tool]
async fn with_context_below(
    #[rig(context)] context: &mut ToolContext,
    path: String,
) -> Result<String, ToolExecutionError> {
    step();
    assert!(context.is_empty());
    step();
    tokio::task::yield_now().await;
    step();
    Ok(path)
}

/// Deletes a file. An approval for it binds every argument, so the author has to say that the context is no argument.
#[rig_tool]
#[guarded(tool = "file_delete", effect = "destructive", on_denied = |denial| Err(refused(denial)))]
async fn with_context_undecided(
    #[rig(context)] context: &mut ToolContext,
    path: String,
) -> Result<String, ToolExecutionError> {
    step();
    assert!(context.is_empty());
    Ok(path)
}

/// Deletes a file.
#[rig_tool]
#[guarded(tool = "file_delete", effect = "destructive")]
async fn plain_above(path: String) -> Result<String, AgentTrustError> {
    step();
    tokio::task::yield_now().await;
    step();
    step();
    Ok(path)
}

/// Deletes a file.
#[guarded(tool = "file_delete", effect = "destructive")]
#[rig_tool]
async fn plain_below(path: String) -> Result<String, AgentTrustError> {
    step();
    tokio::task::yield_now().await;
    step();
    step();
    Ok(path)
}

/// Calls a tool as an agent does: by JSON, and for what the model is shown.
async fn dispatch(tool: &impl ErasedTool, guarded_agent: &GuardedAgent, path: &str) -> ToolResult {
    let mut context = ToolContext::new();
    let call = tool.execute(json!({ "path": path }).to_string(), &mut context);
    STEPS.scope(guarded_agent.steps.clone(), guarded_agent.guard.scope(call)).await
}

fn shown(result: &ToolResult) -> Told {
    if result.is_success() { Told::Done } else { Told::No(result.output().render()) }
}

#[test]
fn a_tool_runs_behind_the_check_in_both_orders() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        macro_rules! asks_first {
            ($($tool:ident),* $(,)?) => { $(
                let call = async |guarded_agent: &GuardedAgent, path: &str| {
                    Ok(shown(&dispatch(&$tool, guarded_agent, path).await))
                };
                fixture.asks_first(stringify!($tool), only_the_path, call).await?;
            )* };
        }
        asks_first![
            DeleteAbove,
            DeleteBelow,
            DeleteNowAbove,
            DeleteNowBelow,
            NamedBelow,
            WithContextAbove,
            WithContextBelow,
        ];
        Ok(())
    })
}

#[test]
fn a_tool_with_our_own_error_tells_its_caller_all_of_it() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let above = async |guarded_agent: &GuardedAgent, path: &str| {
            let args = PlainAboveParameters { path: path.to_owned() };
            let mut context = ToolContext::new();
            let call = guarded_agent.guard.scope(PlainAbove.call(&mut context, args));
            Ok(Told::from_output(STEPS.scope(guarded_agent.steps.clone(), call).await))
        };
        fixture.asks_first("plain_above", only_the_path, above).await?;
        let below = async |guarded_agent: &GuardedAgent, path: &str| {
            let args = PlainBelowParameters { path: path.to_owned() };
            let mut context = ToolContext::new();
            let call = guarded_agent.guard.scope(PlainBelow.call(&mut context, args));
            Ok(Told::from_output(STEPS.scope(guarded_agent.steps.clone(), call).await))
        };
        fixture.asks_first("plain_below", only_the_path, below).await
    })
}

#[test]
fn a_context_that_an_approval_would_bind_stops_the_call_and_says_what_to_skip() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let (guarded_agent, _) = fixture.guarded_agent(&["file:*"]).await?;
        let result = dispatch(&WithContextUndecided, &guarded_agent, "plan.txt").await;
        let Told::No(text) = shown(&result) else { panic!("{result:?}") };
        assert!(text.contains("hands in the argument `context`"), "{text}");
        assert!(text.contains("`skip(context)`"), "{text}");
        assert_eq!(guarded_agent.steps.taken(), 0);
        Ok(())
    })
}

/// Why the tools above say `on_denied`: of an error that rig does not know, it shows the model nothing.
#[test]
fn rig_keeps_our_own_error_from_the_model_and_gives_it_to_the_program() -> Result<()> {
    in_a_runtime(async || {
        let fixture = Fixture::start()?;
        let (guarded_agent, _) = fixture.guarded_agent(&["file:*"]).await?;
        let result = dispatch(&PlainAbove, &guarded_agent, "plan.txt").await;
        let Told::No(text) = shown(&result) else { panic!("{result:?}") };
        assert!(approval_in(&text).is_err(), "the model is shown {text:?} now: use it");
        let error = result.error().and_then(|error| error.downcast_ref::<AgentTrustError>());
        assert!(matches!(error, Some(AgentTrustError::ElevationRequired { .. })), "{error:?}");
        Ok(())
    })
}
