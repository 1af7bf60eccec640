//! Reading A2A as JSON, in either of its versions.
//!
//! Lists are no objects and words no objects either, which a derived reader takes them for; so the form is seen first.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::parse_error::ParseError;
use super::{Artifact, Message, Task, TaskStatus, v03};

/// A version of A2A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V03,
}

impl Version {
    /// Every version, the newest first.
    pub(crate) const ALL: [Self; 2] = [Self::V1, Self::V03];

    /// Returns how it is written.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V03 => "0.3",
        }
    }

    /// Returns the version that is written like this. What follows the second number makes no other version.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (major, minor, patch) = (parts.next()?, parts.next()?, parts.next());
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
        let known = |it: &Self| it.as_str().split('.').eq([major, minor]);
        let plain = patch.is_none_or(is_number) && parts.next().is_none();
        Self::ALL.into_iter().find(known).filter(|_| plain)
    }
}

/// Reads a message; `at` is where it stands.
///
/// # Errors
///
/// [`ParseError`].
pub(crate) fn message(mut value: Value, version: Version, at: &str) -> Result<Message, ParseError> {
    if version == Version::V03 {
        v03::upgrade_message(&mut value, at)?;
    }
    see_message(&value, at)?;
    typed(value, at)
}

/// Reads a task.
///
/// # Errors
///
/// [`ParseError`].
pub(crate) fn task(mut value: Value, version: Version, at: &str) -> Result<Task, ParseError> {
    if version == Version::V03 {
        v03::upgrade_task(&mut value, at)?;
    }
    let members = object(&value, at)?;
    see_status(members.get("status").unwrap_or(&Value::Null), &format!("{at}.status"))?;
    see_each(members, "artifacts", at, see_parts)?;
    see_each(members, "history", at, see_message)?;
    typed(value, at)
}

/// Reads how a task stands.
///
/// # Errors
///
/// [`ParseError`].
pub(crate) fn status(
    mut value: Value,
    version: Version,
    at: &str,
) -> Result<TaskStatus, ParseError> {
    if version == Version::V03 {
        v03::upgrade_status(&mut value, at)?;
    }
    see_status(&value, at)?;
    typed(value, at)
}

/// Reads a result of a task.
///
/// # Errors
///
/// [`ParseError`].
pub(crate) fn artifact(
    mut value: Value,
    version: Version,
    at: &str,
) -> Result<Artifact, ParseError> {
    if version == Version::V03 {
        v03::upgrade_artifact(&mut value, at)?;
    }
    see_parts(&value, at)?;
    typed(value, at)
}

fn typed<T: DeserializeOwned>(value: Value, at: &str) -> Result<T, ParseError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { at.to_owned() } else { format!("{at}.{path}") };
        ParseError::of(&field, format!("is not as A2A has it: {}", error.into_inner()))
    })
}

fn see_message(value: &Value, at: &str) -> Result<(), ParseError> {
    let members = object(value, at)?;
    word(members, "role", at)?;
    see_parts(value, at)
}

fn see_status(value: &Value, at: &str) -> Result<(), ParseError> {
    let members = object(value, at)?;
    word(members, "state", at)?;
    match members.get("message") {
        None | Some(Value::Null) => Ok(()),
        Some(message) => see_message(message, &format!("{at}.message")),
    }
}

fn see_parts(value: &Value, at: &str) -> Result<(), ParseError> {
    see_each(object(value, at)?, "parts", at, |part, at| object(part, at).map(drop))
}

fn see_each(
    members: &Map<String, Value>,
    member: &str,
    at: &str,
    see: impl Fn(&Value, &str) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    let list = members.get(member).and_then(Value::as_array);
    for (place, item) in list.into_iter().flatten().enumerate() {
        see(item, &format!("{at}.{member}[{place}]"))?;
    }
    Ok(())
}

fn object<'v>(value: &'v Value, at: &str) -> Result<&'v Map<String, Value>, ParseError> {
    value.as_object().ok_or_else(|| ParseError::of(at, "is no object"))
}

fn word(members: &Map<String, Value>, member: &str, at: &str) -> Result<(), ParseError> {
    match members.get(member) {
        None | Some(Value::String(_)) => Ok(()),
        Some(_) => Err(ParseError::of(&format!("{at}.{member}"), "is no word")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::task::{PartContent, TaskEvent};

    fn both(v03_parts: &Value, v1_parts: &Value) {
        let of = |role: &str, parts: &Value| {
            json!({
                "messageId": "m1", "role": role, "parts": parts, "contextId": "c1", "taskId": "t1",
                "metadata": { "a": 1 }, "extensions": ["https://x"], "referenceTaskIds": ["t0"],
            })
        };
        let old = message(of("user", v03_parts), Version::V03, "message").unwrap();
        let new = message(of("ROLE_USER", v1_parts), Version::V1, "message").unwrap();
        assert_eq!(old, new);
        let mut said = of("user", v03_parts);
        said["kind"] = "message".into();
        assert_eq!(v03::message(&new), said);
        assert_eq!(serde_json::to_value(&new).unwrap(), of("ROLE_USER", v1_parts));
    }

    #[test]
    fn part_of_every_kind_is_the_same_in_both_versions() {
        both(
            &json!([
                { "kind": "text", "text": "hi", "metadata": { "b": [1] } },
                { "kind": "file", "file": { "bytes": "aGk=", "name": "a.txt", "mimeType": "text/plain" } },
                { "kind": "file", "file": { "uri": "https://x/y", "mimeType": "image/png" } },
                { "kind": "data", "data": { "x": null } },
                { "kind": "data", "data": { "value": [1, 2] }, "metadata": { "data_part_compat": true } },
                { "kind": "data", "data": { "value": 1 } },
            ]),
            &json!([
                { "text": "hi", "metadata": { "b": [1] } },
                { "raw": "aGk=", "filename": "a.txt", "mediaType": "text/plain" },
                { "url": "https://x/y", "mediaType": "image/png" },
                { "data": { "x": null } },
                { "data": [1, 2] },
                { "data": { "value": 1 } },
            ]),
        );
        // As the examples of the specification write them.
        let parts = json!([{ "kind": "file", "file": { "fileWithBytes": "aGk=" } }]);
        let said = json!({ "messageId": "m", "role": "agent", "parts": parts });
        let read = message(said, Version::V03, "message").unwrap();
        assert_eq!(read.parts[0].content, PartContent::Raw("aGk=".to_owned()));
        // Null is a value like any other.
        let said = json!({ "messageId": "m", "role": "ROLE_AGENT", "parts": [{ "data": null }] });
        let read = message(said, Version::V1, "message").unwrap();
        assert_eq!(read.parts[0].content, PartContent::Data(Value::Null));
    }

    #[test]
    fn what_a2a_does_not_have_is_refused_with_its_place() {
        let of = |role: Value, part: Value| json!({ "messageId": "m", "role": role, "parts": [{ "text": "x" }, part] });
        let user = || Value::from("ROLE_USER");
        for (said, field, problem) in [
            (of(user(), json!({ "video": "x" })), "message.parts[1]", "no known kind"),
            (of(user(), json!({ "kind": "text" })), "message.parts[1]", "no known kind"),
            (of(user(), json!({ "text": "x", "url": "y" })), "message.parts[1]", "two kinds"),
            (of(user(), json!(["x"])), "message.parts[1]", "no object"),
            (of(user(), json!("x")), "message.parts[1]", "no object"),
            (of(user(), json!({ "text": 1 })), "message.parts[1].text", "invalid type"),
            (of("user".into(), json!({ "text": "" })), "message.role", "unknown variant"),
            (of(json!({ "ROLE_USER": null }), json!({ "text": "" })), "message.role", "no word"),
            (json!({ "role": "ROLE_USER", "parts": [] }), "message", "messageId"),
            (json!([]), "message", "no object"),
            (
                json!({ "messageId": "m", "role": "ROLE_USER", "parts": {} }),
                "message.parts",
                "invalid type",
            ),
        ] {
            let error = message(said.clone(), Version::V1, "message").unwrap_err();
            assert_eq!(error.field, field, "{said}: {error}");
            assert!(error.problem.contains(problem), "{said}: {error}");
        }
        let text = json!([{ "kind": "text", "text": "" }]);
        for (role, parts, field, problem) in [
            ("user", json!([{ "kind": "video" }]), "message.parts[0]", "of kind \"video\""),
            ("user", json!([{ "text": "x" }]), "message.parts[0]", "has no kind"),
            ("user", json!([{ "kind": "data", "data": 1 }]), "message.parts[0].data", "no object"),
            ("user", json!([{ "kind": "file" }]), "message.parts[0].file", "no object"),
            ("user", json!([{ "kind": "file", "file": {} }]), "message.parts[0]", "no known kind"),
            ("ROLE_USER", text, "message.role", "neither user nor agent"),
        ] {
            let said = json!({ "messageId": "m", "role": role, "parts": parts });
            let error = message(said.clone(), Version::V03, "message").unwrap_err();
            assert_eq!(error.field, field, "{said}: {error}");
            assert!(error.problem.contains(problem), "{said}: {error}");
        }
        let two = json!([{ "kind": "file", "file": { "bytes": "", "uri": "https://x" } }]);
        let said = json!({ "messageId": "m", "role": "user", "parts": two });
        assert!(message(said, Version::V03, "m").unwrap_err().problem.contains("two kinds"));
    }

    #[test]
    fn error_text_is_short_and_plain() {
        let role = format!("\u{1b}[2J{}", "x".repeat(10_000));
        let said = json!({ "messageId": "m", "role": role, "parts": [] });
        let error = message(said, Version::V1, "message").unwrap_err().to_string();
        assert!(error.len() < 1_000 && !error.contains('\u{1b}'), "{error}");
    }

    #[test]
    fn task_is_the_same_in_both_versions_whatever_its_state() {
        for state in super::super::TaskState::ALL {
            let of = |state: Value, role: &str, part: Value| {
                let said = json!({ "messageId": "s", "role": role, "parts": [part] });
                json!({
                    "id": "t", "contextId": "c", "metadata": { "m": true },
                    "status": { "state": state, "timestamp": "2026-01-02T03:04:05.678Z", "message": said },
                    "artifacts": [{ "artifactId": "a", "name": "n", "description": "d", "parts": [part],
                        "metadata": { "k": 1 }, "extensions": ["https://x"] }],
                    "history": [said],
                })
            };
            let old = of(state.as_str().into(), "agent", json!({ "kind": "text", "text": "x" }));
            let new = of(json!(state), "ROLE_AGENT", json!({ "text": "x" }));
            let read = task(old.clone(), Version::V03, "task").unwrap();
            assert_eq!(read, task(new.clone(), Version::V1, "task").unwrap());
            assert_eq!(read.status.state, state);
            assert_eq!(serde_json::to_value(&read).unwrap(), new);
            // What says its kind reads the same.
            let told = v03::task(&read);
            assert_eq!(task(told.clone(), Version::V03, "task").unwrap(), read);
            assert_eq!(told["kind"], "task");
            assert_eq!(told["status"]["message"]["kind"], "message");
            assert_eq!(told["status"]["state"], state.as_str());
        }
    }

    #[test]
    fn task_that_is_none_is_refused() {
        for (said, problem) in [
            (json!({}), "no object"),
            (json!({ "id": "t" }), "no object"),
            (json!({ "id": "t", "status": {} }), "state"),
            (json!({ "id": "t", "status": { "state": "completed" } }), "unknown variant"),
            (json!({ "id": 1, "status": { "state": "TASK_STATE_WORKING" } }), "invalid type"),
            (
                json!({ "id": "t", "status": { "state": "TASK_STATE_UNSPECIFIED" } }),
                "unknown variant",
            ),
            (
                json!({ "id": "t", "status": { "state": "TASK_STATE_WORKING" }, "artifacts": [[]] }),
                "no object",
            ),
            (
                json!({ "id": "t", "status": { "state": "TASK_STATE_WORKING" }, "history": {} }),
                "invalid type",
            ),
            (
                json!({ "id": "t", "status": { "state": "TASK_STATE_WORKING", "timestamp": "soon" } }),
                "as A2A has it",
            ),
        ] {
            let error = task(said.clone(), Version::V1, "result").unwrap_err();
            assert!(error.to_string().contains(problem), "{said}: {error}");
        }
        let said = json!({ "id": "t", "kind": "message", "status": { "state": "working" } });
        assert!(task(said, Version::V03, "result").unwrap_err().field.ends_with("kind"));
        let unknown = json!({ "id": "t", "status": { "state": "unknown" } });
        assert!(task(unknown, Version::V03, "result").is_ok());
        let new = json!({ "id": "t", "status": { "state": "TASK_STATE_WORKING" } });
        assert!(task(new, Version::V03, "result").unwrap_err().problem.contains("no state"));
    }

    #[test]
    fn event_says_what_it_is_and_whether_it_is_the_last_in_the_words_of_0_3() {
        for (state, last) in [("TASK_STATE_WORKING", false), ("TASK_STATE_FAILED", true)] {
            let status = status(json!({ "state": state }), Version::V1, "status").unwrap();
            let event = TaskEvent::Status { status, metadata: Map::new() };
            let told = v03::event("t", "c", &event);
            assert_eq!(told["kind"], "status-update");
            assert_eq!((&told["taskId"], &told["contextId"]), (&json!("t"), &json!("c")));
            assert_eq!(told["final"], last);
        }
        let piece = json!({ "artifactId": "a", "parts": [{ "text": "x" }] });
        let artifact = artifact(piece, Version::V1, "artifact").unwrap();
        let metadata = Map::new();
        let event = TaskEvent::Artifact { artifact, append: true, last_chunk: false, metadata };
        let told = v03::event("t", "c", &event);
        assert_eq!(told["kind"], "artifact-update");
        assert_eq!((&told["append"], &told["lastChunk"]), (&json!(true), &json!(false)));
        assert_eq!(told["artifact"]["parts"][0]["kind"], "text");
    }

    #[test]
    fn version_is_its_first_two_numbers() {
        for (text, version) in [
            ("1.0", Some(Version::V1)),
            ("1.0.7", Some(Version::V1)),
            ("0.3", Some(Version::V03)),
            ("0.3.0", Some(Version::V03)),
            ("1", None),
            ("1.1", None),
            ("0.2.6", None),
            ("2.0", None),
            ("1.0.", None),
            ("1.0.x", None),
            ("1.0.0.0", None),
            ("01.0", None),
            (" 1.0", None),
            ("", None),
        ] {
            assert_eq!(Version::of(text), version, "{text:?}");
        }
    }
}
