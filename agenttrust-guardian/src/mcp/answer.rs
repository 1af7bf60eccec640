//! What the server behind says, as the caller may receive it: messages that the era knows in this direction, the answer
//! to the request, and lists of tools without those that the caller may not call.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::era::{Era, LEGACY, MODERN};
use super::methods::{self, TOOLS_CHANGED};
use super::refusal::Refusal;
use super::report::Outcome;
use super::sealed_ids::{self, SealedIds};
use super::send;
use super::session::Session;
use super::subject::Subject;
use super::tools;
use super::{Proxy, rewrite};
use crate::registry::McpServerEntry;

/// The members of a server's message that the proxy looks at. The others are for the caller to read.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl Head<'_> {
    /// Returns the same answer with this id, and the rest of it as it came.
    fn with_id(&self, id: &Value) -> String {
        let (member, said) = match self.error {
            Some(error) => ("error", error.get()),
            None => ("result", self.result.map_or("{}", RawValue::get)),
        };
        format!(r#"{{"jsonrpc":"2.0","id":{id},"{member}":{said}}}"#)
    }
}

/// The members of a result that the proxy looks at.
#[derive(Default, Deserialize)]
struct OfResult<'a> {
    #[serde(rename = "isError")]
    is_error: Option<bool>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    #[serde(borrow)]
    task: Option<&'a RawValue>,
    #[serde(borrow)]
    tasks: Option<&'a RawValue>,
    #[serde(borrow, rename = "taskId")]
    task_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "requestState")]
    state: Option<&'a RawValue>,
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
}

/// The beginning of the Guardian's own names in `_meta`.
const OURS: &str = "agenttrust/";

impl OfResult<'_> {
    /// Returns whether the server says something in the Guardian's name, such as that a call which it made was not
    /// made.
    fn forges(&self) -> bool {
        let members = self.meta.map(|meta| serde_json::from_str::<Map<String, Value>>(meta.get()));
        members.is_some_and(|it| it.is_ok_and(|it| it.keys().any(|name| name.starts_with(OURS))))
    }

    /// Returns how the call ended, of which it is the result.
    fn outcome(&self) -> Outcome {
        match self.is_error {
            Some(true) => Outcome::Failure("ToolError"),
            _ => Outcome::Success,
        }
    }

    /// Returns whether it gives out what its caller brings back.
    fn gives(&self) -> bool {
        let given = [self.task, self.tasks, self.task_id, self.state];
        given.iter().any(Option::is_some)
            || self.meta.is_some_and(|meta| sealed_ids::names_task(meta.get()))
    }
}

/// The member of `_meta` that names the request which opened the stream, in every message on it.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// The answer that a call waits for.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    /// The answer to this request, which goes by another id to the server where that is shared with others.
    To { id: Value, sent: Value, method: String },
    /// No answer: messages that the server sends by itself, and answers where an earlier stream goes on.
    Nothing,
}

/// The request whose answer is the stream that a client listens on.
pub(super) const LISTEN: &str = "subscriptions/listen";

impl Expected {
    /// Returns whether it ends by itself, as a call does and a stream that is listened to does not.
    pub(super) fn is_call(&self) -> bool {
        matches!(self, Self::To { method, .. } if method != LISTEN)
    }

    /// Returns what a client is told whose stream ends because the Guardian does.
    pub(super) fn farewell(&self) -> Option<Value> {
        match self {
            Self::To { id, method, .. } if method == LISTEN => Some(json!({
                "jsonrpc": "2.0",
                "id": id,
                "result": { "resultType": "complete", "_meta": { SUBSCRIPTION: id } },
            })),
            _ => None,
        }
    }
}

/// A message of the server, and what becomes of it.
#[derive(Debug)]
pub(super) enum ServerMessage {
    /// The caller hears this.
    Pass(String),
    /// The caller hears nothing of it.
    Drop,
    /// The caller hears this, and nothing after it.
    Last(String, Outcome),
    /// A message that is not one of MCP.
    Broken(&'static str),
}

/// The reading of what a server says to one caller.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) proxy: Arc<Proxy>,
    pub(super) server: Arc<McpServerEntry>,
    pub(super) subject: Subject,
    pub(super) era: Era,
    /// Whether the caller takes part in what the server asks and tells, and not in its answer only.
    pub(super) listens: bool,
    pub(super) expected: Expected,
    /// The session at the server, if there is one.
    pub(super) session: Option<Session>,
}

impl Reader {
    /// Looks at one message.
    pub(super) async fn hear(&self, text: String) -> ServerMessage {
        let head = match serde_json::from_str::<Head<'_>>(&text) {
            Ok(head) if head.jsonrpc.as_deref() == Some("2.0") => head,
            _ => return ServerMessage::Broken("sent what is no message of JSON-RPC"),
        };
        if let Some(method) = head.method.as_deref() {
            if head.result.is_some() || head.error.is_some() {
                return ServerMessage::Broken("sent what is a question and an answer in one");
            }
            let names = head.params.is_some_and(|it| sealed_ids::may_name(method, it.get()));
            return match self.passes(method, head.id.is_some()) {
                true if names => self.sealed(&text),
                true => ServerMessage::Pass(text),
                false => ServerMessage::Drop,
            };
        }
        let failed = match (head.result, head.error) {
            (Some(_), None) => false,
            (None, Some(_)) => true,
            _ => return ServerMessage::Broken("sent what is neither a question nor an answer"),
        };
        let result = head.result.map(|result| serde_json::from_str::<OfResult<'_>>(result.get()));
        let Ok(result) = result.transpose() else {
            return ServerMessage::Broken("sent a result that cannot be read");
        };
        let result = result.unwrap_or_default();
        let outcome = match failed {
            true => Outcome::Failure("JsonRpcError"),
            false => result.outcome(),
        };
        if let (Expected::Nothing, Some(session), Some(id)) =
            (&self.expected, &self.session, head.id)
            && let Ok(id) = serde_json::from_str(id.get())
        {
            self.proxy.unanswered.answered(session, &id, outcome);
        }
        let gives = (result.gives() || result.forges()) && !failed;
        match &self.expected {
            Expected::To { id, sent, method } => {
                if !is_id(head.id, sent, failed) {
                    return ServerMessage::Broken("answered another request");
                }
                let has_no_id = head.id.is_none_or(|id| id.get() == "null");
                let text = if has_no_id || sent != id { head.with_id(id) } else { text };
                match self.changed((!failed).then_some(method.as_str()), gives, text).await {
                    Ok(text) => ServerMessage::Last(text, outcome),
                    Err(refusal) => {
                        let answer = refusal.id(Some(id)).to_json().to_string();
                        ServerMessage::Last(answer, Outcome::Failure("JsonRpcError"))
                    }
                }
            }
            // Of a stream that goes on it is not known what was asked: a list of tools is one by its looks.
            Expected::Nothing if self.era == Era::Legacy || result.tools.is_some() => {
                let method = result.tools.map(|_| "tools/list");
                let changed = self.changed(method, gives, text).await;
                changed.map_or(ServerMessage::Drop, ServerMessage::Pass)
            }
            Expected::Nothing => ServerMessage::Drop,
        }
    }

    /// Returns what this caller was given by the server.
    pub(super) fn sealed_ids(&self) -> SealedIds<'_> {
        SealedIds::of(&self.proxy, &self.server.row.id, &self.subject.agent_id)
    }

    /// Returns a question or a notification that names what is given out.
    fn sealed(&self, text: &str) -> ServerMessage {
        let Some(mut message) = send::read(text.as_bytes()) else { return ServerMessage::Drop };
        match self.sealed_ids().seal_told(&mut message) {
            Ok(true) => ServerMessage::Pass(rewrite::rewritten(text, &message)),
            Ok(false) | Err(_) => ServerMessage::Drop,
        }
    }

    /// Returns whether the caller hears of a question, or of what is told.
    fn passes(&self, method: &str, asks: bool) -> bool {
        let known = match asks {
            true => methods::asks(self.era, method),
            false => methods::tells(method),
        };
        if method == TOOLS_CHANGED && !asks {
            self.proxy.upstream(&self.server.row.id).forget_tools();
        }
        if !known {
            tracing::debug!(server = self.server.row.id, "a message of an MCP server is left out");
        }
        known && self.listens
    }

    /// Returns the answer as it is handed on, to a request of this method where that is known and did not fail: that of
    /// a few methods is not what the server says, word by word, and neither is what `gives` out anything.
    async fn changed(
        &self,
        method: Option<&str>,
        gives: bool,
        text: String,
    ) -> Result<String, Refusal> {
        let is_other = method.is_some_and(|it| matches!(it, "tools/list" | "server/discover"));
        let id = self.other_id().filter(|_| method == Some(LISTEN));
        if !is_other && !gives && id.is_none() {
            return Ok(text);
        }
        let unreadable = || Refusal::upstream("the MCP server sent an answer that cannot be read");
        let is_list = method == Some("tools/list");
        let mut place = None;
        if is_list {
            tools::look(self, &text).await?;
            place = self.proxy.lists.acquire().await.ok();
        }
        let mut message = send::read(text.as_bytes()).ok_or_else(unreadable)?;
        let result = message.get_mut("result").ok_or_else(unreadable)?;
        if let Some(Value::Object(meta)) = result.get_mut("_meta") {
            meta.retain(|name, _| !name.starts_with(OURS));
        }
        match method {
            Some("tools/list") => {
                tools::show(self, result).await?;
                if self.era == Era::Modern {
                    tools::mark_private(result);
                }
            }
            Some("server/discover") => known_versions(result),
            _ => {}
        }
        if let (Some(id), Some(said)) =
            (id, result.get_mut("_meta").and_then(|meta| meta.get_mut(SUBSCRIPTION)))
        {
            *said = id.clone();
        }
        if gives {
            self.sealed_ids().seal_result(method, result)?;
        }
        // What a list says of numbers is in schemas; it is as large as answers get.
        let said = if is_list { message.to_string() } else { rewrite::rewritten(&text, &message) };
        drop((message, place));
        Ok(said)
    }

    /// Returns the caller's id of the request, where it goes by another one to the server.
    fn other_id(&self) -> Option<&Value> {
        match &self.expected {
            Expected::To { id, sent, .. } if id != sent => Some(id),
            _ => None,
        }
    }
}

/// Returns whether this is the id of the request. An error may have none, where the request could not be read.
fn is_id(said: Option<&RawValue>, id: &Value, failed: bool) -> bool {
    let said = said.and_then(|said| serde_json::from_str::<Value>(said.get()).ok());
    match said {
        None | Some(Value::Null) => failed,
        Some(said) => said == *id,
    }
}

/// Leaves out the versions that the proxy does not let through.
fn known_versions(result: &mut Value) {
    let Some(Value::Array(versions)) = result.get_mut("supportedVersions") else { return };
    versions.retain(|version| {
        let version = version.as_str().unwrap_or_default();
        MODERN.contains(&version) || LEGACY.contains(&version)
    });
}
