//! A message of the server that is handed on with changes. All that was not changed stays as it was written, to the
//! last digit of each number.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Members as they were written.
type Raw<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// Writes a message that was read from this text and changed since, in `params` or in `result`.
pub(super) fn rewritten(text: &str, message: &Value) -> String {
    let came: Raw<'_> = serde_json::from_str(text).unwrap_or_default();
    let Some(members) = message.as_object() else { return message.to_string() };
    object(members, |name, value| {
        let raw = came.get(name).copied();
        match (name, value) {
            ("params" | "result", Value::Object(inner)) => {
                let came: Raw<'_> =
                    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
                object(inner, |name, value| member(came.get(name).copied(), value))
            }
            _ => member(raw, value),
        }
    })
}

fn object(members: &Map<String, Value>, write: impl Fn(&str, &Value) -> String) -> String {
    let members = members.iter();
    let members: Vec<String> = members
        .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), write(name, value)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// Returns a member as it came, unless it is another one by now.
fn member(came: Option<&RawValue>, value: &Value) -> String {
    let same = came
        .filter(|came| serde_json::from_str::<Value>(came.get()).is_ok_and(|came| came == *value));
    same.map_or_else(|| value.to_string(), |came| came.get().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_not_changed_keeps_every_digit() {
        let text = r#"{"jsonrpc":"2.0","id":18446744073709551617,"result":{"n": 0.10000000000000000000000001 ,"taskId":"a","\u0062":1e2}}"#;
        let mut message: Value = serde_json::from_str(text).unwrap();
        message["result"]["taskId"] = json!("sealed");
        message["result"]["more"] = json!([1]);
        let written = rewritten(text, &message);
        for kept in [
            r#""id":18446744073709551617"#,
            r#""n":0.10000000000000000000000001"#,
            r#""b":1e2"#,
            r#""taskId":"sealed""#,
            r#""more":[1]"#,
        ] {
            assert!(written.contains(kept), "{kept} is not in {written}");
        }
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), message);
    }
}
