//! What a target tells of a task, as its caller sees it: by our ids, and never back from an end.

use std::collections::HashSet;

use agenttrust::Timestamp;
use serde_json::{Map, Value};

use crate::domain::ids;
use crate::domain::task::{
    Artifact, Message, MessageRole, TRUST_EXTENSION, Task, TaskChange, TaskEvent, TaskState,
    TaskStatus, trust,
};
use crate::outbound::a2a::Update;

/// Takes over a task as its target has it.
pub(super) fn task(ours: &mut Task, theirs: Task, now: Timestamp) -> TaskChange {
    let (stands, said) = (status(ours, theirs.status, now), metadata(theirs.metadata));
    let is_other = stands != ours.status || said != ours.metadata;
    (ours.status, ours.metadata) = (stands, said);
    let mut artifacts = theirs.artifacts;
    artifacts.iter_mut().for_each(trust::strip_artifact);
    let has_more = !artifacts.is_empty() && artifacts != ours.artifacts;
    if has_more {
        ours.artifacts = artifacts;
    }
    if history(ours, theirs.history) || has_more {
        return TaskChange::Whole;
    }
    match is_other {
        true => TaskChange::Piece(Box::new(TaskEvent::Status {
            status: ours.status.clone(),
            metadata: ours.metadata.clone(),
        })),
        false => TaskChange::Nothing,
    }
}

/// Takes over a message that is all that came of a task.
pub(super) fn answer(ours: &mut Task, theirs: Message, now: Timestamp) -> TaskChange {
    let Some(said) = own(ours, theirs) else {
        let text = "the agent answered in the name of its sender, which is not believed";
        say(ours, TaskState::Failed, text, now, None);
        return TaskChange::Whole;
    };
    ours.history.push(said.clone());
    ours.status =
        TaskStatus { state: TaskState::Completed, message: Some(said), timestamp: Some(now) };
    ours.metadata.remove(TRUST_EXTENSION);
    TaskChange::Whole
}

/// Takes over what a target tells while it works.
pub(super) fn update(ours: &mut Task, theirs: Update, now: Timestamp) -> TaskChange {
    match theirs {
        Update::Task(theirs) => task(ours, *theirs, now),
        Update::Message(theirs) => answer(ours, *theirs, now),
        Update::Status { status: theirs, metadata: said, .. } => {
            let (stands, said) = (status(ours, theirs, now), metadata(said));
            let was_known = ours.metadata.remove(TRUST_EXTENSION).is_some();
            if stands == ours.status && said.is_empty() && !was_known {
                return TaskChange::Nothing;
            }
            ours.status = stands;
            let status = ours.status.clone();
            TaskChange::Piece(Box::new(TaskEvent::Status { status, metadata: said }))
        }
        Update::Artifact { artifact: mut theirs, append, last_chunk, metadata: said, .. } => {
            trust::strip_artifact(&mut theirs);
            if !artifact(&mut ours.artifacts, theirs.clone(), append) {
                return TaskChange::Nothing;
            }
            let metadata = metadata(said);
            let piece = TaskEvent::Artifact { artifact: theirs, append, last_chunk, metadata };
            TaskChange::Piece(Box::new(piece))
        }
    }
}

/// Puts a message of its sender into a task, as it was said; one that is there stays as it is.
pub(super) fn said(ours: &mut Task, message: &Message) {
    let is_it =
        |known: &Message| known.role == MessageRole::User && known.message_id == message.message_id;
    if !ours.history.iter().any(is_it) {
        let said = super::asked::shown(message, &ours.id, &ours.context_id);
        ours.history.push(said);
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

/// Returns whether it is not known if the target of a task received a message of it.
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
        message: theirs.message.and_then(|said| own(ours, said)),
        timestamp: theirs.timestamp.or(since).or(Some(now)),
    }
}

/// Returns a message of the target's own, by our ids; `None` for one that it says in another's name.
fn own(ours: &Task, theirs: Message) -> Option<Message> {
    let is_said =
        |known: &Message| known.role == MessageRole::User && known.message_id == theirs.message_id;
    let is_own = theirs.role == MessageRole::Agent && !ours.history.iter().any(is_said);
    is_own.then(|| message(ours, theirs))
}

/// Returns a message by our ids. Others that it refers to are the target's own, and not known here.
fn message(ours: &Task, theirs: Message) -> Message {
    let mut said = Message {
        task_id: Some(ours.id.clone()),
        context_id: Some(ours.context_id.clone()),
        reference_task_ids: Vec::new(),
        ..theirs
    };
    trust::strip_message(&mut said);
    said
}

/// Returns what a target says beside; the Guardian's own word is not its to say.
fn metadata(mut theirs: Map<String, Value>) -> Map<String, Value> {
    trust::strip(&mut theirs);
    theirs
}

/// A message of a history as it is put together.
enum Line {
    /// A message of the sender, by its place before.
    Said(usize),
    Answered(Box<Message>),
}

/// Takes over what the target said itself; what its sender said stays as it was said, and is put where the target has
/// it.
/// Returns whether anything is another one then.
fn history(ours: &mut Task, theirs: Vec<Message>) -> bool {
    if theirs.is_empty() {
        return false;
    }
    let said: Vec<(usize, String)> = ours
        .history
        .iter()
        .enumerate()
        .filter(|(_, known)| known.role == MessageRole::User)
        .map(|(place, known)| (place, known.message_id.clone()))
        .collect();
    let place = |one: &Message| match one.role {
        MessageRole::User => said.iter().position(|(_, id)| *id == one.message_id),
        MessageRole::Agent => None,
    };
    let ids: HashSet<&str> = said.iter().map(|(_, id)| id.as_str()).collect();
    let mut left = said.iter().map(|(place, _)| Line::Said(*place)).enumerate().peekable();
    // What stands before all that the target tells: it may tell only the last ones.
    let first = theirs.iter().find_map(&place).unwrap_or(said.len());
    let mut lines = Vec::new();
    lines.extend(std::iter::from_fn(|| left.next_if(|(number, _)| *number < first)));
    for one in theirs {
        if let Some(known) = place(&one) {
            lines.extend(std::iter::from_fn(|| left.next_if(|(number, _)| *number <= known)));
        } else if one.role == MessageRole::Agent && !ids.contains(one.message_id.as_str()) {
            lines.push((0, Line::Answered(Box::new(message(ours, one)))));
        }
    }
    lines.extend(left);
    let is_same = |(place, (_, line)): (usize, &(usize, Line))| match line {
        Line::Said(before) => *before == place,
        Line::Answered(one) => ours.history.get(place) == Some(&**one),
    };
    if lines.len() == ours.history.len() && lines.iter().enumerate().all(is_same) {
        return false;
    }
    let mut before: Vec<Option<Message>> =
        std::mem::take(&mut ours.history).into_iter().map(Some).collect();
    let line = |(_, line)| match line {
        Line::Said(place) => before.get_mut(place).and_then(Option::take),
        Line::Answered(one) => Some(*one),
    };
    ours.history = lines.into_iter().filter_map(line).collect();
    true
}

/// Puts a result, or a piece of one, to the others. Returns whether that changed anything.
fn artifact(ours: &mut Vec<Artifact>, theirs: Artifact, append: bool) -> bool {
    let known = ours.iter_mut().find(|known| known.artifact_id == theirs.artifact_id);
    match known {
        Some(_) if append && theirs.parts.is_empty() => return false,
        Some(known) if append => known.parts.extend(theirs.parts),
        Some(known) if *known == theirs => return false,
        Some(known) => *known = theirs,
        None => ours.push(theirs),
    }
    true
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
            "history": [{ "messageId": "a", "role": "ROLE_AGENT", "parts": [{ "text": "do" }], "taskId": "secret-1" }],
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
    fn history_is_what_was_said_in_the_order_that_its_target_has_it() {
        let of = |history: &[(&str, &str)]| -> Task {
            let message = |(role, id): &(&str, &str)| {
                let text = format!("{role} {id}");
                json!({ "messageId": id, "role": role, "parts": [{ "text": text }] })
            };
            let history: Vec<Value> = history.iter().map(message).collect();
            let status = json!({ "state": "TASK_STATE_WORKING" });
            serde_json::from_value(json!({ "id": "t", "status": status, "history": history }))
                .unwrap()
        };
        let (user, agent) = ("ROLE_USER", "ROLE_AGENT");
        let both = [(user, "1"), (user, "2")];
        for (theirs, ids) in [
            (vec![], "1 2"),
            (vec![(user, "1"), (agent, "a"), (user, "2"), (agent, "b")], "1 a 2 b"),
            (vec![(user, "1"), (agent, "a")], "1 a 2"),
            (vec![(agent, "b")], "1 2 b"),
            (vec![(agent, "a"), (user, "2"), (agent, "b")], "1 a 2 b"),
            (vec![(user, "2"), (agent, "b"), (user, "1")], "1 2 b"),
            (vec![(user, "3"), (agent, "2"), (agent, "b"), (user, "2"), (user, "2")], "1 b 2"),
        ] {
            let mut ours = of(&both);
            let is_other = history(&mut ours, of(&theirs).history);
            let found: Vec<&str> = ours.history.iter().map(|it| it.message_id.as_str()).collect();
            assert_eq!(found.join(" "), ids, "{theirs:?}");
            assert_eq!(is_other, ids != "1 2", "{theirs:?}");
            for message in &ours.history {
                let text = json!(message.parts);
                assert!(
                    !text.to_string().contains(user)
                        || both.iter().any(|it| it.1 == message.message_id)
                );
            }
            // The same told again changes nothing.
            assert!(!history(&mut ours, of(&theirs).history), "{theirs:?}");
        }
    }

    #[test]
    fn what_is_told_again_changes_nothing_and_what_only_stands_otherwise_is_a_piece() {
        let now = Timestamp::now();
        let mut ours = ours();
        let mut theirs = ours.clone();
        theirs.status.state = TaskState::Working;
        theirs.metadata.clear();
        let told = task(&mut ours, theirs.clone(), now);
        let TaskChange::Piece(piece) = told else { panic!("{told:?}") };
        assert!(matches!(*piece, TaskEvent::Status { .. }), "{piece:?}");
        assert_eq!(task(&mut ours, theirs.clone(), now), TaskChange::Nothing);
        theirs.history.push(Message::of_agent("a".to_owned(), "on it"));
        assert_eq!(task(&mut ours, theirs.clone(), now), TaskChange::Whole);
        assert_eq!(task(&mut ours, theirs, now), TaskChange::Nothing);
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
