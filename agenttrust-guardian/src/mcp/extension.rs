//! What is no part of MCP 2026-07-28 itself: tasks, which are for clients that say in each request that they know them.

use agenttrust_tower::internal::mcp::JsonRpc;
use http::StatusCode;
use serde_json::json;

use super::answer::LISTEN;
use super::era::{META_CAPABILITIES, Manner};
use super::refusal::Refusal;

/// The extension of tasks.
const TASKS: &str = "io.modelcontextprotocol/tasks";
/// MCP 2026-07-28: the client does not say that it can do what the request needs.
const MISSING_CAPABILITY: i32 = -32021;

/// Sees that a request of tasks is of a client that knows them, before anything is said of a task: a server answers no
/// other client, and neither whether there is such a task.
///
/// # Errors
///
/// Refuses a request of tasks whose client does not say so.
pub(super) fn need_tasks(manner: &Manner, message: &JsonRpc) -> Result<(), Refusal> {
    if !is_of_tasks(message) || knows_tasks(manner, message) {
        return Ok(());
    }
    let problem = format!(
        "tasks are for clients that know them: say so in params._meta, under {META_CAPABILITIES:?}, with the \
         extension {TASKS:?}"
    );
    let required = json!({ "requiredCapabilities": { "extensions": { TASKS: {} } } });
    Err(Refusal::new(StatusCode::BAD_REQUEST, MISSING_CAPABILITY, problem).data(required))
}

/// Returns whether a request is about tasks: one of their methods, or one that subscribes to their news.
fn is_of_tasks(message: &JsonRpc) -> bool {
    let method = message.method().unwrap_or_default();
    let told = message.params().and_then(|params| params.get("notifications")?.get("taskIds"));
    method.starts_with("tasks/") || (method == LISTEN && told.is_some_and(|ids| !ids.is_null()))
}

/// Returns whether the client says that it knows tasks. For one that knows nothing of MCP the proxy says what it can
/// do, and that is nothing.
fn knows_tasks(manner: &Manner, message: &JsonRpc) -> bool {
    let said = message.meta(META_CAPABILITIES);
    let said = said.and_then(|said| said.get("extensions")?.get(TASKS));
    matches!(manner, Manner::Modern(_)) && said.is_some_and(|said| said.is_object())
}
