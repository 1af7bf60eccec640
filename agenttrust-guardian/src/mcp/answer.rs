//! What the server behind says, as the caller may hear it: messages that the era knows, in the one direction, the
//! answer to what was asked, and lists of tools without those that the caller may not call.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Proxy;
use super::era::{Era, LEGACY, MODERN};
use super::methods::{self, TOOLS_CHANGED};
use super::refusal::Refusal;
use super::report::Outcome;
use super::send;
use super::session::Session;
use super::tools;
use super::who::Who;
use crate::registry::McpServerEntry;

/// What a message of the server is looked at for. What else is in it is the caller's to read.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// What a result is looked at for.
#[derive(Default, Deserialize)]
struct OfResult<'a> {
    #[serde(rename = "isError")]
    is_error: Option<bool>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
}

/// What `_meta` of everything on a stream that is listened to says.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// What is waited for.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    /// The answer to this request.
    To { id: Value, method: String },
    /// Whatever the server says by itself; answers where an earlier stream goes on.
    Nothing,
}

/// The request whose answer is the stream that a client listens on.
pub(super) const LISTEN: &str = "subscriptions/listen";

impl Expected {
    /// Whether it ends by itself, as a call does and a stream that is listened to does not.
    pub(super) fn is_call(&self) -> bool {
        matches!(self, Self::To { method, .. } if method != LISTEN)
    }

    /// What a client is told whose stream ends because the Guardian does.
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

/// What becomes of a message of the server.
#[derive(Debug)]
pub(super) enum Heard {
    /// The caller hears this.
    Pass(String),
    /// The caller hears nothing of it.
    Drop,
    /// The caller hears this, and nothing after it.
    Last(String, Outcome),
    /// It is no message of MCP.
    Broken(&'static str),
}

/// Reads what a server says to one caller.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) proxy: Arc<Proxy>,
    pub(super) server: Arc<McpServerEntry>,
    pub(super) who: Who,
    pub(super) era: Era,
    /// Whether the caller takes part in what the server asks and tells, and not in its answer only.
    pub(super) listens: bool,
    pub(super) expected: Expected,
    /// In which session, where there is one at the server.
    pub(super) session: Option<Session>,
}

impl Reader {
    /// Looks at one message.
    pub(super) async fn hear(&self, text: String) -> Heard {
        let head = match serde_json::from_str::<Head<'_>>(&text) {
            Ok(head) if head.jsonrpc.as_deref() == Some("2.0") => head,
            _ => return Heard::Broken("sent what is no message of JSON-RPC"),
        };
        if let Some(method) = head.method.as_deref() {
            if head.result.is_some() || head.error.is_some() {
                return Heard::Broken("sent what is a question and an answer in one");
            }
            let passes = self.passes(method, head.id.is_some());
            return if passes { Heard::Pass(text) } else { Heard::Drop };
        }
        let failed = match (head.result, head.error) {
            (Some(_), None) => false,
            (None, Some(_)) => true,
            _ => return Heard::Broken("sent what is neither a question nor an answer"),
        };
        let result = head.result.map(|result| serde_json::from_str::<OfResult<'_>>(result.get()));
        let Ok(result) = result.transpose() else {
            return Heard::Broken("sent a result that cannot be read");
        };
        let result = result.unwrap_or_default();
        let outcome = match (failed, result.is_error) {
            (true, _) => Outcome::Failure("JsonRpcError"),
            (false, Some(true)) => Outcome::Failure("ToolError"),
            (false, _) => Outcome::Success,
        };
        if let (Expected::Nothing, Some(session), Some(id)) =
            (&self.expected, &self.session, head.id)
            && let Ok(id) = serde_json::from_str(id.get())
        {
            self.proxy.unheard.answered(session, &id, outcome);
        }
        match &self.expected {
            Expected::To { id, method } => {
                if !is_id(head.id, id, failed) {
                    return Heard::Broken("answered another request");
                }
                if failed && head.id.is_none_or(|id| id.get() == "null") {
                    return Heard::Last(with_id(&text, id), outcome);
                }
                match self.changed(method, failed, text).await {
                    Ok(text) => Heard::Last(text, outcome),
                    Err(refusal) => {
                        let answer = refusal.id(Some(id)).to_json().to_string();
                        Heard::Last(answer, Outcome::Failure("JsonRpcError"))
                    }
                }
            }
            // Of a stream that goes on it is not known what was asked: a list of tools is one by its looks.
            Expected::Nothing if result.tools.is_some() => {
                match self.changed("tools/list", false, text).await {
                    Ok(text) => Heard::Pass(text),
                    Err(_) => Heard::Drop,
                }
            }
            Expected::Nothing if self.era == Era::Legacy => Heard::Pass(text),
            Expected::Nothing => Heard::Drop,
        }
    }

    /// Whether the caller hears of a question, or of what is told.
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

    /// The answer as it is handed on: that of a few methods is not what the server says, word by word.
    async fn changed(&self, method: &str, failed: bool, text: String) -> Result<String, Refusal> {
        if failed || !matches!(method, "tools/list" | "server/discover") {
            return Ok(text);
        }
        let unreadable = || Refusal::upstream("the MCP server sent a list that cannot be read");
        let mut message = send::read(text.as_bytes()).ok_or_else(unreadable)?;
        let result = message.get_mut("result").ok_or_else(unreadable)?;
        match method {
            "tools/list" => {
                tools::show(self, result).await?;
                if self.era == Era::Modern {
                    tools::mark_private(result);
                }
            }
            _ => known_versions(result),
        }
        Ok(message.to_string())
    }
}

/// Whether this is the id of the request. An error may have none, where the request could not be read.
fn is_id(said: Option<&RawValue>, id: &Value, failed: bool) -> bool {
    let said = said.and_then(|said| serde_json::from_str::<Value>(said.get()).ok());
    match said {
        None | Some(Value::Null) => failed,
        Some(said) => said == *id,
    }
}

/// The same message with the id of the request.
fn with_id(text: &str, id: &Value) -> String {
    let Ok(mut message) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    if let Some(members) = message.as_object_mut() {
        members.insert("id".to_owned(), id.clone());
    }
    message.to_string()
}

/// Leaves out the versions that the proxy does not let through.
fn known_versions(result: &mut Value) {
    let Some(Value::Array(versions)) = result.get_mut("supportedVersions") else { return };
    versions.retain(|version| {
        let version = version.as_str().unwrap_or_default();
        MODERN.contains(&version) || LEGACY.contains(&version)
    });
}
