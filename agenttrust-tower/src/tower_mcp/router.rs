//! A whole server.

use std::fmt;
use std::sync::Arc;

use agenttrust::DenialResponse;
use agenttrust::{Action, AgentIdentity, CallOutcome, Effect, Outcome};
use serde_json::{Map, Value};
use tower_mcp::protocol::{CallToolParams, McpRequest, McpResponse, RequestId, UpdateTaskParams};
use tower_mcp::{RouterRequest, RouterResponse, ToolAnnotationsMap};

use super::result::{denied, error, outcome};
use crate::mcp_call::{self, Answers, EFFECT_OF_AN_UPDATE, Effects, TASK_UPDATE, TaskUpdate};
use crate::{Denial, DenyWith, ExtractAction, Extracted};

/// Reads the action of a request to a server: see [`tower_mcp`](crate::tower_mcp).
#[derive(Clone, Default)]
pub struct McpRouterExtract {
    server: Option<String>,
    effects: Option<Effects>,
    tasks: Option<Effect>,
}

impl McpRouterExtract {
    /// Returns tools by their own names, with the effects that their annotations say.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the tools as `name/tool`, so that those of several servers are told apart.
    pub fn server(mut self, name: impl Into<String>) -> Self {
        self.server = Some(name.into());
        self
    }

    /// Sets what each tool does, by its name without the server's. It goes before what the annotations say;
    /// `None` leaves it to them.
    pub fn effects(
        mut self,
        effects: impl Fn(&str) -> Option<Effect> + Send + Sync + 'static,
    ) -> Self {
        self.effects = Some(Arc::new(effects));
        self
    }

    /// Sets what `tasks/update` does; destructive, where nothing is said here.
    pub fn tasks(mut self, effect: Effect) -> Self {
        self.tasks = Some(effect);
        self
    }

    fn call(
        &self,
        request: &RouterRequest,
        params: &CallToolParams,
    ) -> Result<Action, DenialReason> {
        let tool = mcp_call::tool(self.server.as_deref(), &params.name)?;
        let none = Value::Object(Map::new());
        let arguments = match &params.arguments {
            // As MCP has it: an object, or nothing.
            Value::Null => &none,
            Value::Object(_) => &params.arguments,
            _ => return Err("the arguments of a tool are an object"),
        };
        let action = Action::new(tool).effect(self.effect(request, &params.name));
        let answers = Answers {
            responses: params.input_responses.as_ref(),
            state: params.request_state.as_ref(),
        };
        Ok(match &params.task {
            None => mcp_call::with_input(action, arguments, answers),
            Some(task) => mcp_call::with_task(action, arguments, answers, task),
        })
    }

    fn update(&self, params: &UpdateTaskParams) -> Result<Action, DenialReason> {
        let tool = mcp_call::action(self.server.as_deref(), TASK_UPDATE)?;
        let UpdateTaskParams { task_id, input_responses, .. } = params;
        let effect = self.tasks.unwrap_or(EFFECT_OF_AN_UPDATE);
        Ok(Action::new(tool).effect(effect).input(&TaskUpdate { task_id, input_responses }))
    }

    fn effect(&self, request: &RouterRequest, tool: &str) -> Effect {
        let said = self.effects.as_ref().and_then(|effects| effects(tool));
        said.unwrap_or_else(|| annotated(request, tool))
    }
}

/// The reason why a request can have no action.
type DenialReason = &'static str;

impl ExtractAction<RouterRequest> for McpRouterExtract {
    fn extract(&self, request: &RouterRequest) -> Extracted {
        let action = match &request.inner {
            McpRequest::CallTool(params) => self.call(request, params),
            McpRequest::UpdateTask(params) => self.update(params),
            McpRequest::Unknown { method, .. } if method.starts_with("tools/") => {
                Err("the call of the tool cannot be read")
            }
            McpRequest::Unknown { method, .. } if method == "tasks/update" => {
                Err("the update of the task cannot be read")
            }
            _ => return Extracted::Pass,
        };
        match action {
            Ok(action) => {
                action.on_behalf_of(request.extensions.get::<AgentIdentity>().cloned()).into()
            }
            Err(reason) => Extracted::refuse(reason),
        }
    }
}

impl fmt::Debug for McpRouterExtract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpRouterExtract")
            .field("server", &self.server)
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}

/// Returns the effect by the server's own annotations, with the defaults that MCP has.
fn annotated(request: &RouterRequest, tool: &str) -> Effect {
    let annotations = request.extensions.get::<ToolAnnotationsMap>();
    let annotations = annotations.and_then(|all| all.get(tool));
    mcp_call::effect(
        annotations.map(|annotations| annotations.read_only_hint),
        annotations.map(|annotations| annotations.destructive_hint),
    )
}

/// Denies a call of a tool with a result that the model can read, and whatever else is denied with an
/// error of JSON-RPC.
#[derive(Clone, Copy, Debug, Default)]
pub struct McpRouterDeny;

/// The context of an MCP answer: the facts about its request that it needs.
#[derive(Clone, Debug)]
pub struct McpRouterAsked {
    id: RequestId,
    /// Whether the client reads a result as what a tool says.
    tool: bool,
}

impl<E> DenyWith<RouterRequest, RouterResponse, E> for McpRouterDeny {
    type Context = McpRouterAsked;

    fn context(&self, request: &RouterRequest) -> McpRouterAsked {
        let tool = match &request.inner {
            // With `task`, it waits for a task that was made, and takes no other result.
            McpRequest::CallTool(params) => params.task.is_none(),
            McpRequest::Unknown { method, .. } => method.starts_with("tools/"),
            _ => false,
        };
        McpRouterAsked { id: request.id.clone(), tool }
    }

    fn deny(&self, denial: Denial, asked: McpRouterAsked) -> Result<RouterResponse, E> {
        let problem = DenialResponse::from(denial);
        let inner = match asked.tool {
            true => Ok(McpResponse::CallTool(denied(&problem))),
            false => Err(error(&problem)),
        };
        Ok(RouterResponse { id: asked.id, inner })
    }

    fn outcome(&self, result: &Result<RouterResponse, E>, _: &McpRouterAsked) -> CallOutcome {
        match result {
            Ok(RouterResponse { inner: Ok(McpResponse::CallTool(result)), .. }) => outcome(result),
            Ok(RouterResponse { inner: Ok(_), .. }) => CallOutcome::Success,
            Ok(RouterResponse { inner: Err(_), .. }) => CallOutcome::failure("JsonRpcError"),
            Err(_) => result.outcome(),
        }
    }
}
