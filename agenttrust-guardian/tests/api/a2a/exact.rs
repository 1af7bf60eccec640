//! A message that was sent before is told from another one by every digit in it.

use serde_json::{Value, json};

use super::target::Speaks;
use super::{Reached, V1, fresh, refused};

impl Reached {
    /// Sends a message whose data is this text, digit by digit.
    async fn sends_data(&self, version: (&str, &str), id: &str, data: &str) -> Value {
        use axum::body::Body;
        use axum::http::Request;
        let (method, role, part) = match version.1 {
            "1.0" => ("SendMessage", "ROLE_USER", format!(r#"{{"data":{data}}}"#)),
            _ => {
                let part = format!(r#"{{"kind":"data","data":{{"n":{data}}}}}"#);
                ("message/send", "user", part)
            }
        };
        let message = format!(r#"{{"messageId":"{id}","role":"{role}","parts":[{part}]}}"#);
        let message = format!(r#""method":"{method}","params":{{"message":{message}}}"#);
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,{message}}}"#);
        let request = Request::post(self.path())
            .header("x-api-key", &self.fixture.key)
            .header("content-type", "application/json")
            .header(version.0, version.1)
            .body(Body::from(body))
            .unwrap();
        self.fixture.api.send(request).await.ok().body
    }
}

/// Returns the id of the task that came of a message.
fn task(said: &Value) -> &Value {
    let result = &said["result"];
    let id = if result["task"].is_object() { &result["task"]["id"] } else { &result["id"] };
    assert!(id.is_string(), "{said}");
    id
}

#[tokio::test]
async fn message_that_differs_in_one_digit_only_is_another_message() {
    for version in [V1, (V1.0, "0.3")] {
        let reached = Reached::by(Speaks::V1).await;
        for (one, other) in [
            ("9007199254740992", "9007199254740993"),
            ("18446744073709551616", "18446744073709551617"),
            ("-9007199254740993", "-9007199254740992"),
            ("0.1", "0.10000000000000001"),
            ("1", "1.0"),
            ("1.0", "1e0"),
            ("100", "1e2"),
            ("0", "-0"),
            ("1e400000", "1e400001"),
            ("[1,{\"a\":[2.0]}]", "[1,{\"a\":[2]}]"),
            ("{\"a\":1.0,\"b\":1}", "{\"a\":1,\"b\":1.0}"),
        ] {
            let id = fresh();
            let first = reached.sends_data(version, &id, one).await;
            if first["error"].is_object() {
                // A number that no double holds is refused as what it is.
                refused(&first, -32700, "");
                continue;
            }
            let again = reached.sends_data(version, &id, one).await;
            assert_eq!(task(&first), task(&again), "{one}");
            let sent = reached.target.sent().len();
            let said = reached.sends_data(version, &id, other).await;
            refused(&said, -32602, "was used for another message");
            assert_eq!(reached.target.sent().len(), sent);
        }
    }
}

#[tokio::test]
async fn message_is_the_same_in_whatever_order_its_members_come() {
    let reached = Reached::by(Speaks::V1).await;
    for (one, other) in [
        (r#"{"a":1.0,"b":9007199254740993}"#, r#"{ "b": 9007199254740993, "\u0061": 1.0 }"#),
        (r#"{"x":{"a":1e0},"y":[1.50]}"#, r#"{"y":[1.50],"x":{"a":1e0}}"#),
        (r#"{"text":"1.0 and \"2.0\\"}"#, r#"{"text":"1.0 and \u00222.0\\"}"#),
    ] {
        let id = fresh();
        let first = reached.sends_data(V1, &id, one).await;
        assert_eq!(task(&first), task(&reached.sends_data(V1, &id, other).await), "{one}");
    }
    assert_eq!(reached.target.sent().len(), 3);
}

#[tokio::test]
async fn message_in_which_a_member_comes_twice_is_refused_wherever_it_is() {
    let reached = Reached::by(Speaks::V1).await;
    for data in [r#"{"a":1,"a":2}"#, r#"[{"b":[{"a":1,"\u0061":2}]}]"#] {
        refused(&reached.sends_data(V1, &fresh(), data).await, -32700, "twice");
    }
    let said = json!({ "sent": reached.target.sent() });
    assert_eq!(said["sent"], json!([]));
}
