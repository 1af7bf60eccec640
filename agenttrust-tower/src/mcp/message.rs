//! One JSON-RPC message, and which of the guarded calls it is, if it is one.

use http::HeaderMap;
use serde_json::{Map, Value};

use super::headers;
use super::json;
use super::rpc::{INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, Rejection};

/// As long as the name of a tool may be for a Guardian; no method of MCP comes near.
const LONGEST_NAME: usize = 256;

/// What is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tool,
    Resource,
    Prompt,
}

impl Kind {
    fn of(method: &str) -> Option<Self> {
        match method {
            "tools/call" => Some(Self::Tool),
            "resources/read" => Some(Self::Resource),
            "prompts/get" => Some(Self::Prompt),
            _ => None,
        }
    }

    /// The member of `params` that says which one.
    fn named_by(self) -> &'static str {
        match self {
            Self::Tool | Self::Prompt => "name",
            Self::Resource => "uri",
        }
    }
}

/// Which kinds are guarded beside tools, which always are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scope {
    pub(super) resources: bool,
    pub(super) prompts: bool,
}

impl Scope {
    fn holds(self, kind: Kind) -> bool {
        match kind {
            Kind::Tool => true,
            Kind::Resource => self.resources,
            Kind::Prompt => self.prompts,
        }
    }
}

/// A call that is guarded.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) kind: Kind,
    /// The tool's or the prompt's name, the resource's URI.
    pub(super) name: String,
    /// All of `params` but `_meta`, and but the name of a tool.
    pub(super) input: Value,
    pub(super) id: Value,
}

/// What a message is to the guard. It travels in the extensions of the request that carries it.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Guard(Call),
    Pass,
}

/// Reads one message; returns it with what it is.
pub(super) fn read(
    text: &[u8],
    headers: &HeaderMap,
    scope: Scope,
) -> Result<(Value, Message), Rejection> {
    let value = json::read(text).map_err(|error| {
        Rejection::new(PARSE_ERROR, format!("the body is not one JSON text: {error}"))
    })?;
    let message = match &value {
        Value::Object(members) => classify(members, headers, scope)?,
        Value::Array(_) => {
            return Err(invalid("batches are not accepted; send each message by itself"));
        }
        _ => return Err(invalid("a message is a JSON object")),
    };
    Ok((value, message))
}

fn classify(
    members: &Map<String, Value>,
    headers: &HeaderMap,
    scope: Scope,
) -> Result<Message, Rejection> {
    if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(invalid("a message says \"jsonrpc\": \"2.0\""));
    }
    let id = members.get("id").map(id).transpose()?;
    let told = |rejection: Rejection| rejection.id(id.clone().unwrap_or_default());
    let method = match members.get("method") {
        Some(Value::String(method)) if (1..=LONGEST_NAME).contains(&method.len()) => method,
        Some(_) => {
            return Err(told(invalid("a method is a text of at least 1 and at most 256 bytes")));
        }
        None => {
            let answers = members.contains_key("result") != members.contains_key("error");
            if id.is_none() || !answers {
                return Err(told(invalid(
                    "a message has a method, or an id with one of result and error",
                )));
            }
            headers::agree(headers, None, None).map_err(told)?;
            return Ok(Message::Pass);
        }
    };
    if members.contains_key("result") || members.contains_key("error") {
        // Whoever goes by one of them and not by the other would make something else of it.
        return Err(told(invalid("a message with a method has neither result nor error")));
    }
    let params = match members.get("params") {
        None => None,
        Some(Value::Object(params)) => Some(params),
        Some(_) => return Err(told(Rejection::new(INVALID_PARAMS, "params is an object"))),
    };
    let Some(kind) = Kind::of(method) else {
        headers::agree(headers, Some(method), None).map_err(told)?;
        return Ok(Message::Pass);
    };
    let name = name(kind, params).map_err(told)?;
    headers::agree(headers, Some(method), Some(name)).map_err(told)?;
    if !scope.holds(kind) {
        return Ok(Message::Pass);
    }
    let Some(id) = id else {
        return Err(invalid(format!("{method} is a request; send it with an id")));
    };
    let input = params.map(|params| input(kind, params)).unwrap_or_default();
    Ok(Message::Guard(Call { kind, name: name.to_owned(), input, id }))
}

/// MCP: a text or a whole number, and never null.
fn id(id: &Value) -> Result<Value, Rejection> {
    match id {
        Value::String(text) if text.len() <= LONGEST_NAME => Ok(id.clone()),
        Value::Number(number) if !number.is_f64() => Ok(id.clone()),
        _ => Err(invalid("an id is a whole number, or a text of at most 256 bytes")),
    }
}

fn name(kind: Kind, params: Option<&Map<String, Value>>) -> Result<&str, Rejection> {
    let member = kind.named_by();
    let bad = |what: &str| Err(Rejection::new(INVALID_PARAMS, format!("params.{member} {what}")));
    let name = params.and_then(|params| params.get(member)).and_then(Value::as_str);
    let Some(name) = name else { return bad("is missing, or no text") };
    // A URI is part of the input and not of a tool's name: it may be longer.
    if name.is_empty() || (kind != Kind::Resource && name.len() > LONGEST_NAME) {
        return bad("is empty, or longer than 256 bytes");
    }
    if name.chars().any(char::is_control) {
        return bad("holds a control character");
    }
    let arguments = params.and_then(|params| params.get("arguments"));
    if arguments.is_some_and(|arguments| !arguments.is_object() && !arguments.is_null()) {
        return Err(Rejection::new(INVALID_PARAMS, "params.arguments is an object"));
    }
    Ok(name)
}

fn input(kind: Kind, params: &Map<String, Value>) -> Value {
    let mut input = params.clone();
    input.remove("_meta");
    if kind == Kind::Tool {
        input.remove("name");
        // Without arguments, with null and with none of them is the same call.
        let none = input.get("arguments").is_none_or(Value::is_null);
        if none {
            input.insert("arguments".to_owned(), Value::Object(Map::new()));
        }
    }
    Value::Object(input)
}

fn invalid(message: impl Into<String>) -> Rejection {
    Rejection::new(INVALID_REQUEST, message)
}
