//! A whole server.

use agenttrust::{Action, AgentIdentity, CallOutcome, Effect, Outcome};
use serde_json::Value;
use tower_mcp::protocol::{CallToolParams, McpRequest, McpResponse, RequestId};
use tower_mcp::{RouterRequest, RouterResponse, ToolAnnotationsMap};

use super::result::{denied, outcome};
use crate::{Denial, DenyWith, ExtractAction, Extracted};

/// As many bytes as a Guardian takes.
const LONGEST_NAME: usize = 200;

/// Reads the action of a request to a server: see [`tower_mcp`](crate::tower_mcp).
#[derive(Clone, Debug, Default)]
pub struct McpRouterExtract {
    server: Option<String>,
}

impl McpRouterExtract {
    /// Tools by their own names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tools as `name/tool`, so that those of several servers are told apart.
    pub fn server(mut self, name: impl Into<String>) -> Self {
        self.server = Some(name.into());
        self
    }

    fn read(&self, request: &RouterRequest, params: &CallToolParams) -> Extracted {
        let tool = match &self.server {
            Some(server) => format!("{server}/{}", params.name),
            None => params.name.clone(),
        };
        if params.name.is_empty() || tool.len() > LONGEST_NAME || tool.contains(char::is_control) {
            return Extracted::refuse(
                "the name of a tool is 1 to 200 characters long, the server's included, and none of \
                 them is a control character",
            );
        }
        if !is_arguments(&params.arguments) {
            return Extracted::refuse("the arguments of a tool are an object");
        }
        let action = Action::new(tool).effect(effect(request, &params.name));
        let action = match (&params.input_responses, &params.request_state) {
            (None, None) => action.input(&params.arguments),
            // The tool acts on the answers as it does on its arguments. An array, which arguments
            // never are.
            answers => action.input(&(&params.arguments, answers)),
        };
        match request.extensions.get::<AgentIdentity>() {
            Some(identity) => action.principal(identity.clone()).into(),
            None => action.into(),
        }
    }
}

impl ExtractAction<RouterRequest> for McpRouterExtract {
    fn extract(&self, request: &RouterRequest) -> Extracted {
        match &request.inner {
            McpRequest::CallTool(params) => self.read(request, params),
            McpRequest::Unknown { method, .. } if method.starts_with("tools/") => {
                Extracted::refuse("the call of the tool cannot be read")
            }
            _ => Extracted::Pass,
        }
    }
}

/// As MCP has it: an object, or nothing.
fn is_arguments(arguments: &Value) -> bool {
    matches!(arguments, Value::Object(_) | Value::Null)
}

/// By the server's own annotations, with the defaults that MCP has.
fn effect(request: &RouterRequest, tool: &str) -> Effect {
    let annotations = request.extensions.get::<ToolAnnotationsMap>();
    let Some(annotations) = annotations.and_then(|all| all.get(tool)) else {
        return Effect::Destructive;
    };
    match (annotations.read_only_hint, annotations.destructive_hint) {
        (true, _) => Effect::Read,
        (false, false) => Effect::Mutating,
        (false, true) => Effect::Destructive,
    }
}

/// Denies with a result that the model can read.
#[derive(Clone, Copy, Debug, Default)]
pub struct McpRouterDeny;

impl<E> DenyWith<RouterRequest, RouterResponse, E> for McpRouterDeny {
    type Context = RequestId;

    fn context(&self, request: &RouterRequest) -> RequestId {
        request.id.clone()
    }

    fn deny(&self, denial: Denial, id: RequestId) -> Result<RouterResponse, E> {
        Ok(RouterResponse { id, inner: Ok(McpResponse::CallTool(denied(denial))) })
    }

    fn outcome(&self, result: &Result<RouterResponse, E>, _id: &RequestId) -> CallOutcome {
        match result {
            Ok(RouterResponse { inner: Ok(McpResponse::CallTool(result)), .. }) => outcome(result),
            Ok(RouterResponse { inner: Ok(_), .. }) => CallOutcome::Success,
            Ok(RouterResponse { inner: Err(_), .. }) => CallOutcome::failure("JsonRpcError"),
            Err(_) => result.outcome(),
        }
    }
}
