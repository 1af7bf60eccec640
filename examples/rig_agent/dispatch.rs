//! The second way: every tool of an agent asks first, at the place where rig dispatches it, tools of other crates
//! included.
//!
//! Rig has hooks around the dispatch, `AgentHook::on_dispatch` and `on_outcome`. They are no place for
//! a guard. The permit would have to wait somewhere between the two, and a run that is dropped while a
//! tool is running never comes to the second: the call would not be reported. And a hook that is
//! added later may rewrite the arguments after they were asked about. So the handler itself is
//! wrapped: it gets the arguments that the tool gets, and holds the permit for as long as it runs.

use agenttrust::{Action, AgentTrustGuard, CallOutcome, Effect};
use rig_agent::tool::server::{ToolServer, ToolServerHandle};
use rig_agent::tool::{RegisteredTool, ToolSet};
use rig_core::effect::{EffectKind, HandlerDescriptor, Outcome, family};
use rig_core::error::{ErrorKind, ErrorReport};
use rig_core::serve::{Dispatch, ErasedHandler, Reply, Serve};
use rig_core::tool::{ToolExecutionError, ToolResult};
use serde_json::Value;

use crate::refused::refused;

/// A tool that is run only when the guard allows it.
struct AsksFirst {
    tool: ErasedHandler,
    guard: AgentTrustGuard,
    /// The effect that the program knows of the tool. Without it the Guardian goes by the tool's name.
    effect: Option<Effect>,
}

/// Returns these tools, each of them asking first. What is added to the returned handle later does not: give
/// everything that the agent may have to this function.
///
/// A `#[guarded]` function among them is asked about twice, here and by itself. For a call that is
/// held that means two approvals, so guard what is destructive in one place.
pub(crate) fn ask_first(
    guard: &AgentTrustGuard,
    tools: &ToolSet,
    effect_of: impl Fn(&str) -> Option<Effect>,
) -> anyhow::Result<ToolServerHandle> {
    let mut server = ToolServer::new();
    for (name, tool) in tools.iter() {
        let (tool, guard) = (tool.handler().clone(), guard.clone());
        let asking = AsksFirst { tool, guard, effect: effect_of(name) };
        server = server.registered_tool(RegisteredTool::from_handler(asking)?);
    }
    Ok(server.run())
}

impl Serve for AsksFirst {
    type Family = family::Tool;

    fn descriptor(&self) -> HandlerDescriptor {
        self.tool.descriptor()
    }

    async fn serve(&self, kind: EffectKind, dispatch: Dispatch) -> Reply {
        let EffectKind::ToolCall { name, args } = kind else {
            let problem =
                format!("only calls of tools are guarded here, and this is a {}", kind.name());
            return Reply::Outcome(Err(ErrorReport::new(ErrorKind::HandlerUnavailable, problem)));
        };
        let input: Value = match serde_json::from_str(&args) {
            Ok(input) => input,
            Err(error) => {
                let problem = format!("the arguments of {name:?} cannot be read: {error}");
                return answer(ToolResult::failed(ToolExecutionError::invalid_args(problem)));
            }
        };
        let mut action = Action::new(name.clone()).input(&input);
        if let Some(effect) = self.effect {
            action = action.effect(effect);
        }
        let permit = match self.guard.authorize(action).await {
            Ok(permit) => permit,
            Err(denial) => return answer(ToolResult::failed(refused(denial))),
        };
        // What was read, not what was written: the tool gets the very input that was asked about.
        let kind = EffectKind::ToolCall { name, args: input.to_string() };
        // In the scope, so that guarded functions inside ask as the same agent.
        let call = self.guard.scope(self.tool.handle(kind, dispatch));
        let outcome = call.await.into_outcome().await;
        permit.finish_with(came_to(&outcome));
        Reply::Outcome(outcome)
    }
}

fn answer(result: ToolResult) -> Reply {
    Reply::Outcome(Ok(Outcome::ToolResult { result }))
}

/// Returns how the call went, by the kind of its error and never by what it says.
fn came_to(outcome: &Result<Outcome, ErrorReport>) -> CallOutcome {
    match outcome {
        Ok(Outcome::ToolResult { result }) if result.is_success() => CallOutcome::Success,
        Ok(Outcome::ToolResult { result }) => CallOutcome::failure(
            result.error().map_or(result.status_name(), |error| error.kind().as_str()),
        ),
        Ok(_) => CallOutcome::failure("no tool result"),
        Err(_) => CallOutcome::failure("ErrorReport"),
    }
}
