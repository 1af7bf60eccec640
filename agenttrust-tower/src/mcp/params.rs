//! `Mcp-Param-*` (MCP 2026-07-28): single arguments of a tool, repeated for those on the way. What they say
//! must be what the arguments say.

use std::collections::HashSet;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Number, Value};
use thiserror::Error;

use super::headers::{decoded, mismatch};
use super::rpc::Rejection;

const PREFIX: &str = "mcp-param-";
/// The member of a schema that names the header which repeats an argument.
const ANNOTATION: &str = "x-mcp-header";
/// The largest whole number that is the same to a reader that keeps all of them as doubles.
const SAFE: u64 = (1 << 53) - 1;

/// The arguments of one tool that are repeated in headers, by the `x-mcp-header` of its input schema.
///
/// ```
/// use agenttrust_tower::mcp::ParamHeaders;
/// use serde_json::json;
///
/// let schema = json!({ "type": "object", "properties": {
///     "region": { "type": "string", "x-mcp-header": "Region" },
///     "query": { "type": "string" },
/// }});
/// assert!(ParamHeaders::of(&schema).is_ok());
///
/// let schema = json!({ "properties": { "region": { "type": "number", "x-mcp-header": "Region" } } });
/// let error = ParamHeaders::of(&schema).unwrap_err();
/// assert_eq!(error.to_string(), "x-mcp-header is for arguments of the type string, integer or boolean");
/// ```
#[derive(Clone, Debug, Default)]
pub struct ParamHeaders(Arc<[Repeated]>);

/// An argument that a header repeats.
#[derive(Debug)]
struct Repeated {
    header: HeaderName,
    /// The keys that lead to it.
    path: Vec<String>,
}

/// The reason why a schema cannot be gone by. MCP has clients leave out a tool with such a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidParamHeaders {
    /// The annotation is no text that can be the rest of a header's name.
    #[error("x-mcp-header is a text of letters that a header's name may have")]
    Name,
    /// Two arguments share one header.
    #[error(
        "two arguments have one x-mcp-header; tell them apart by more than upper and lower case"
    )]
    Twice,
    /// The argument is of a type that no header is compared with.
    #[error("x-mcp-header is for arguments of the type string, integer or boolean")]
    Type,
    /// The annotation is not at an argument that `properties` alone lead to.
    #[error("x-mcp-header is for arguments that are reached through `properties` and nothing else")]
    Place,
}

impl ParamHeaders {
    /// Reads the input schema of a tool.
    ///
    /// # Errors
    ///
    /// Returns why the schema is not valid in MCP.
    pub fn of(input_schema: &Value) -> Result<Self, InvalidParamHeaders> {
        let mut found = Vec::new();
        collect(input_schema, &mut Vec::new(), true, &mut found)?;
        let mut names = HashSet::new();
        if !found.iter().all(|repeated| names.insert(&repeated.header)) {
            return Err(InvalidParamHeaders::Twice);
        }
        Ok(Self(found.into()))
    }

    /// Returns the arguments that are repeated, each with its header.
    #[doc(hidden)]
    pub fn repeated<'a>(
        &'a self,
        arguments: Option<&'a Map<String, Value>>,
    ) -> impl Iterator<Item = (&'a HeaderName, &'a Value)> {
        self.0
            .iter()
            .filter_map(move |Repeated { header, path }| Some((header, at(arguments?, path)?)))
    }

    /// Sees that the headers of the schema say what the arguments say: none differs, none is there for an
    /// argument that is not, and, where `all` have to be, none is missing. Other headers are not looked at.
    ///
    /// # Errors
    ///
    /// Returns -32020, where they do not.
    pub fn agree(
        &self,
        headers: &HeaderMap,
        arguments: Option<&Map<String, Value>>,
        all: bool,
    ) -> Result<(), Rejection> {
        for Repeated { header, path } in self.0.iter() {
            let said = arguments.and_then(|arguments| at(arguments, path));
            let is_missing = all && said.is_some() && !headers.contains_key(header);
            let says = |value: &HeaderValue| said.is_some_and(|said| says(value.as_bytes(), said));
            if is_missing || !headers.get_all(header).iter().all(says) {
                return Err(mismatch(header.as_str()));
            }
        }
        Ok(())
    }
}

/// Sees that each of the headers says what some argument says, where no schema tells which. The headers of
/// a client that goes by the specification always do, whatever the schema is.
///
/// # Errors
///
/// Returns -32020, where one does not.
pub(super) fn agree_with_any(
    headers: &HeaderMap,
    arguments: Option<&Map<String, Value>>,
) -> Result<(), Rejection> {
    for (header, value) in headers {
        let is_param = header.as_str().starts_with(PREFIX);
        if is_param && !arguments.is_some_and(|arguments| says_any(value.as_bytes(), arguments)) {
            return Err(mismatch(header.as_str()));
        }
    }
    Ok(())
}

/// Looks for annotations in all of a schema; those behind anything but `properties` are one too many.
fn collect(
    schema: &Value,
    path: &mut Vec<String>,
    reached: bool,
    found: &mut Vec<Repeated>,
) -> Result<(), InvalidParamHeaders> {
    let members = match schema {
        Value::Object(members) => members,
        Value::Array(items) => {
            return items.iter().try_for_each(|item| collect(item, path, false, found));
        }
        _ => return Ok(()),
    };
    if let Some(name) = members.get(ANNOTATION) {
        if !reached || path.is_empty() {
            return Err(InvalidParamHeaders::Place);
        }
        found.push(Repeated { header: header(name, members)?, path: path.clone() });
    }
    for (keyword, inner) in members {
        match (keyword.as_str(), inner) {
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties {
                    path.push(name.clone());
                    collect(property, path, reached, found)?;
                    path.pop();
                }
            }
            // Values, and no schemas.
            ("const" | "default" | "enum" | "examples", _) => {}
            _ => collect(inner, path, false, found)?,
        }
    }
    Ok(())
}

fn header(name: &Value, property: &Map<String, Value>) -> Result<HeaderName, InvalidParamHeaders> {
    if !is_plain(property.get("type")) {
        return Err(InvalidParamHeaders::Type);
    }
    let name = name.as_str().filter(|name| !name.is_empty()).ok_or(InvalidParamHeaders::Name)?;
    format!("{PREFIX}{name}").parse().map_err(|_| InvalidParamHeaders::Name)
}

/// Returns whether the argument is of a type that can be compared, and at most null beside that.
fn is_plain(kind: Option<&Value>) -> bool {
    let plain = |kind: &Value| matches!(kind.as_str(), Some("string" | "integer" | "boolean"));
    match kind {
        Some(Value::Array(kinds)) => {
            kinds.iter().any(plain) && kinds.iter().all(|kind| plain(kind) || kind == "null")
        }
        kind => kind.is_some_and(plain),
    }
}

/// Returns the argument that the keys lead to. One that is null is as one that is not there.
fn at<'a>(arguments: &'a Map<String, Value>, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let found = rest.iter().try_fold(arguments.get(first)?, |value, key| value.get(key))?;
    (!found.is_null()).then_some(found)
}

/// Returns whether any value that keys alone lead to is what the header says.
fn says_any(value: &[u8], arguments: &Map<String, Value>) -> bool {
    arguments.values().any(|argument| match argument {
        Value::Object(inner) => says_any(value, inner),
        argument => says(value, argument),
    })
}

fn says(value: &[u8], said: &Value) -> bool {
    let Some(value) = decoded(value) else { return false };
    match said {
        Value::String(text) => *value == *text.as_bytes(),
        Value::Bool(true) => *value == *b"true",
        Value::Bool(false) => *value == *b"false",
        Value::Number(number) => is_number(&value, number),
        _ => false,
    }
}

/// Compares two numbers by their value: `42.0` is 42. Beyond the whole numbers that every reader keeps, by their
/// digits.
fn is_number(value: &[u8], said: &Number) -> bool {
    let Ok(value) = serde_json::from_slice::<Number>(value) else { return false };
    let is_safe = said.as_i64().is_none_or(|whole| whole.unsigned_abs() <= SAFE)
        && said.as_u64().is_none_or(|whole| whole <= SAFE);
    let whole =
        |number: &Number| number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
    match (whole(&value), whole(said)) {
        (Some(value), Some(said)) => value == said,
        _ => is_safe && value.as_f64().is_some_and(|value| said.as_f64() == Some(value)),
    }
}
