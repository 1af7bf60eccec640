//! What a request is to the Guardian. Every action of a guarded handler is made in [`action`].
//!
//! [`action`]: GuardedHandler::action

use agenttrust::{Action, Effect};
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, GetPromptRequestParams, InputResponses, JsonObject,
    ReadResourceDirectoryRequestParams, ReadResourceRequestParams, ToolAnnotations,
};
use serde_json::Value;

use super::handler::GuardedHandler;

/// The methods that a guarded handler checks.
pub(super) const CALL_TOOL: &str = "tools/call";
pub(super) const READ_RESOURCE: &str = "resources/read";
pub(super) const READ_DIRECTORY: &str = "resources/directory/read";
pub(super) const GET_PROMPT: &str = "prompts/get";

impl<H: ServerHandler> GuardedHandler<H> {
    pub(super) fn tool_call(&self, request: &CallToolRequestParams) -> Action {
        let none = JsonObject::new();
        let answers = Answers::of(&request.input_responses, &request.request_state);
        let arguments = request.arguments.as_ref().unwrap_or(&none);
        self.action(&request.name, self.effect(&request.name), arguments, answers)
    }

    pub(super) fn resource_read(&self, request: &ReadResourceRequestParams) -> Action {
        let answers = Answers::of(&request.input_responses, &request.request_state);
        self.read(READ_RESOURCE, [("uri", request.uri.clone().into())], answers)
    }

    // Which page of it is read is not bound: all of the directory was asked for.
    pub(super) fn directory_read(&self, request: &ReadResourceDirectoryRequestParams) -> Action {
        self.read(READ_DIRECTORY, [("uri", request.uri.clone().into())], Answers::default())
    }

    pub(super) fn prompt_get(&self, request: &GetPromptRequestParams) -> Action {
        let answers = Answers::of(&request.input_responses, &request.request_state);
        let arguments = request.arguments.clone().unwrap_or_default();
        let input = [("name", request.name.clone().into()), ("arguments", arguments.into())];
        self.read(GET_PROMPT, input, answers)
    }

    /// A read of what is no tool: asked about as one whose name begins with `mcp/`.
    fn read<const N: usize>(
        &self,
        method: &str,
        input: [(&str, Value); N],
        answers: Answers<'_>,
    ) -> Action {
        let input = input.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.action(&format!("mcp/{method}"), Effect::Read, &input, answers)
    }

    /// The one place where an action is made, whatever it is of.
    fn action(
        &self,
        name: &str,
        effect: Effect,
        given: &JsonObject,
        answers: Answers<'_>,
    ) -> Action {
        let tool = match &self.server {
            Some(server) => format!("{server}/{name}"),
            None => name.to_owned(),
        };
        let action = Action::new(tool).effect(effect).on_elevation(self.on_elevation);
        if answers.are_none() {
            return action.input(given);
        }
        // The tool acts on the answers as it does on its arguments. An array, because what is given is
        // an object: no arguments look like arguments with answers.
        action.input(&(given, answers.responses, answers.state))
    }

    fn effect(&self, tool: &str) -> Effect {
        let said = self.effects.as_ref().and_then(|effects| effects(tool));
        said.unwrap_or_else(|| {
            let tool = self.inner.get_tool(tool);
            effect_of(tool.and_then(|tool| tool.annotations).as_ref())
        })
    }

    /// Whether requests of this method are checked, so that none may go past the check.
    pub(super) fn checks(&self, method: &str) -> bool {
        match method {
            CALL_TOOL => true,
            READ_RESOURCE | READ_DIRECTORY => self.resources,
            GET_PROMPT => self.prompts,
            _ => false,
        }
    }
}

/// What annotations say, with MCP's own defaults for what they do not.
fn effect_of(annotations: Option<&ToolAnnotations>) -> Effect {
    let hint = |of: fn(&ToolAnnotations) -> Option<bool>| annotations.and_then(of);
    if hint(|annotations| annotations.read_only_hint) == Some(true) {
        Effect::Read
    } else if hint(|annotations| annotations.destructive_hint) == Some(false) {
        Effect::Mutating
    } else {
        Effect::Destructive
    }
}

/// What a client adds when it repeats a request that asked for more.
#[derive(Clone, Copy, Default)]
struct Answers<'a> {
    responses: Option<&'a InputResponses>,
    state: Option<&'a String>,
}

impl<'a> Answers<'a> {
    fn of(responses: &'a Option<InputResponses>, state: &'a Option<String>) -> Self {
        Self { responses: responses.as_ref(), state: state.as_ref() }
    }

    fn are_none(&self) -> bool {
        self.responses.is_none() && self.state.is_none()
    }
}
