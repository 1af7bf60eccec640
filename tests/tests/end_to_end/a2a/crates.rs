//! The maintained crates of A2A for Rust: an agent on `a2a-server-lf`, in this process, and the client `a2a-client-lf`.

use std::sync::Arc;

use a2a::{
    A2AError, Artifact, CancelTaskRequest, GetTaskRequest, ListTasksRequest, Message, Part, Role,
    SendMessageConfiguration, SendMessageRequest, SendMessageResponse, StreamResponse,
    SubscribeToTaskRequest, Task, TaskArtifactUpdateEvent, TaskState, TaskStatus,
    TaskStatusUpdateEvent, new_artifact_id,
};
use a2a_client::agent_card::AgentCardResolver;
use a2a_client::auth::AuthInterceptor;
use a2a_client::{A2AClient, A2AClientFactory, Transport};
use a2a_server::jsonrpc::jsonrpc_router;
use a2a_server::rest::rest_router;
use a2a_server::{AgentExecutor, DefaultRequestHandler, ExecutorContext, InMemoryTaskStore};
use agenttrust_tests::bounded::{in_a_runtime, until};
use agenttrust_tests::runs::Runs;
use agenttrust_tests::socket::Socket;
use anyhow::{Context, Result, bail, ensure};
use axum::Router;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use serde_json::{Value, json};

use super::targets::{address, published};
use crate::mcp::guardian_with_agent::GuardianWithAgent;

/// Does what the first message of a task says: `echo` gives back, `ask` wants to know more until it is told `done`,
/// `wait` goes on until it is canceled.
#[derive(Clone, Debug, Default)]
struct Peer(Runs);

type Event = Result<StreamResponse, A2AError>;

impl AgentExecutor for Peer {
    fn execute(&self, context: ExecutorContext) -> BoxStream<'static, Event> {
        let said = context.message.as_ref().and_then(Message::text).unwrap_or_default().to_owned();
        self.0.ran(&said);
        let task = begun(&context);
        let first = task.history.iter().flatten().next().and_then(Message::text);
        let verb = first.unwrap_or_default().split(' ').next().unwrap_or_default();
        let events = match verb {
            "wait" => Vec::new(),
            "ask" if said != "done" => {
                vec![status(&context, TaskState::InputRequired, Some("what else?"))]
            }
            _ => vec![artifact(&context, &said), status(&context, TaskState::Completed, None)],
        };
        let rest = match verb {
            "wait" => stream::pending().boxed(),
            _ => stream::empty().boxed(),
        };
        let begun = stream::iter([Ok(StreamResponse::Task(task))]);
        begun.chain(stream::iter(events.into_iter().map(Ok))).chain(rest).boxed()
    }

    fn cancel(&self, context: ExecutorContext) -> BoxStream<'static, Event> {
        stream::iter([Ok(status(&context, TaskState::Canceled, None))]).boxed()
    }
}

/// Returns the task as it is taken up, new or left.
fn begun(context: &ExecutorContext) -> Task {
    let mut task = context.stored_task.clone().unwrap_or_else(|| Task {
        id: context.task_id.clone(),
        context_id: context.context_id.clone(),
        status: TaskStatus { state: TaskState::Submitted, message: None, timestamp: None },
        artifacts: None,
        history: None,
        metadata: None,
    });
    let history = task.history.get_or_insert_default();
    if let Some(message) = &context.message
        && history.iter().all(|told| told.message_id != message.message_id)
    {
        history.push(message.clone());
    }
    task.status = TaskStatus { state: TaskState::Working, message: None, timestamp: None };
    task
}

fn status(context: &ExecutorContext, state: TaskState, text: Option<&str>) -> StreamResponse {
    let message = text.map(|text| Message::new(Role::Agent, vec![Part::text(text)]));
    StreamResponse::StatusUpdate(TaskStatusUpdateEvent {
        task_id: context.task_id.clone(),
        context_id: context.context_id.clone(),
        status: TaskStatus { state, message, timestamp: None },
        metadata: None,
    })
}

fn artifact(context: &ExecutorContext, text: &str) -> StreamResponse {
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

/// An agent on a socket, at `/rpc` and `/rest`, until this is dropped.
#[derive(Debug)]
pub(super) struct Agent {
    socket: Socket,
    runs: Runs,
}

impl Agent {
    pub(super) fn serve() -> Result<Self> {
        let runs = Runs::default();
        let handler = DefaultRequestHandler::new(Peer(runs.clone()), InMemoryTaskStore::new());
        let handler = Arc::new(handler);
        let router = Router::new()
            .nest("/rpc", jsonrpc_router(handler.clone()))
            .nest("/rest", rest_router(handler));
        Ok(Self { socket: Socket::serve(router)?, runs })
    }

    /// Puts it behind a Guardian, and returns its id there.
    pub(super) async fn behind(
        &self,
        guardian: &GuardianWithAgent,
        binding: &str,
    ) -> Result<String> {
        let path = if binding == "JSONRPC" { "rpc" } else { "rest" };
        published(guardian, Some(self.interface(path, binding))).await
    }

    fn interface(&self, path: &str, binding: &str) -> Value {
        let url = format!("{}/{path}", self.socket.url());
        json!({ "url": url, "protocol_binding": binding, "protocol_version": "1.0" })
    }
}

/// A user of the client of the crates.
struct Visitor(A2AClient<Box<dyn Transport>>);

impl Visitor {
    async fn connect(guardian: &GuardianWithAgent, agent_id: &str) -> Result<Self> {
        let card = AgentCardResolver::new(None).resolve(&address(guardian, agent_id)).await?;
        let key = Arc::new(AuthInterceptor::custom("x-api-key", &guardian.key));
        let factory = A2AClientFactory::builder().with_interceptor(key).build();
        Ok(Self(factory.create_from_card(&card).await?))
    }

    async fn says(&self, text: &str, task: Option<&Task>, at_once: bool) -> Result<Task> {
        match self.0.send_message(&request(text, task, at_once)).await? {
            SendMessageResponse::Task(task) => Ok(task),
            SendMessageResponse::Message(message) => bail!("no task, but {message:?}"),
        }
    }

    async fn sees(&self, task: &Task, state: TaskState) -> Result<Task> {
        let request = GetTaskRequest { id: task.id.clone(), history_length: None, tenant: None };
        until(&format!("it is {state:?}"), async || {
            let now = self.0.get_task(&request).await?;
            Ok((now.status.state == state).then_some(now))
        })
        .await
    }
}

fn request(text: &str, task: Option<&Task>, at_once: bool) -> SendMessageRequest {
    let message = Message {
        task_id: task.map(|task| task.id.clone()),
        context_id: task.map(|task| task.context_id.clone()),
        ..Message::new(Role::User, vec![Part::text(text)])
    };
    let configuration = SendMessageConfiguration {
        accepted_output_modes: None,
        task_push_notification_config: None,
        history_length: None,
        return_immediately: Some(at_once),
    };
    SendMessageRequest { message, configuration: Some(configuration), metadata: None, tenant: None }
}

fn text_of(task: &Task) -> Option<&str> {
    task.artifacts.as_ref()?.first()?.parts.first()?.as_text()
}

fn reaches_its_agent(binding: &'static str) -> Result<()> {
    in_a_runtime(async move || {
        let (guardian, agent) = (GuardianWithAgent::start().await?, Agent::serve()?);
        let id = agent.behind(&guardian, binding).await?;
        let visitor = Visitor::connect(&guardian, &id).await?;

        let done = visitor.says("echo hello", None, false).await?;
        ensure!(done.status.state == TaskState::Completed, "{done:?}");
        ensure!(text_of(&done) == Some("echo hello"), "{done:?}");

        let asks = visitor.says("ask", None, false).await?;
        ensure!(asks.status.state == TaskState::InputRequired, "{asks:?}");
        let answered = visitor.says("done", Some(&asks), false).await?;
        ensure!(answered.id == asks.id, "{answered:?}");
        visitor.sees(&asks, TaskState::Completed).await?;

        let waits = visitor.says("wait", None, true).await?;
        visitor.sees(&waits, TaskState::Working).await?;
        let subscribe = SubscribeToTaskRequest { id: waits.id.clone(), tenant: None };
        let mut events = visitor.0.subscribe_to_task(&subscribe).await?;
        let first = events.next().await.context("an event")??;
        ensure!(matches!(&first, StreamResponse::Task(task) if task.id == waits.id), "{first:?}");
        let cancel = CancelTaskRequest { id: waits.id.clone(), metadata: None, tenant: None };
        visitor.0.cancel_task(&cancel).await?;
        visitor.sees(&waits, TaskState::Canceled).await?;
        let mut last = None;
        while let Some(event) = events.next().await {
            if let StreamResponse::StatusUpdate(update) = event? {
                last = Some(update.status.state);
            }
        }
        ensure!(last == Some(TaskState::Canceled), "the stream ended after {last:?}");

        let mut events = visitor.0.send_streaming_message(&request("echo 2", None, false)).await?;
        let mut states = Vec::new();
        while let Some(event) = events.next().await {
            match event? {
                StreamResponse::Task(task) => states.push(task.status.state),
                StreamResponse::StatusUpdate(update) => states.push(update.status.state),
                _ => {}
            }
        }
        ensure!(states.last() == Some(&TaskState::Completed), "{states:?}");
        let listing: ListTasksRequest = serde_json::from_value(json!({}))?;
        let listed = visitor.0.list_tasks(&listing).await?;
        ensure!(listed.total_size == 4 && listed.tasks.len() == 4, "{listed:?}");
        let sent = ["echo hello", "ask", "done", "wait", "echo 2"];
        ensure!(
            agent.runs.so_far() == sent,
            "each once, in this order, but {:?}",
            agent.runs.so_far()
        );
        Ok(())
    })
}

#[test]
fn the_client_of_the_crates_reaches_their_agent_by_json_rpc() -> Result<()> {
    reaches_its_agent("JSONRPC")
}

#[test]
fn the_client_of_the_crates_reaches_their_agent_by_http_and_json() -> Result<()> {
    reaches_its_agent("HTTP+JSON")
}
