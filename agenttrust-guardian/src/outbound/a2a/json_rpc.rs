//! A2A over JSON-RPC: one address for everything, and a number on each question.

use http::Method;
use serde_json::{Map, Value, json};

use super::exchange::{A2aRequest, told_of};
use super::words::Call;
use super::{SendError, Version};
use crate::domain::ids;

/// Returns the question for a call, and the id that its answer must have.
pub(super) fn request(call: &Call<'_>, version: Version) -> (A2aRequest, String) {
    let id = ids::new("req_");
    let (method, params) = (call.method(version), call.params(version));
    let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    (A2aRequest { method: Method::POST, path: String::new(), body: Some(body) }, id)
}

/// Returns the result in an answer to the question of this id.
pub(super) fn result(mut answer: Map<String, Value>, id: &str) -> Result<Value, SendError> {
    let is_ours = answer.get("id").and_then(Value::as_str) == Some(id);
    let error = answer.remove("error").filter(|error| !error.is_null());
    // An error may not know what it is about.
    let is_lost = error.is_some() && answer.get("id").is_none_or(Value::is_null);
    if answer.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(SendError::Lies("it is no answer of JSON-RPC".to_owned()));
    }
    if !is_ours && !is_lost {
        return Err(SendError::Lies("it answers another request".to_owned()));
    }
    match (answer.remove("result"), error) {
        (Some(result), None) => Ok(result),
        (None | Some(Value::Null), Some(Value::Object(error))) => Err(refused(&error)?),
        _ => Err(SendError::Lies("it has no result and no error, or both".to_owned())),
    }
}

fn refused(error: &Map<String, Value>) -> Result<SendError, SendError> {
    let code = error.get("code").and_then(Value::as_i64);
    let code = code.ok_or_else(|| SendError::Lies("its error has no code".to_owned()))?;
    Ok(SendError::Refused { code, message: told_of(error.get("message")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: Value) -> Result<Value, SendError> {
        let Value::Object(members) = answer else { panic!("{answer}") };
        result(members, "req_1")
    }

    #[test]
    fn only_the_answer_to_the_question_is_one() {
        let answer = |id: Value| json!({ "jsonrpc": "2.0", "id": id, "result": { "a": 1 } });
        assert_eq!(read(answer("req_1".into())), Ok(json!({ "a": 1 })));
        for bad in [
            answer("req_2".into()),
            answer(1.into()),
            answer(Value::Null),
            json!({ "jsonrpc": "2.0", "result": {} }),
            json!({ "jsonrpc": "1.0", "id": "req_1", "result": {} }),
            json!({ "id": "req_1", "result": {} }),
            json!({ "jsonrpc": "2.0", "id": "req_1" }),
            json!({ "jsonrpc": "2.0", "id": "req_1", "result": {}, "error": { "code": 1 } }),
            json!({ "jsonrpc": "2.0", "id": "req_1", "error": "no" }),
            json!({ "jsonrpc": "2.0", "id": "req_1", "error": { "message": "no" } }),
            json!({ "jsonrpc": "2.0", "id": "req_2", "error": { "code": -32001, "message": "no" } }),
        ] {
            assert!(matches!(read(bad.clone()), Err(SendError::Lies(_))), "{bad}");
        }
    }

    #[test]
    fn error_is_told_cut_and_plain_also_where_it_does_not_know_the_question() {
        let long = format!("\u{1b}[2J{}", "x".repeat(10_000));
        for id in [json!("req_1"), Value::Null] {
            let error = json!({ "code": -32001, "message": long });
            let read = read(json!({ "jsonrpc": "2.0", "id": id, "error": error }));
            let Err(SendError::Refused { code: -32001, message }) = read else {
                panic!("{read:?}")
            };
            assert!(message.len() < 1_000 && !message.contains('\u{1b}'), "{message}");
        }
    }
}
