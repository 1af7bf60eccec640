//! What a request is to the Guardian. Every action of a guarded handler is made in [`action`].
//!
//! [`action`]: GuardedHandler::action

use agenttrust::{Action, Effect};
use rmcp::model::{
    CallToolRequestParams, GetPromptRequestParams, InputResponses, JsonObject,
    ReadResourceDirectoryRequestParams, ReadResourceRequestParams, ToolAnnotations,
    UpdateTaskParams,
};
use rmcp::{ErrorData, ServerHandler};
use serde::Serialize;
use serde_json::{Map, Value};

use super::handler::GuardedHandler;
use crate::mcp_call::{self, Answers, TASK_UPDATE, TaskUpdate, read};

/// The methods that a guarded handler checks.
pub(super) const CALL_TOOL: &str = "tools/call";
pub(super) const READ_RESOURCE: &str = "resources/read";
pub(super) const READ_DIRECTORY: &str = "resources/directory/read";
pub(super) const GET_PROMPT: &str = "prompts/get";
pub(super) const UPDATE_TASK: &str = "tasks/update";

/// The action of a request, or why it can have none.
type Read = Result<Action, ErrorData>;

impl<H: ServerHandler> GuardedHandler<H> {
    pub(super) fn tool_call(&self, request: &CallToolRequestParams) -> Read {
        let none = JsonObject::new();
        let answers = answers(&request.input_responses, &request.request_state);
        let arguments = request.arguments.as_ref().unwrap_or(&none);
        let tool = mcp_call::tool(self.server.as_deref(), &request.name);
        self.action(tool, self.effect(&request.name), arguments, answers)
    }

    pub(super) fn resource_read(&self, request: &ReadResourceRequestParams) -> Read {
        let answers = answers(&request.input_responses, &request.request_state);
        self.read_action(read::RESOURCE, [("uri", request.uri.clone().into())], answers)
    }

    // Which page of it is read is not bound: all of the directory was asked for.
    pub(super) fn directory_read(&self, request: &ReadResourceDirectoryRequestParams) -> Read {
        self.read_action(
            read::DIRECTORY,
            [("uri", request.uri.clone().into())],
            answers(&None, &None),
        )
    }

    pub(super) fn prompt_get(&self, request: &GetPromptRequestParams) -> Read {
        let answers = answers(&request.input_responses, &request.request_state);
        let arguments = request.arguments.clone().unwrap_or_default();
        let input = [("name", request.name.clone().into()), ("arguments", arguments.into())];
        self.read_action(read::PROMPT, input, answers)
    }

    /// Reads answers to a task. MCP does not say which tool goes on with them.
    pub(super) fn task_update(&self, request: &UpdateTaskParams) -> Read {
        let UpdateTaskParams { task_id, input_responses, .. } = request;
        let given = TaskUpdate { task_id, input_responses };
        let update = mcp_call::action(self.server.as_deref(), TASK_UPDATE);
        self.action(update, self.tasks, &given, answers(&None, &None))
    }

    /// Returns a read of what is no tool: asked about as one whose name begins with `mcp/`.
    fn read_action<const N: usize>(
        &self,
        name: &str,
        input: [(&str, Value); N],
        answers: Given<'_>,
    ) -> Read {
        let input = input.into_iter().map(|(name, value)| (name.to_owned(), value));
        let input: Map<_, _> = input.collect();
        let read = mcp_call::action(self.server.as_deref(), name);
        self.action(read, Effect::Read, &input, answers)
    }

    /// Returns the one place where an action is made, whatever it is of.
    fn action(
        &self,
        tool: Result<String, &'static str>,
        effect: Effect,
        given: &impl Serialize,
        answers: Given<'_>,
    ) -> Read {
        let tool = tool.map_err(|reason| ErrorData::invalid_params(reason, None))?;
        let action = Action::new(tool).effect(effect).on_elevation(self.on_elevation);
        Ok(mcp_call::with_input(action, given, answers))
    }

    fn effect(&self, tool: &str) -> Effect {
        let said = self.effects.as_ref().and_then(|effects| effects(tool));
        said.unwrap_or_else(|| {
            let tool = self.inner.get_tool(tool);
            effect_of(tool.and_then(|tool| tool.annotations).as_ref())
        })
    }

    /// Returns whether requests of this method are checked, so that none may go past the check.
    pub(super) fn checks(&self, method: &str) -> bool {
        match method {
            CALL_TOOL | UPDATE_TASK => true,
            READ_RESOURCE | READ_DIRECTORY => self.resources,
            GET_PROMPT => self.prompts,
            _ => false,
        }
    }
}

fn effect_of(annotations: Option<&ToolAnnotations>) -> Effect {
    let hint = |of: fn(&ToolAnnotations) -> Option<bool>| annotations.and_then(of);
    mcp_call::effect(
        hint(|annotations| annotations.read_only_hint),
        hint(|annotations| annotations.destructive_hint),
    )
}

/// The answers of a repeated request.
type Given<'a> = Answers<&'a InputResponses, &'a String>;

fn answers<'a>(responses: &'a Option<InputResponses>, state: &'a Option<String>) -> Given<'a> {
    Answers { responses: responses.as_ref(), state: state.as_ref() }
}
