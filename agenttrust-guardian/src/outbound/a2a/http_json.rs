//! A2A over plain HTTP and JSON (1.0): an address for each thing that can be asked.

use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::exchange::{A2aRequest, told_of};
use super::words::Call;
use super::{SendError, Version};

/// The characters that stand in a path as they are.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The errors of A2A by the reason that stands for each.
const REASONS: [(&str, i64); 9] = [
    ("TASK_NOT_FOUND", -32001),
    ("TASK_NOT_CANCELABLE", -32002),
    ("PUSH_NOTIFICATION_NOT_SUPPORTED", -32003),
    ("UNSUPPORTED_OPERATION", -32004),
    ("CONTENT_TYPE_NOT_SUPPORTED", -32005),
    ("INVALID_AGENT_RESPONSE", -32006),
    ("EXTENDED_AGENT_CARD_NOT_CONFIGURED", -32007),
    ("EXTENSION_SUPPORT_REQUIRED", -32008),
    ("VERSION_NOT_SUPPORTED", -32009),
];

/// Returns the question for a call.
pub(super) fn request(call: &Call<'_>) -> A2aRequest {
    let post = |path: String, body| A2aRequest { method: Method::POST, path, body: Some(body) };
    match call {
        Call::Send(_) => post("/message:send".to_owned(), call.params(Version::V1)),
        Call::Stream(_) => post("/message:stream".to_owned(), call.params(Version::V1)),
        Call::Get(id) => A2aRequest { method: Method::GET, path: task(id), body: None },
        Call::Cancel(id) => post(format!("{}:cancel", task(id)), Value::Object(Map::new())),
        Call::Subscribe(id) => post(format!("{}:subscribe", task(id)), Value::Object(Map::new())),
    }
}

fn task(id: &str) -> String {
    format!("/tasks/{}", utf8_percent_encode(id, &PLAIN))
}

/// Returns what an answer with an error says, where it says it as A2A does.
pub(super) fn refused(status: StatusCode, answer: &Map<String, Value>) -> Option<SendError> {
    let error = answer.get("error")?.as_object()?;
    let details = error.get("details").and_then(Value::as_array);
    let reason = details.into_iter().flatten().find_map(|detail| detail.get("reason")?.as_str());
    let known = REASONS.iter().find(|(name, _)| Some(*name) == reason);
    let code = known.map_or(i64::from(status.as_u16()), |(_, code)| *code);
    Some(SendError::Refused { code, message: told_of(error.get("message")) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn id_is_one_segment_of_the_path_whatever_is_in_it() {
        for (id, path) in [
            ("t-1", "/tasks/t-1"),
            ("a/b", "/tasks/a%2Fb"),
            ("../x?y#z", "/tasks/..%2Fx%3Fy%23z"),
            ("a:cancel", "/tasks/a%3Acancel"),
            ("ä", "/tasks/%C3%A4"),
        ] {
            assert_eq!(request(&Call::Get(id)).path, path);
            assert_eq!(request(&Call::Cancel(id)).path, format!("{path}:cancel"));
            assert_eq!(request(&Call::Subscribe(id)).path, format!("{path}:subscribe"));
        }
    }

    #[test]
    fn error_is_known_by_its_reason_and_else_by_its_status() {
        let said = |details: Value| {
            let error = json!({ "code": 404, "message": "gone", "details": details });
            let Value::Object(answer) = json!({ "error": error }) else { unreachable!() };
            refused(StatusCode::NOT_FOUND, &answer)
        };
        let message = || "gone".to_owned();
        let info = json!([{ "@type": "x" }, { "reason": "TASK_NOT_FOUND" }]);
        assert_eq!(said(info), Some(SendError::Refused { code: -32001, message: message() }));
        assert_eq!(said(json!([])), Some(SendError::Refused { code: 404, message: message() }));
        assert_eq!(refused(StatusCode::NOT_FOUND, &Map::new()), None);
    }
}
