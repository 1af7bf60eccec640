//! What a target tells of a task, as its caller sees it: by our ids, and never back from an end.

use agenttrust::Timestamp;
use serde_json::{Map, Value};

use crate::domain::ids;
use crate::domain::task::{
    Artifact, Message, TRUST_EXTENSION, Task, TaskEvent, TaskState, TaskStatus,
};
use crate::outbound::a2a::Update;

/// Takes over a task as its target has it.
pub(super) fn task(ours: &mut Task, theirs: Task, now: Timestamp) {
    ours.status = status(ours, theirs.status, now);
    if !theirs.artifacts.is_empty() {
        ours.artifacts = theirs.artifacts;
    }
    if !theirs.history.is_empty() {
        ours.history = theirs.history.into_iter().map(|said| message(ours, said)).collect();
    }
    ours.metadata = metadata(theirs.metadata);
}

/// Takes over a message that is all that came of a task.
pub(super) fn answer(ours: &mut Task, theirs: Message, now: Timestamp) {
    let said = message(ours, theirs);
    ours.history.push(said.clone());
    ours.status =
        TaskStatus { state: TaskState::Completed, message: Some(said), timestamp: Some(now) };
    ours.metadata.remove(TRUST_EXTENSION);
}

/// Takes over what a target tells while it works, and returns it as followers hear it.
pub(super) fn update(ours: &mut Task, theirs: Update, now: Timestamp) -> TaskEvent {
    match theirs {
        Update::Task(theirs) => {
            task(ours, *theirs, now);
            TaskEvent::Task(Box::new(ours.clone()))
        }
        Update::Message(theirs) => {
            answer(ours, *theirs, now);
            TaskEvent::Task(Box::new(ours.clone()))
        }
        Update::Status { status: theirs, metadata: said, .. } => {
            ours.status = status(ours, theirs, now);
            ours.metadata.remove(TRUST_EXTENSION);
            TaskEvent::Status { status: ours.status.clone(), metadata: metadata(said) }
        }
        Update::Artifact { artifact: theirs, append, last_chunk, metadata: said, .. } => {
            artifact(&mut ours.artifacts, theirs.clone(), append);
            TaskEvent::Artifact { artifact: theirs, append, last_chunk, metadata: metadata(said) }
        }
    }
}

/// Says how a task stands in words of the Guardian's own, and what it knows beside.
pub(super) fn say(
    ours: &mut Task,
    state: TaskState,
    text: impl Into<String>,
    now: Timestamp,
    known: Option<Value>,
) {
    let said = Message::of_agent(ids::new("note_"), text);
    let said = message(ours, said);
    ours.status = TaskStatus { state, message: Some(said), timestamp: Some(now) };
    ours.metadata.remove(TRUST_EXTENSION);
    if let Some(known) = known {
        ours.metadata.insert(TRUST_EXTENSION.to_owned(), known);
    }
}

/// Whether it is not known if the target of a task received a message of it.
pub(super) fn is_in_doubt(ours: &Task) -> bool {
    let known = ours.metadata.get(TRUST_EXTENSION);
    known.and_then(|known| known.get("in_doubt")).is_some_and(|doubted| doubted == true)
}

/// Says how a task stands, and nothing beside.
pub(super) fn stand(ours: &mut Task, state: TaskState, now: Timestamp) {
    ours.status = TaskStatus { state, message: None, timestamp: Some(now) };
    ours.metadata.remove(TRUST_EXTENSION);
}

fn status(ours: &Task, theirs: TaskStatus, now: Timestamp) -> TaskStatus {
    // Where it says no time, it stands so since we first heard of it.
    let since = ours.status.timestamp.filter(|_| ours.status.state == theirs.state);
    TaskStatus {
        state: theirs.state,
        message: theirs.message.map(|said| message(ours, said)),
        timestamp: theirs.timestamp.or(since).or(Some(now)),
    }
}

/// A message by our ids. Others that it refers to are the target's own, and known to no one here.
fn message(ours: &Task, theirs: Message) -> Message {
    Message {
        task_id: Some(ours.id.clone()),
        context_id: Some(ours.context_id.clone()),
        reference_task_ids: Vec::new(),
        ..theirs
    }
}

/// What a target says beside; the Guardian's own word is not its to say.
fn metadata(mut theirs: Map<String, Value>) -> Map<String, Value> {
    theirs.remove(TRUST_EXTENSION);
    theirs
}

/// Puts a result, or a piece of one, to the others.
pub(super) fn artifact(ours: &mut Vec<Artifact>, theirs: Artifact, append: bool) {
    let known = ours.iter_mut().find(|known| known.artifact_id == theirs.artifact_id);
    match known {
        Some(known) if append => known.parts.extend(theirs.parts),
        Some(known) => *known = theirs,
        None => ours.push(theirs),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::task::Part;

    fn ours() -> Task {
        serde_json::from_value(json!({
            "id": "task_ours", "contextId": "ctx_ours", "status": { "state": "TASK_STATE_SUBMITTED" },
            "history": [{ "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": "do" }] }],
            "metadata": { TRUST_EXTENSION: { "in_doubt": true } },
        }))
        .unwrap()
    }

    #[test]
    fn targets_ids_and_words_in_our_name_are_not_taken_over() {
        let mut task_of_ours = ours();
        let theirs = serde_json::from_value(json!({
            "id": "secret-1", "contextId": "secret-2",
            "status": {
                "state": "TASK_STATE_WORKING",
                "message": {
                    "messageId": "t", "role": "ROLE_AGENT", "parts": [{ "text": "on it" }],
                    "taskId": "secret-1", "contextId": "secret-2", "referenceTaskIds": ["secret-3"],
                },
            },
            "history": [{ "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": "do" }], "taskId": "secret-1" }],
            "metadata": { TRUST_EXTENSION: { "approval_id": "apr_mine" }, "model": "x" },
        }))
        .unwrap();
        task(&mut task_of_ours, theirs, Timestamp::now());
        let text = json!(task_of_ours).to_string();
        assert!(!text.contains("secret"), "{text}");
        assert!(!text.contains(TRUST_EXTENSION), "{text}");
        assert_eq!(task_of_ours.metadata["model"], "x");
        assert_eq!(task_of_ours.status.message.unwrap().task_id.as_deref(), Some("task_ours"));
    }

    #[test]
    fn pieces_of_a_result_come_together() {
        let mut task = ours();
        let piece = |text: &str, append| Update::Artifact {
            task_id: "t".to_owned(),
            context_id: "c".to_owned(),
            artifact: Artifact {
                artifact_id: "a".to_owned(),
                name: None,
                description: None,
                parts: vec![Part::text(text)],
                metadata: Map::new(),
                extensions: Vec::new(),
            },
            append,
            last_chunk: false,
            metadata: Map::new(),
        };
        for (text, append, parts) in [("one", true, 1), ("two", true, 2), ("new", false, 1)] {
            update(&mut task, piece(text, append), Timestamp::now());
            assert_eq!(task.artifacts[0].parts.len(), parts);
        }
        assert_eq!(task.artifacts.len(), 1);
    }
}
