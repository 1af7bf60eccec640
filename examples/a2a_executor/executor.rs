//! The agent: each task is checked before it is worked on and reported afterwards.
//!
//! | the Guardian says | the task is |
//! |---|---|
//! | yes | `completed`, with an artifact, or `failed` when the work went wrong |
//! | only after an approver approved it | `auth-required`, naming the approval, until a message continues it |
//! | no | `rejected` |
//! | nothing, being away | `failed` |

use a2a::{
    A2AError, Artifact, Message, Part, Role, StreamResponse, Task, TaskArtifactUpdateEvent,
    TaskState, TaskStatus, TaskStatusUpdateEvent, new_artifact_id,
};
use a2a_server::{AgentExecutor, ExecutorContext};
use agenttrust::{AgentTrustError, AgentTrustGuard};
use agenttrust_examples::Folder;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use serde_json::json;

use crate::errand::Errand;

/// Runs errands in a folder, as the agent of its guard.
#[derive(Clone, Debug)]
pub(crate) struct Librarian {
    pub(crate) guard: AgentTrustGuard,
    pub(crate) folder: Folder,
}

type Event = Result<StreamResponse, A2AError>;

impl AgentExecutor for Librarian {
    fn execute(&self, context: ExecutorContext) -> BoxStream<'static, Event> {
        // A2A has a stream begin with the task itself.
        let begun = stream::iter([Ok(StreamResponse::Task(begun(&context)))]);
        let librarian = self.clone();
        let work = async move { stream::iter(librarian.work(&context).await.into_iter().map(Ok)) };
        begun.chain(stream::once(work).flatten()).boxed()
    }

    /// Ends a task. There is nothing to undo: a task that is held has done nothing yet, and one that is at work ends.
    fn cancel(&self, context: ExecutorContext) -> BoxStream<'static, Event> {
        let canceled = status(&context, TaskState::Canceled, Vec::new());
        stream::iter([Ok(canceled)]).boxed()
    }
}

impl Librarian {
    async fn work(&self, context: &ExecutorContext) -> Vec<StreamResponse> {
        let says = |state, text: String| vec![status(context, state, vec![Part::text(text)])];
        let errand = match Errand::from_context(context) {
            Ok(errand) => errand,
            Err(why) => return says(TaskState::Rejected, why.to_string()),
        };
        // Asked each time, the first and when a message continues the task: the message itself grants
        // nothing. What does is the operator's word, which the Guardian has, for this very input.
        let permit = match self.guard.authorize(errand.action()).await {
            Ok(permit) => permit,
            Err(AgentTrustError::ElevationRequired { message, approval_id }) => {
                // In words for people, and beside them for programs.
                let parts =
                    vec![Part::text(message), Part::data(json!({ "approval_id": approval_id }))];
                return vec![status(context, TaskState::AuthRequired, parts)];
            }
            Err(denial @ AgentTrustError::ActionDenied { .. }) => {
                return says(TaskState::Rejected, denial.to_string());
            }
            // Nobody said no, and nobody said yes either: it may be asked for anew.
            Err(error) => return says(TaskState::Failed, error.to_string()),
        };
        // Held while it runs. Should this future be dropped on the way, the permit reports that.
        let outcome = errand.run(&self.folder).await;
        permit.finish(&outcome);
        match outcome {
            Ok(text) => {
                vec![artifact(context, text), status(context, TaskState::Completed, vec![])]
            }
            Err(error) => says(TaskState::Failed, error.to_string()),
        }
    }
}

/// Returns the task as it is taken up: new, or as it was left when it was held.
fn begun(context: &ExecutorContext) -> Task {
    let mut task = context.stored_task.clone().unwrap_or_else(|| Task {
        id: context.task_id.clone(),
        context_id: context.context_id.clone(),
        status: TaskStatus { state: TaskState::Submitted, message: None, timestamp: None },
        artifacts: None,
        history: None,
        metadata: None,
    });
    // What is streamed replaces what is stored, and not every request comes with its message in it.
    let history = task.history.get_or_insert_default();
    if let Some(message) = &context.message
        && history.iter().all(|told| told.message_id != message.message_id)
    {
        history.push(message.clone());
    }
    task.status = TaskStatus { state: TaskState::Working, message: None, timestamp: None };
    task
}

/// Returns the task's new state, and what the agent says to it.
fn status(context: &ExecutorContext, state: TaskState, parts: Vec<Part>) -> StreamResponse {
    let message = (!parts.is_empty()).then(|| Message {
        task_id: Some(context.task_id.clone()),
        context_id: Some(context.context_id.clone()),
        ..Message::new(Role::Agent, parts)
    });
    StreamResponse::StatusUpdate(TaskStatusUpdateEvent {
        task_id: context.task_id.clone(),
        context_id: context.context_id.clone(),
        status: TaskStatus { state, message, timestamp: None },
        metadata: None,
    })
}

/// Returns what came of the task.
fn artifact(context: &ExecutorContext, text: String) -> StreamResponse {
    StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
        task_id: context.task_id.clone(),
        context_id: context.context_id.clone(),
        artifact: Artifact {
            artifact_id: new_artifact_id(),
            name: Some("result".to_owned()),
            description: None,
            parts: vec![Part::text(text)],
            metadata: None,
            extensions: None,
        },
        append: None,
        last_chunk: Some(true),
        metadata: None,
    })
}

/// Returns the approval that a task waits for, if it waits for one.
pub(crate) fn approval_of(task: &Task) -> Option<&str> {
    let message = task.status.message.as_ref()?;
    let data = message.parts.iter().find_map(|part| match &part.content {
        a2a::PartContent::Data(data) => Some(data),
        _ => None,
    });
    data?["approval_id"].as_str()
}
