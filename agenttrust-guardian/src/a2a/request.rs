//! One request of JSON-RPC: what is asked, and the id that its answer has.

use std::borrow::Cow;

use agenttrust_tower::internal::mcp::{Text, parse};
use serde_json::{Map, Value};

use super::refusal::{INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, Refusal};
use crate::domain::task::Spelled;

/// The largest number of values in a request, nested ones counted: each takes many times its text in memory.
const VALUES_MOST: usize = 64 << 10;
/// The longest id that is a text, in bytes.
const ID_MAX_BYTES: usize = 1_024;
/// The number from which on a number is no longer told from the next one.
const EXACT_MOST: f64 = 9_007_199_254_740_992.0;

/// A request that was read.
#[derive(Debug)]
pub(super) struct Request {
    /// A text, a number or null; it stands in the answer as it came.
    pub(super) id: Value,
    pub(super) method: String,
    pub(super) params: Map<String, Value>,
    /// The notation of the numbers in it.
    pub(super) spelled: Spelled,
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    ///
    /// Refuses what is no request, with its id where that could be read.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let text = parse(body, VALUES_MOST).map_err(|error| {
            Refusal::new(PARSE_ERROR, format!("the request is not one JSON text: {error}"))
        })?;
        let mut members = match text {
            Text::Object(members) => members,
            Text::List => {
                return Err(invalid("batches are not accepted; send each request by itself"));
            }
            Text::Bare => return Err(invalid("a request is a JSON object")),
            Text::TooMany => {
                let most =
                    format!("a request holds at most {VALUES_MOST} values, nested ones counted");
                return Err(invalid(most));
            }
        };
        let id = match members.remove("id") {
            Some(id) if is_id(&id) => id,
            Some(_) => {
                return Err(invalid(
                    "id is no text of at most 1024 bytes, no number that can be told from every other, and not null",
                ));
            }
            None => {
                return Err(invalid("a request has an id; A2A knows none that is not answered"));
            }
        };
        match Self::rest(&mut members) {
            Ok((method, params)) => {
                let spelled = Spelled::of_request(body);
                Ok(Self { id, method, params, spelled })
            }
            Err(refusal) => Err(refusal.id(&id)),
        }
    }

    fn rest(members: &mut Map<String, Value>) -> Result<(String, Map<String, Value>), Refusal> {
        if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(invalid("jsonrpc is not \"2.0\""));
        }
        let Some(Value::String(method)) = members.remove("method") else {
            return Err(invalid("method is no text"));
        };
        match members.remove("params") {
            None | Some(Value::Null) => Ok((method, Map::new())),
            Some(Value::Object(params)) => Ok((method, params)),
            Some(_) => Err(Refusal::new(INVALID_PARAMS, "params is no object")),
        }
    }
}

fn invalid(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(INVALID_REQUEST, message)
}

fn is_id(id: &Value) -> bool {
    match id {
        Value::Null => true,
        Value::String(text) => text.len() <= ID_MAX_BYTES,
        Value::Number(number) if number.is_f64() => {
            number.as_f64().is_some_and(|number| number.abs() < EXACT_MOST)
        }
        Value::Number(_) => true,
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(id: &str) -> Result<Value, i32> {
        let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"x\"}}");
        Request::read(body.as_bytes()).map(|request| request.id).map_err(|refusal| refusal.code())
    }

    #[test]
    fn id_of_every_type_that_an_id_has_is_given_back_as_it_came() {
        for id in ["\"a\"", "\"\"", "1", "0", "-7", "18446744073709551615", "1.5", "null"] {
            assert_eq!(read(id).unwrap().to_string(), id);
        }
        let long = format!("\"{}\"", "x".repeat(1_025));
        for id in ["true", "[]", "{}", "18446744073709551616", "1e300", &long] {
            assert_eq!(read(id), Err(INVALID_REQUEST), "{id}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_the_code_for_it() {
        for (body, code) in [
            ("", PARSE_ERROR),
            ("{", PARSE_ERROR),
            ("<html>", PARSE_ERROR),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}"#, PARSE_ERROR),
            ("[]", INVALID_REQUEST),
            ("1", INVALID_REQUEST),
            ("{}", INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","method":"x"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"1.0","id":1,"method":"x"}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"method":1}"#, INVALID_REQUEST),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[]}"#, INVALID_PARAMS),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x","params":"y"}"#, INVALID_PARAMS),
        ] {
            let refusal = Request::read(body.as_bytes()).unwrap_err();
            assert_eq!(refusal.code(), code, "{body}");
        }
        let many = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":[{}1]}}}}"#,
            "1,".repeat(VALUES_MOST)
        );
        assert_eq!(Request::read(many.as_bytes()).unwrap_err().code(), INVALID_REQUEST);
        let refusal = Request::read(br#"{"jsonrpc":"2.0","id":"a","method":1}"#).unwrap_err();
        assert_eq!(refusal.to_json()["id"], json!("a"));
    }
}
