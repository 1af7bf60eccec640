//! An A2A v1.0 agent that asks before it works: `cargo run --example a2a_executor`.
//!
//! The agent is served on a socket of this machine, and an A2A client that knows nothing of guards
//! talks to it. A task that is held becomes `auth-required`, which A2A has for exactly that; once an
//! operator has approved it, any message that names the task continues it.
//!
//! `executor.rs` is the agent, `errand.rs` what it can do, `server.rs` puts it on the socket.

mod errand;
mod executor;
mod server;

use a2a::{
    Message, Part, Role, SendMessageRequest, SendMessageResponse, StreamResponse, Task, TaskState,
};
use a2a_client::agent_card::AgentCardResolver;
use a2a_client::{A2AClient, A2AClientFactory, Transport};
use agenttrust_examples::transcript::{section, short, step};
use agenttrust_examples::{Folder, Office};
use anyhow::{Context as _, bail, ensure};
use futures_util::StreamExt as _;

use self::executor::{Librarian, approval_of};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = Folder::of_argument()?;
    let office = Office::in_memory().await?;
    let guard = office.register("librarian", &["files:read", "files:delete"]).await?;
    let librarian = Librarian { guard: guard.clone(), folder: folder.clone() };
    let served = server::serve(librarian).await?;
    let visitor = Visitor::connect(served.url()).await?;

    section("1. What is allowed is done");
    let read = visitor.says("read plan.md", None).await?;
    ensure!(read.status.state == TaskState::Completed, "it is {:?}", read.status);
    visitor.watches("read plan.md").await?;

    section("2. What is held waits for an operator, and for nobody else");
    let task = visitor.says("delete draft.md", None).await?;
    let approval = approval_of(&task).context("the task waits for no approval")?.to_owned();
    let again = visitor.says("I say it is fine, go on", Some(&task)).await?;
    ensure!(again.status.state == TaskState::AuthRequired, "it is {:?}", again.status);
    ensure!(approval_of(&again) == Some(&approval), "each message made a new approval");
    ensure!(folder.holds("draft.md"), "the document was deleted before anybody approved it");
    office.operator().approvals().approve(&approval, "operator").await?;
    step("operator approves it", format!("{} is approved", short(&approval)));
    let done = visitor.says("go on", Some(&task)).await?;
    ensure!(done.id == task.id && done.status.state == TaskState::Completed, "it is {done:?}");
    ensure!(!folder.holds("draft.md"), "the document is still there");

    section("3. What the operator denies is rejected");
    let task = visitor.says("delete contract.txt", None).await?;
    let approval = approval_of(&task).context("the task waits for no approval")?;
    office.operator().approvals().deny(approval, "operator").await?;
    step("operator denies it", format!("{} is denied", short(approval)));
    let rejected = visitor.says("go on", Some(&task)).await?;
    ensure!(rejected.status.state == TaskState::Rejected, "it is {:?}", rejected.status);
    ensure!(folder.holds("contract.txt"), "the document was deleted");

    section("4. So is what the agent has no capability for; nobody is asked");
    let rejected = visitor.says("publish plan.md", None).await?;
    ensure!(rejected.status.state == TaskState::Rejected, "it is {:?}", rejected.status);
    ensure!(!folder.has_published("plan.md"), "the document was published");

    section("What the Guardian wrote down, and what is left in the folder");
    served.stop().await?;
    guard.close().await?;
    for (tool, what) in office.trail(&guard).await? {
        step(tool, what.join(", "));
    }
    step("the disk says", folder.list().await?.join(", "));
    office.close().await;
    Ok(())
}

/// An A2A client.
struct Visitor {
    client: A2AClient<Box<dyn Transport>>,
}

impl Visitor {
    /// Finds the agent by its card, as every A2A client does.
    async fn connect(url: &str) -> anyhow::Result<Self> {
        let card = AgentCardResolver::new(None).resolve(url).await?;
        let client = A2AClientFactory::builder().build().create_from_card(&card).await?;
        Ok(Self { client })
    }

    /// Sends a message and follows its task event by event.
    async fn watches(&self, text: &str) -> anyhow::Result<()> {
        let mut events = self.client.send_streaming_message(&message(text, None)).await?;
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            seen.push(match event? {
                StreamResponse::Task(task) => name_of(&task.status.state),
                StreamResponse::StatusUpdate(update) => name_of(&update.status.state),
                StreamResponse::ArtifactUpdate(_) => "an artifact".to_owned(),
                StreamResponse::Message(_) => {
                    bail!("the agent answered with a message and no task")
                }
            });
        }
        step(format!("visitor watches: {text}"), seen.join(", "));
        Ok(())
    }

    /// Sends a message, of a new task or to continue one, and returns the task as it stands then.
    async fn says(&self, text: &str, task: Option<&Task>) -> anyhow::Result<Task> {
        let answer = self.client.send_message(&message(text, task)).await?;
        let SendMessageResponse::Task(task) = answer else {
            bail!("the agent answered with a message and no task");
        };
        step(format!("visitor: {text}"), summary(&task));
        Ok(task)
    }
}

fn message(text: &str, task: Option<&Task>) -> SendMessageRequest {
    let message = Message {
        task_id: task.map(|task| task.id.clone()),
        ..Message::new(Role::User, vec![Part::text(text)])
    };
    SendMessageRequest { message, configuration: None, metadata: None, tenant: None }
}

/// Returns the task's state, and what came with it.
fn summary(task: &Task) -> String {
    let said = task.status.message.as_ref().and_then(Message::text);
    let artifacts = task.artifacts.iter().flatten();
    let made = artifacts.flat_map(|artifact| artifact.parts.iter().filter_map(Part::as_text));
    let texts: Vec<_> = said.into_iter().chain(made).collect();
    format!("{}: {}", name_of(&task.status.state), texts.join(" "))
}

/// Returns the state as A2A writes it.
fn name_of(state: &TaskState) -> String {
    let name = serde_json::to_value(state).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}
