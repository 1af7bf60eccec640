//! A whole server.

use agenttrust::{Action, AgentIdentity, CallOutcome, Effect, Outcome};
use serde_json::{Map, Value};
use tower_mcp::protocol::{CallToolParams, McpRequest, McpResponse, RequestId};
use tower_mcp::{RouterRequest, RouterResponse, ToolAnnotationsMap};

use super::result::{denied, outcome};
use crate::mcp_call::{self, Answers};
use crate::{Denial, DenyWith, ExtractAction, Extracted};

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
        let tool = match mcp_call::tool(self.server.as_deref(), &params.name) {
            Ok(tool) => tool,
            Err(reason) => return Extracted::refuse(reason),
        };
        let none = Value::Object(Map::new());
        let arguments = match &params.arguments {
            // As MCP has it: an object, or nothing.
            Value::Null => &none,
            Value::Object(_) => &params.arguments,
            _ => return Extracted::refuse("the arguments of a tool are an object"),
        };
        let action = Action::new(tool).effect(effect(request, &params.name));
        let answers = Answers {
            responses: params.input_responses.as_ref(),
            state: params.request_state.as_ref(),
        };
        let action = mcp_call::with_input(action, arguments, answers);
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

/// By the server's own annotations, with the defaults that MCP has.
fn effect(request: &RouterRequest, tool: &str) -> Effect {
    let annotations = request.extensions.get::<ToolAnnotationsMap>();
    let annotations = annotations.and_then(|all| all.get(tool));
    mcp_call::effect(
        annotations.map(|annotations| annotations.read_only_hint),
        annotations.map(|annotations| annotations.destructive_hint),
    )
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
