//! One JSON-RPC message, and which of the guarded calls it is, if it is one.

use agenttrust::internal::NAME_MAX_BYTES;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::headers;
use super::json::{self, Text};
use super::rpc::{INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, Rejection};

/// No method of MCP comes near.
const LONGEST_METHOD: usize = 256;
/// All that a request or a notification is made of, and all that an answer is.
const OF_A_REQUEST: [&str; 4] = ["jsonrpc", "id", "method", "params"];
const OF_AN_ANSWER: [&str; 4] = ["jsonrpc", "id", "result", "error"];
/// What servers go by in the `params` of guarded calls.
const OF_PARAMS: [&str; 8] =
    ["name", "uri", "taskId", "arguments", "_meta", "task", "inputResponses", "requestState"];

/// What is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tool,
    Resource,
    Directory,
    Prompt,
    /// Answers to a task, with which its tool goes on.
    Update,
}

impl Kind {
    fn from_method(method: &str) -> Option<Self> {
        match method {
            "tools/call" => Some(Self::Tool),
            "resources/read" => Some(Self::Resource),
            "resources/directory/read" => Some(Self::Directory),
            "prompts/get" => Some(Self::Prompt),
            "tasks/update" => Some(Self::Update),
            _ => None,
        }
    }

    /// The member of `params` that says which one.
    fn named_by(self) -> &'static str {
        match self {
            Self::Tool | Self::Prompt => "name",
            Self::Resource | Self::Directory => "uri",
            Self::Update => "taskId",
        }
    }
}

/// Which kinds are guarded beside tools and what they go on with, which always are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scope {
    pub(super) resources: bool,
    pub(super) prompts: bool,
}

impl Scope {
    fn holds(self, kind: Kind) -> bool {
        match kind {
            Kind::Tool | Kind::Update => true,
            Kind::Resource | Kind::Directory => self.resources,
            Kind::Prompt => self.prompts,
        }
    }
}

/// A call that is guarded.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) kind: Kind,
    /// The tool's or the prompt's name, the resource's URI, the task's id.
    pub(super) name: String,
    /// Whether the client waits for a task and not for what the tool says (MCP 2025-11-25).
    pub(super) as_task: bool,
    /// All of `params` but `_meta`, and but the name of a tool: see [`input`].
    pub(super) input: Value,
    pub(super) id: Value,
}

/// What a message is to the guard. It travels in the extensions of the request that carries it.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Guard(Call),
    Pass,
}

/// Reads one message; returns it written anew, with what it is.
///
/// Whatever the next reader makes of JSON, it reads what was read here. `most` is how many values there
/// may be.
pub(super) fn parse(
    text: &[u8],
    most: usize,
    headers: &HeaderMap,
    scope: Scope,
) -> Result<(Vec<u8>, Message), Rejection> {
    let text = json::parse(text, most).map_err(|error| {
        Rejection::new(PARSE_ERROR, format!("the body is not one JSON text: {error}"))
    })?;
    let mut members = match text {
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
    let found = classify(&members, headers, scope)?;
    let anew = serde_json::to_vec(&members)
        .map_err(|_| Rejection::new(INTERNAL_ERROR, "the message cannot be handed on"))?;
    let Some((kind, name, id)) = found else { return Ok((anew, Message::Pass)) };
    // Taken and not copied: an input may be all of a message.
    let params = members.remove("params");
    let task = params.as_ref().and_then(|params| params.get("task"));
    let as_task = task.is_some_and(|task| !task.is_null());
    let input = input(kind, params);
    Ok((anew, Message::Guard(Call { kind, name, as_task, input, id })))
}

/// The kind, the name and the id of a guarded call.
type Found = (Kind, String, Value);

fn classify(
    members: &Map<String, Value>,
    headers: &HeaderMap,
    scope: Scope,
) -> Result<Option<Found>, Rejection> {
    let id = members.get("id").map(id).transpose()?;
    let told = |rejection: Rejection| rejection.id(id.clone().unwrap_or_default());
    if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(told(invalid("a message says \"jsonrpc\": \"2.0\"")));
    }
    let Some(method) = members.get("method") else {
        let answers = match (members.contains_key("result"), members.contains_key("error")) {
            (true, false) => id.is_some(),
            // Since 2025-11-25 also without an id: what it answers could not be read.
            (false, true) => true,
            _ => false,
        };
        if !answers {
            let message = "a message has a method, an id with a result, or an error";
            return Err(told(invalid(message)));
        }
        made_of(members, &OF_AN_ANSWER).map_err(told)?;
        headers::agree(headers, None, None).map_err(told)?;
        return Ok(None);
    };
    made_of(members, &OF_A_REQUEST).map_err(told)?;
    let method = method_of(method).map_err(told)?;
    let params = match members.get("params") {
        None => None,
        Some(Value::Object(params)) => Some(params),
        Some(_) => return Err(told(Rejection::new(INVALID_PARAMS, "params is an object"))),
    };
    let Some(kind) = Kind::from_method(method) else {
        headers::agree(headers, Some(method), about(params)).map_err(told)?;
        return Ok(None);
    };
    let name = name(kind, params).map_err(told)?;
    headers::agree(headers, Some(method), Some(name)).map_err(told)?;
    if !scope.holds(kind) {
        return Ok(None);
    }
    match id {
        Some(id) => Ok(Some((kind, name.to_owned(), id))),
        None => Err(invalid(format!("{method} is a request; send it with an id"))),
    }
}

/// Refuses all other members: a reader to whom `Method` is `method`, and there are such, would go by
/// one that nobody has looked at here.
fn made_of(members: &Map<String, Value>, known: &[&str]) -> Result<(), Rejection> {
    if members.keys().all(|key| known.contains(&key.as_str())) {
        return Ok(());
    }
    Err(invalid(format!("a message like this one has no members but {}", known.join(", "))))
}

/// A method is a plain word, and the guarded ones are written in one way.
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

/// MCP: a text or a whole number, and never null.
fn id(id: &Value) -> Result<Value, Rejection> {
    match id {
        Value::String(_) => Ok(id.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(id.clone()),
        _ => Err(invalid("an id is a text, or a whole number of at most 64 bits")),
    }
}

/// What `Mcp-Name` repeats of a message that is not guarded.
fn about(params: Option<&Map<String, Value>>) -> Option<&str> {
    let params = params?;
    ["name", "uri", "taskId"].iter().find_map(|member| params.get(*member)?.as_str())
}

fn name(kind: Kind, params: Option<&Map<String, Value>>) -> Result<&str, Rejection> {
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
    if name.is_empty() || (kind.named_by() == "name" && name.len() > NAME_MAX_BYTES) {
        return bad("is empty, or longer than 200 bytes");
    }
    if name.chars().any(char::is_control) {
        return bad("holds a control character");
    }
    for member in ["arguments", "inputResponses"] {
        let given = params.and_then(|params| params.get(member));
        if given.is_some_and(|given| !given.is_object() && !given.is_null()) {
            let message = format!("params.{member} is an object");
            return Err(Rejection::new(INVALID_PARAMS, message));
        }
    }
    Ok(name)
}

/// Whether nobody takes a member of `params` for one that it is not: `Name` for `name`, or `nameſ` and
/// `name\0`, which are all the same to one reader of JSON or another.
fn is_unlike(key: &str) -> bool {
    let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain && !OF_PARAMS.iter().any(|known| key.eq_ignore_ascii_case(known) && key != *known)
}

/// What is given, as everywhere that a call of MCP is read: an object, in an array with the answers of a
/// repeated call and with whatever else there is, where there is any.
fn input(kind: Kind, params: Option<Value>) -> Value {
    let mut rest = match params {
        Some(Value::Object(params)) => params,
        _ => Map::new(),
    };
    rest.remove("_meta");
    let given = match kind {
        Kind::Tool => {
            rest.remove("name");
            object(&mut rest, "arguments")
        }
        Kind::Prompt => {
            let name = rest.remove("name");
            json!({ "name": name, "arguments": object(&mut rest, "arguments") })
        }
        Kind::Update => {
            let task = rest.remove("taskId");
            json!({ "taskId": task, "inputResponses": object(&mut rest, "inputResponses") })
        }
        Kind::Resource => json!({ "uri": rest.remove("uri") }),
        Kind::Directory => {
            // Which page of it is read is not bound: all of it was asked for.
            rest.remove("cursor");
            json!({ "uri": rest.remove("uri") })
        }
    };
    let [responses, state] =
        ["inputResponses", "requestState"].map(|name| rest.remove(name).unwrap_or_default());
    match (responses.is_null() && state.is_null(), rest.is_empty()) {
        (true, true) => given,
        (false, true) => Value::Array(vec![given, responses, state]),
        (_, false) => Value::Array(vec![given, responses, state, Value::Object(rest)]),
    }
}

/// Without arguments, with null and with none of them is the same call; and so with answers.
fn object(rest: &mut Map<String, Value>, member: &str) -> Value {
    let given = rest.remove(member).filter(|given| !given.is_null());
    given.unwrap_or_else(|| Value::Object(Map::new()))
}

fn invalid(message: impl Into<String>) -> Rejection {
    Rejection::new(INVALID_REQUEST, message)
}
