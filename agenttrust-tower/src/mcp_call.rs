//! What a call over MCP is to the Guardian, whichever crate reads it. The same call is the same action, so what is
//! declared, allowed and approved of a tool holds however it is served.

use std::sync::Arc;

use agenttrust::Effect;
use agenttrust::internal::NAME_MAX_BYTES;
#[cfg(any(feature = "rmcp", feature = "tower-mcp"))]
use {agenttrust::Action, serde::Serialize};

/// The tools that reads of what is no tool are asked about as.
#[cfg(any(feature = "mcp-http", feature = "rmcp"))]
pub(crate) mod read {
    pub(crate) const RESOURCE: &str = "mcp/resources/read";
    pub(crate) const DIRECTORY: &str = "mcp/resources/directory/read";
    #[cfg(feature = "mcp-http")]
    pub(crate) const SKILL: &str = "mcp/skills/get";
    pub(crate) const PROMPT: &str = "mcp/prompts/get";
}

/// The tool that answers to a task are asked about as: the tool that made the task goes on with them, and
/// does whatever they say. Which one that was, the request does not tell.
pub(crate) const TASK_UPDATE: &str = "mcp/tasks/update";

/// The effect of such an update by default: it may do anything.
pub(crate) const EFFECT_OF_AN_UPDATE: Effect = Effect::Destructive;

/// Says what a tool does, by its name without the server's.
pub(crate) type Effects = Arc<dyn Fn(&str) -> Option<Effect> + Send + Sync>;

/// The prefix of the names of [`read`] and [`TASK_UPDATE`], and of no tool.
const NO_TOOL: &str = "mcp/";

/// Returns the tool's name to the Guardian, `server/name` where the server has one.
///
/// The error is the reason why it can have none.
pub(crate) fn tool(server: Option<&str>, name: &str) -> Result<String, &'static str> {
    // What was granted for a read would else be granted to a tool that a server gives such a name.
    if name.starts_with(NO_TOOL) {
        return Err(
            "the name of a tool does not begin with mcp/, which is what reads and answers to tasks are asked \
             about as; give the tool another name",
        );
    }
    action(server, name)
}

/// Returns the same of what is called, a tool or not.
pub(crate) fn action(server: Option<&str>, name: &str) -> Result<String, &'static str> {
    let tool = match server {
        Some(server) => format!("{server}/{name}"),
        None => name.to_owned(),
    };
    if name.is_empty() || tool.len() > NAME_MAX_BYTES || tool.contains(char::is_control) {
        return Err(
            "the name of a tool is 1 to 200 bytes long, the server's included, and none of them is a \
             control character",
        );
    }
    Ok(tool)
}

/// The members that a client adds when it repeats a call that asked for more.
#[cfg(any(feature = "rmcp", feature = "tower-mcp"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answers<R, S> {
    pub(crate) responses: Option<R>,
    pub(crate) state: Option<S>,
}

/// Binds the action to what is given: the arguments of a tool, an object, and the answers.
///
/// With answers an array, which what is given never is: no arguments look like arguments with answers.
/// A tool acts on them as it does on its arguments.
#[cfg(any(feature = "rmcp", feature = "tower-mcp"))]
pub(crate) fn with_input<R: Serialize, S: Serialize>(
    action: Action,
    given: &impl Serialize,
    answers: Answers<R, S>,
) -> Action {
    match (&answers.responses, &answers.state) {
        (None, None) => action.input(given),
        answers => action.input(&(given, answers.0, answers.1)),
    }
}

/// Returns the same of a call that asks for a task, and says how long to keep it.
#[cfg(feature = "tower-mcp")]
pub(crate) fn with_task<R: Serialize, S: Serialize>(
    action: Action,
    given: &impl Serialize,
    answers: Answers<R, S>,
    task: &impl Serialize,
) -> Action {
    #[derive(Serialize)]
    struct Rest<'a, T> {
        task: &'a T,
    }
    action.input(&(given, answers.responses, answers.state, Rest { task }))
}

/// The input of an update of a task.
#[cfg(any(feature = "rmcp", feature = "tower-mcp"))]
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskUpdate<'a, R> {
    pub(crate) task_id: &'a str,
    pub(crate) input_responses: &'a R,
}

/// Returns what annotations say that a tool does, with MCP's own defaults for what they do not.
#[cfg(any(feature = "rmcp", feature = "tower-mcp"))]
pub(crate) fn effect(read_only: Option<bool>, destructive: Option<bool>) -> Effect {
    match (read_only, destructive) {
        (Some(true), _) => Effect::Read,
        (_, Some(false)) => Effect::Mutating,
        _ => Effect::Destructive,
    }
}
