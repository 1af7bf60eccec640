//! One JSON-RPC message that was read exactly, and which of the calls that can be guarded it is, if it is
//! one.

use agenttrust::internal::NAME_MAX_BYTES;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::headers::{self, is_modern};
use super::json::{self, Text};
use super::kind::{self, Kind};
use super::params::{self, ParamHeaders};
use super::rpc::{
    HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, Rejection,
};

/// No method of MCP comes near.
const LONGEST_METHOD: usize = 256;
/// The members of a request or a notification, and below those of an answer.
const OF_A_REQUEST: [&str; 4] = ["jsonrpc", "id", "method", "params"];
const OF_AN_ANSWER: [&str; 4] = ["jsonrpc", "id", "result", "error"];
/// The members that servers go by in the `params` of guarded calls.
const OF_PARAMS: [&str; 8] =
    ["name", "uri", "taskId", "arguments", "_meta", "task", "inputResponses", "requestState"];
/// The member of `_meta` that says the version (MCP 2026-07-28).
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// A message: a request, a notification, or an answer.
///
/// A message that is [written again](Self::write) means to any reader of JSON what was read here.
#[derive(Clone, Debug)]
pub struct JsonRpc {
    members: Map<String, Value>,
    kind: Option<Kind>,
}

impl JsonRpc {
    /// Reads a message of at most `most` values, nested ones counted. `params` that are null are as absent; a number
    /// that would be another one when it is [written again](Self::write) is refused.
    ///
    /// # Errors
    ///
    /// Returns why the text is not such a message, with the id of the request where that could be read.
    pub fn read(text: &[u8], most: usize) -> Result<Self, Rejection> {
        let parsed = json::parse(text, most).map_err(|error| {
            Rejection::new(PARSE_ERROR, format!("the message is not one JSON text: {error}"))
        })?;
        let mut members = match parsed {
            Text::Object(members) => members,
            Text::List => {
                return Err(invalid("batches are not accepted; send each message by itself"));
            }
            Text::Bare => return Err(invalid("a message is a JSON object")),
            Text::TooMany => {
                let message = format!("a message holds at most {most} values, nested ones counted");
                return Err(invalid(message).status(StatusCode::PAYLOAD_TOO_LARGE));
            }
        };
        let id = members.get("id").map(id).transpose()?.cloned().unwrap_or_default();
        if !json::keeps_numbers(text) {
            let message = "a number in the message has more digits than are kept on the way: a whole one has at most 64 \
                           bits, another one the digits of a double; send it as text";
            return Err(Rejection::new(INVALID_PARAMS, message).id(id));
        }
        if members.get("params").is_some_and(Value::is_null) {
            members.remove("params");
        }
        let kind = classify(&members).map_err(|rejection| rejection.id(id))?;
        Ok(Self { members, kind })
    }

    /// Returns the id of a request, or that of the request which is answered.
    #[must_use]
    pub fn id(&self) -> Option<&Value> {
        self.members.get("id")
    }

    /// Returns the method; an answer has none.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.members.get("method")?.as_str()
    }

    /// Returns whether an answer is waited for.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.method().is_some() && self.id().is_some()
    }

    /// Returns what is given to the method.
    #[must_use]
    pub fn params(&self) -> Option<&Map<String, Value>> {
        self.members.get("params")?.as_object()
    }

    /// Returns what is given to the method, to be changed. Which call it is stays what was read.
    #[must_use]
    pub fn params_mut(&mut self) -> Option<&mut Map<String, Value>> {
        self.members.get_mut("params")?.as_object_mut()
    }

    /// Returns what an answer says, to be changed.
    #[must_use]
    pub fn result_mut(&mut self) -> Option<&mut Map<String, Value>> {
        self.members.get_mut("result")?.as_object_mut()
    }

    /// Gives a request another id.
    pub fn set_id(&mut self, id: Value) {
        self.members.insert("id".to_owned(), id);
    }

    /// Returns a member of `params._meta`.
    #[must_use]
    pub fn meta(&self, member: &str) -> Option<&Value> {
        self.params()?.get("_meta")?.get(member)
    }

    /// Leaves of `params._meta` of a call that can be guarded what MCP has servers go by, and what is `bound`: that is
    /// part of the call's input. The rest is not looked at when the call is checked.
    pub fn keep_meta(&mut self, bound: &[String]) {
        if self.kind.is_none() {
            return;
        }
        let meta = self.params_mut().and_then(|params| params.get_mut("_meta")?.as_object_mut());
        if let Some(meta) = meta {
            meta.retain(|name, _| kind::is_of_mcp(name) || bound.contains(name));
        }
    }

    /// Returns the version of MCP that the message says it is of (2026-07-28 and later).
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.meta(VERSION)?.as_str()
    }

    /// Returns which call it is that can be guarded, and of what: the tool's or the prompt's name, the
    /// resource's URI, the task's id.
    #[must_use]
    pub fn call(&self) -> Option<(Kind, &str)> {
        let kind = self.kind?;
        Some((kind, self.params()?.get(kind.named_by())?.as_str()?))
    }

    /// Returns whether the client waits for a task and not for what the tool says (MCP 2025-11-25).
    #[must_use]
    pub fn as_task(&self) -> bool {
        let task = self.params().and_then(|params| params.get("task"));
        task.is_some_and(|task| !task.is_null())
    }

    /// Sees that no header contradicts the message: `MCP-Protocol-Version`, `Mcp-Method`, `Mcp-Name`. One
    /// that is absent contradicts nothing.
    ///
    /// # Errors
    ///
    /// Returns -32020, where one does.
    pub fn agree(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let about = match (self.call(), self.params()) {
            (Some((_, name)), _) => Some(name),
            (None, Some(params)) => {
                ["name", "uri", "taskId"].iter().find_map(|member| params.get(*member)?.as_str())
            }
            (None, None) => None,
        };
        headers::agree(headers, self.method(), about)
            .and_then(|()| headers::agree_on_version(headers, self.version()))
            .map_err(|rejection| rejection.id(self.id().cloned().unwrap_or_default()))
    }

    /// Sees that no header contradicts the arguments of a tool: `Mcp-Param-*`, by the tool's schema where that
    /// is known. See [`mcp`](crate::mcp#headers-that-repeat-arguments).
    ///
    /// # Errors
    ///
    /// Returns -32020, where one does, or where one is missing.
    pub fn agree_on_params(
        &self,
        headers: &HeaderMap,
        schema: Option<&ParamHeaders>,
    ) -> Result<(), Rejection> {
        if self.kind != Some(Kind::Tool) {
            return Ok(());
        }
        let arguments = self.params().and_then(|params| params.get("arguments")?.as_object());
        let agreed = match schema {
            Some(schema) => {
                let modern = headers::are_modern(headers) || self.version().is_some_and(is_modern);
                schema.agree(headers, arguments, modern)
            }
            None => params::agree_with_any(headers, arguments),
        };
        agreed.map_err(|rejection| rejection.id(self.id().cloned().unwrap_or_default()))
    }

    /// Sees that no header is missing that MCP 2026-07-28 asks for: `MCP-Protocol-Version` and `Mcp-Method`
    /// of each request, and `Mcp-Name` of a call, a read and a prompt.
    ///
    /// # Errors
    ///
    /// Returns -32020, where one is.
    pub fn complete(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let named = matches!(self.kind, Some(Kind::Tool | Kind::Resource | Kind::Prompt));
        let wanted = [headers::VERSION, headers::METHOD].into_iter();
        let missing = wanted
            .chain(named.then_some(headers::NAME))
            .find(|header| self.is_request() && !headers.contains_key(*header));
        let Some(missing) = missing else { return Ok(()) };
        let message = format!("the header {missing} is missing; MCP 2026-07-28 asks for it");
        let id = self.id().cloned().unwrap_or_default();
        Err(Rejection::new(HEADER_MISMATCH, message).id(id))
    }

    /// Writes the message again: what was read, and nothing else.
    ///
    /// # Errors
    ///
    /// Returns -32603, where it cannot be written.
    pub fn write(&self) -> Result<Vec<u8>, Rejection> {
        serde_json::to_vec(&self.members)
            .map_err(|_| Rejection::new(INTERNAL_ERROR, "the message cannot be handed on"))
    }

    /// Returns all of it.
    #[must_use]
    pub fn into_members(self) -> Map<String, Value> {
        self.members
    }
}

/// Sees that it is a message, and which call.
fn classify(members: &Map<String, Value>) -> Result<Option<Kind>, Rejection> {
    if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid("a message says \"jsonrpc\": \"2.0\""));
    }
    let Some(method) = members.get("method") else {
        let answers = match (members.contains_key("result"), members.contains_key("error")) {
            (true, false) => members.contains_key("id"),
            // Since 2025-11-25 also without an id: what it answers could not be read.
            (false, true) => true,
            _ => false,
        };
        if !answers {
            return Err(invalid("a message has a method, an id with a result, or an error"));
        }
        made_of(members, &OF_AN_ANSWER)?;
        return Ok(None);
    };
    made_of(members, &OF_A_REQUEST)?;
    let method = method_of(method)?;
    let params = match members.get("params") {
        None => None,
        Some(Value::Object(params)) => Some(params),
        Some(_) => return Err(Rejection::new(INVALID_PARAMS, "params is an object")),
    };
    let kind = Kind::from_method(method);
    if let Some(kind) = kind {
        see_name(kind, params)?;
    }
    Ok(kind)
}

/// Refuses all other members. Some readers take `Method` for `method`, and would go by a member that was not looked at
/// here.
fn made_of(members: &Map<String, Value>, known: &[&str]) -> Result<(), Rejection> {
    if members.keys().all(|key| known.contains(&key.as_str())) {
        return Ok(());
    }
    Err(invalid(format!("a message like this one has no members but {}", known.join(", "))))
}

/// Returns the method, which is a plain word; the guarded ones are written in one way.
fn method_of(method: &Value) -> Result<&str, Rejection> {
    let plain = |method: &&str| {
        (1..=LONGEST_METHOD).contains(&method.len()) && method.bytes().all(|b| b.is_ascii_graphic())
    };
    let Some(method) = method.as_str().filter(plain) else {
        return Err(invalid("a method is a text of 1 to 256 visible ASCII letters"));
    };
    if Kind::from_method(method).is_none()
        && Kind::from_method(&method.to_ascii_lowercase()).is_some()
    {
        return Err(invalid(
            "methods are told apart by upper and lower case; write it as MCP does",
        ));
    }
    Ok(method)
}

/// Returns the id, by MCP a text or a whole number, and never null.
fn id(id: &Value) -> Result<&Value, Rejection> {
    match id {
        Value::String(_) => Ok(id),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(id),
        _ => Err(invalid("an id is a text, or a whole number of at most 64 bits")),
    }
}

/// Sees that the call says what it is of, and says that in one way.
fn see_name(kind: Kind, params: Option<&Map<String, Value>>) -> Result<(), Rejection> {
    let member = kind.named_by();
    let bad = |what: &str| Err(Rejection::new(INVALID_PARAMS, format!("params.{member} {what}")));
    if !params.is_none_or(|params| params.keys().all(|key| is_unlike(key))) {
        let message =
            "a member of params is written almost like one of MCP's; write it as MCP does";
        return Err(Rejection::new(INVALID_PARAMS, message));
    }
    let name = params.and_then(|params| params.get(member)).and_then(Value::as_str);
    let Some(name) = name else { return bad("is missing, or no text") };
    // A URI and a task's id are part of the input and not of a tool's name: they may be longer.
    if name.is_empty() || (member == "name" && name.len() > NAME_MAX_BYTES) {
        return bad("is empty, or longer than 200 bytes");
    }
    if name.chars().any(char::is_control) {
        return bad("holds a control character");
    }
    for member in ["arguments", "inputResponses", "_meta"] {
        let given = params.and_then(|params| params.get(member));
        if given.is_some_and(|given| !given.is_object() && !given.is_null()) {
            let message = format!("params.{member} is an object");
            return Err(Rejection::new(INVALID_PARAMS, message));
        }
    }
    Ok(())
}

/// Returns whether no reader takes a member of `params` for one that it is not: `Name` for `name`, or `nameſ` and
/// `name\0`, which are all the same to one reader of JSON or another.
fn is_unlike(key: &str) -> bool {
    let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain && !OF_PARAMS.iter().any(|known| key.eq_ignore_ascii_case(known) && key != *known)
}

pub(super) fn invalid(message: impl Into<String>) -> Rejection {
    Rejection::new(INVALID_REQUEST, message)
}
