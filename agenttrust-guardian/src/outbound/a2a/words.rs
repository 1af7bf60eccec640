//! What is asked of an agent and what it answers, in the words of the version that it speaks.

use serde_json::{Map, Value, json};

use super::{Handed, SendError, Sent, Update};
use crate::domain::Trace;
use crate::domain::task::{ParseError, Task, Version, read, v03};

/// The longest id that an agent may know a task by.
const ID_MAX_BYTES: usize = 512;

/// The request that an agent is sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call<'c> {
    Send(&'c Handed),
    Stream(&'c Handed),
    Get(&'c str),
    Cancel(&'c str),
    Subscribe(&'c str),
}

impl Call<'_> {
    /// Returns the method of JSON-RPC for it.
    pub(super) const fn method(&self, version: Version) -> &'static str {
        match (version, self) {
            (Version::V1, Self::Send(_)) => "SendMessage",
            (Version::V1, Self::Stream(_)) => "SendStreamingMessage",
            (Version::V1, Self::Get(_)) => "GetTask",
            (Version::V1, Self::Cancel(_)) => "CancelTask",
            (Version::V1, Self::Subscribe(_)) => "SubscribeToTask",
            (Version::V03, Self::Send(_)) => "message/send",
            (Version::V03, Self::Stream(_)) => "message/stream",
            (Version::V03, Self::Get(_)) => "tasks/get",
            (Version::V03, Self::Cancel(_)) => "tasks/cancel",
            (Version::V03, Self::Subscribe(_)) => "tasks/resubscribe",
        }
    }

    /// Returns what is given to the method.
    pub(super) fn params(&self, version: Version) -> Value {
        match self {
            Self::Send(handed) | Self::Stream(handed) => self.handing(handed, version),
            Self::Get(id) | Self::Cancel(id) | Self::Subscribe(id) => json!({ "id": id }),
        }
    }

    /// Returns the trace that goes on at the agent.
    pub(super) fn trace(&self) -> Option<&Trace> {
        match self {
            Self::Send(handed) | Self::Stream(handed) => handed.trace.as_ref(),
            Self::Get(_) | Self::Cancel(_) | Self::Subscribe(_) => None,
        }
    }

    fn handing(&self, handed: &Handed, version: Version) -> Value {
        let mut configuration = Map::new();
        if let Self::Send(_) = self {
            // What takes long is asked after; a call that hangs until the end would have no end itself.
            let (member, value) = match version {
                Version::V1 => ("returnImmediately", true),
                Version::V03 => ("blocking", false),
            };
            configuration.insert(member.to_owned(), value.into());
        }
        if !handed.accepted_output_modes.is_empty() {
            let modes = handed.accepted_output_modes.clone();
            configuration.insert("acceptedOutputModes".to_owned(), modes.into());
        }
        let message = match version {
            Version::V1 => json!(handed.message),
            Version::V03 => v03::message(&handed.message),
        };
        let mut params = Map::from_iter([("message".to_owned(), message)]);
        if !configuration.is_empty() {
            params.insert("configuration".to_owned(), configuration.into());
        }
        if !handed.metadata.is_empty() {
            params.insert("metadata".to_owned(), handed.metadata.clone().into());
        }
        params.into()
    }

    /// Returns the task that it is about, where it is about one that there is.
    pub(super) fn task_id(&self) -> Option<&str> {
        match self {
            Self::Send(handed) | Self::Stream(handed) => handed.message.task_id.as_deref(),
            Self::Get(id) | Self::Cancel(id) | Self::Subscribe(id) => Some(id),
        }
    }

    /// Returns whether it changes nothing.
    pub(super) const fn only_reads(&self) -> bool {
        matches!(self, Self::Get(_) | Self::Subscribe(_))
    }
}

/// Returns whether an agent that answers with this code cannot do what it was asked at all.
pub(super) const fn is_unsupported(code: i64) -> bool {
    // UnsupportedOperation, the method is not found, and the same over HTTP.
    matches!(code, -32004 | -32601 | 404 | 405 | 501)
}

/// Returns the answer to a message.
pub(super) fn sent(result: Value, version: Version, call: &Call<'_>) -> Result<Sent, SendError> {
    match told(result, version).map_err(|error| lies(&error))? {
        Update::Task(task) => {
            need_task(&task.id, call)?;
            Ok(Sent::Task(task))
        }
        Update::Message(message) => Ok(Sent::Message(message)),
        Update::Status { .. } | Update::Artifact { .. } => {
            Err(SendError::Lies("it is neither a task nor a message".to_owned()))
        }
    }
}

/// Returns the answer to what is asked about a task.
pub(super) fn task(result: Value, version: Version, call: &Call<'_>) -> Result<Task, SendError> {
    let task = read::task(result, version, "result").map_err(|error| lies(&error))?;
    need_task(&task.id, call)?;
    Ok(task)
}

/// Refuses another task than the one that was asked about, and one of which nothing can be asked.
pub(super) fn need_task(id: &str, call: &Call<'_>) -> Result<(), SendError> {
    if call.task_id().is_some_and(|asked| asked != id) {
        return Err(SendError::Lies("it is about another task than was asked about".to_owned()));
    }
    let plain = (1..=ID_MAX_BYTES).contains(&id.len()) && !id.chars().any(char::is_control);
    // These two mean another place in a path, however they are written there.
    if plain && id != "." && id != ".." {
        return Ok(());
    }
    Err(SendError::Lies("the id of its task is not an id".to_owned()))
}

/// Returns what an agent says, as an answer or in a stream.
pub(super) fn told(result: Value, version: Version) -> Result<Update, ParseError> {
    let Value::Object(members) = result else {
        return Err(ParseError::of("result", "is no object"));
    };
    match version {
        Version::V1 => told_in_v1(members),
        Version::V03 => told_in_v03(members),
    }
}

fn told_in_v1(mut members: Map<String, Value>) -> Result<Update, ParseError> {
    let mut found = ["task", "message", "statusUpdate", "artifactUpdate"]
        .into_iter()
        .filter_map(|kind| Some((kind, members.remove(kind).filter(|it| !it.is_null())?)))
        .collect::<Vec<_>>();
    let (Some((kind, value)), true) = (found.pop(), found.is_empty()) else {
        let problem =
            "has none of task, message, statusUpdate and artifactUpdate, or more than one";
        return Err(ParseError::of("result", problem));
    };
    let at = format!("result.{kind}");
    match (kind, value) {
        ("task", task) => Ok(Update::Task(Box::new(read::task(task, Version::V1, &at)?))),
        ("message", said) => Ok(Update::Message(Box::new(read::message(said, Version::V1, &at)?))),
        ("statusUpdate", Value::Object(members)) => status(members, Version::V1, &at),
        ("artifactUpdate", Value::Object(members)) => artifact(members, Version::V1, &at),
        _ => Err(ParseError::of(&at, "is no object")),
    }
}

fn told_in_v03(members: Map<String, Value>) -> Result<Update, ParseError> {
    let kind = members.get("kind").and_then(Value::as_str);
    // Not every agent says it.
    let kind = kind.unwrap_or(if members.contains_key("messageId") { "message" } else { "task" });
    match kind {
        "status-update" => status(members, Version::V03, "result"),
        "artifact-update" => artifact(members, Version::V03, "result"),
        "message" => {
            let message = read::message(members.into(), Version::V03, "result")?;
            Ok(Update::Message(Box::new(message)))
        }
        "task" => Ok(Update::Task(Box::new(read::task(members.into(), Version::V03, "result")?))),
        _ => Err(ParseError::of("result.kind", "does not exist in A2A 0.3")),
    }
}

fn status(mut it: Map<String, Value>, version: Version, at: &str) -> Result<Update, ParseError> {
    let status = it.remove("status").unwrap_or_default();
    Ok(Update::Status {
        task_id: text(&mut it, "taskId", at)?,
        context_id: text(&mut it, "contextId", at).unwrap_or_default(),
        status: read::status(status, version, &format!("{at}.status"))?,
        metadata: metadata(&mut it),
    })
}

fn artifact(mut it: Map<String, Value>, version: Version, at: &str) -> Result<Update, ParseError> {
    let artifact = it.remove("artifact").unwrap_or_default();
    let is = |member: &str| it.get(member) == Some(&Value::Bool(true));
    let (append, last_chunk) = (is("append"), is("lastChunk"));
    Ok(Update::Artifact {
        task_id: text(&mut it, "taskId", at)?,
        context_id: text(&mut it, "contextId", at).unwrap_or_default(),
        artifact: read::artifact(artifact, version, &format!("{at}.artifact"))?,
        append,
        last_chunk,
        metadata: metadata(&mut it),
    })
}

fn text(members: &mut Map<String, Value>, member: &str, at: &str) -> Result<String, ParseError> {
    match members.remove(member) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(ParseError::of(&format!("{at}.{member}"), "is no text")),
    }
}

fn metadata(members: &mut Map<String, Value>) -> Map<String, Value> {
    match members.remove("metadata") {
        Some(Value::Object(metadata)) => metadata,
        _ => Map::new(),
    }
}

/// Returns what cannot be read of an answer.
pub(super) fn lies(error: &ParseError) -> SendError {
    SendError::Lies(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::task::{Message, MessageRole, Part, TaskState};

    fn handed(task_id: Option<&str>) -> Handed {
        let message = Message {
            task_id: task_id.map(str::to_owned),
            role: MessageRole::User,
            parts: vec![Part::text("hi")],
            ..Message::of_agent("m1".to_owned(), "")
        };
        let metadata = Map::from_iter([("k".to_owned(), Value::from(1))]);
        let accepted_output_modes = vec!["text/plain".to_owned()];
        Handed { message, accepted_output_modes, metadata, trace: None }
    }

    #[test]
    fn message_is_handed_over_in_the_words_of_each_version_and_answered_at_once() {
        let handed = handed(None);
        let call = Call::Send(&handed);
        assert_eq!(
            call.params(Version::V1),
            json!({
                "message": { "messageId": "m1", "role": "ROLE_USER", "parts": [{ "text": "hi" }] },
                "configuration": { "returnImmediately": true, "acceptedOutputModes": ["text/plain"] },
                "metadata": { "k": 1 },
            })
        );
        let old = call.params(Version::V03);
        assert_eq!(old["configuration"]["blocking"], false);
        assert_eq!(old["message"]["kind"], "message");
        assert_eq!(old["message"]["parts"][0], json!({ "kind": "text", "text": "hi" }));
        // A stream says all of it anyway.
        let stream = Call::Stream(&handed).params(Version::V1);
        assert_eq!(stream["configuration"], json!({ "acceptedOutputModes": ["text/plain"] }));
    }

    #[test]
    fn answer_of_another_version_another_task_or_two_things_is_none() {
        let task =
            json!({ "id": "t", "contextId": "c", "status": { "state": "TASK_STATE_WORKING" } });
        let old = json!({ "kind": "task", "id": "t", "contextId": "c", "status": { "state": "working" } });
        let message = json!({ "messageId": "m", "role": "ROLE_AGENT", "parts": [{ "text": "x" }] });
        let (fresh, going_on) = (handed(None), handed(Some("t")));
        let other = handed(Some("other"));
        let sends = |handed, result: &Value, version| {
            sent(result.clone(), version, &Call::Send(handed)).map(drop)
        };
        let wrapped = json!({ "task": task });
        assert_eq!(sends(&fresh, &wrapped, Version::V1), Ok(()));
        assert_eq!(sends(&going_on, &wrapped, Version::V1), Ok(()));
        assert_eq!(sends(&fresh, &old, Version::V03), Ok(()));
        for (handed, result, version) in [
            (&other, &wrapped, Version::V1),
            (&fresh, &old, Version::V1),
            (&fresh, &task, Version::V1),
            (&fresh, &task, Version::V03),
            (&fresh, &wrapped, Version::V03),
            (&fresh, &json!({ "task": task, "message": message }), Version::V1),
            (&fresh, &json!({}), Version::V1),
            (&fresh, &json!("done"), Version::V1),
            (
                &fresh,
                &json!({ "statusUpdate": { "taskId": "t", "contextId": "c",
                "status": { "state": "TASK_STATE_WORKING" } } }),
                Version::V1,
            ),
        ] {
            let refused = sends(handed, result, version);
            assert!(matches!(refused, Err(SendError::Lies(_))), "{result}: {refused:?}");
        }
        for id in ["", ".", "..", "a\nb", &"x".repeat(513)] {
            let mut task = task.clone();
            task["id"] = id.into();
            let refused = sends(&fresh, &json!({ "task": task }), Version::V1);
            assert!(matches!(refused, Err(SendError::Lies(_))), "{id:?}");
        }
    }

    #[test]
    fn what_a_stream_says_is_the_same_in_both_versions() {
        let status =
            |state: &str| json!({ "taskId": "t", "contextId": "c", "status": { "state": state } });
        let mut old = status("completed");
        old["kind"] = "status-update".into();
        let new = json!({ "statusUpdate": status("TASK_STATE_COMPLETED") });
        let told_old = told(old, Version::V03).unwrap();
        assert_eq!(told_old, told(new, Version::V1).unwrap());
        let Update::Status { status, .. } = told_old else { panic!("{told_old:?}") };
        assert_eq!(status.state, TaskState::Completed);

        let of = |part: Value| {
            let artifact = json!({ "artifactId": "a", "parts": [part] });
            json!({ "taskId": "t", "contextId": "c", "artifact": artifact, "append": true })
        };
        let mut old = of(json!({ "kind": "text", "text": "x" }));
        old["kind"] = "artifact-update".into();
        let new = json!({ "artifactUpdate": of(json!({ "text": "x" })) });
        assert_eq!(told(old, Version::V03).unwrap(), told(new, Version::V1).unwrap());
        for bad in [json!({ "kind": "other" }), json!({ "kind": "status-update" }), json!([])] {
            assert!(told(bad.clone(), Version::V03).is_err(), "{bad}");
        }
        assert!(told(json!({ "statusUpdate": [] }), Version::V1).is_err());
    }
}
