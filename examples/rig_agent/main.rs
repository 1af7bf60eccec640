//! Agents of rig whose tools ask first, in two ways: `cargo run --example rig_agent`.
//!
//! - The librarian's tools were written for it: `#[rig_tool]` functions with `#[guarded]`. See
//!   `tools.rs`.
//! - The archivist's tools come from anywhere. Each is asked about where rig dispatches it, guarded
//!   itself or not. See `dispatch.rs`.
//!
//! With nothing in the environment the model is a script on a socket of this machine, and rig talks to
//! it with its OpenAI provider. With `OPENAI_API_KEY` or `OPENAI_BASE_URL` (and `OPENAI_MODEL`) set it
//! is a real one, and what it asks for is up to it.

mod dispatch;
mod elsewhere;
mod refused;
mod room;
mod tools;

use agenttrust::{AgentTrustGuard, Effect};
use agenttrust_examples::transcript::{section, short, step};
use agenttrust_examples::{Folder, ModelEndpoint, Office, Turn};
use anyhow::ensure;
use rig_agent::agent::{OutcomeAction, OutcomeEvent};
use rig_agent::tool::ToolSet;
use rig_agent::{Agent, AgentBuilder, AgentHook, HookContext};
use rig_core::DynModel;
use rig_core::message::Message;
use rig_core::operation::Completion;
use rig_core::providers::openai::OpenAIConfig;

use self::dispatch::ask_first;
use self::elsewhere::{ShredFile, broadcast_file};
use self::tools::{DeleteFile, PublishFile, ReadFile};

/// A model that calls tools for ever is stopped.
const MOST_TURNS: usize = 12;

const INSTRUCTIONS: &str = "You keep a folder of documents with your tools. Where a tool says that \
     it needs an approval, stop and tell the user which one; once it is given, make the very same \
     call again.";

/// Returns what the model asks for when it is not a real one: first as the librarian, then as the archivist.
fn script() -> Vec<Turn> {
    vec![
        Turn::Calls("read_file", r#"{"name":"plan.md"}"#),
        Turn::Calls("delete_file", r#"{"name":"draft.md"}"#),
        Turn::Relays,
        // Approved by now, for this document and no other.
        Turn::Calls("delete_file", r#"{"name":"draft.md"}"#),
        Turn::Calls("delete_file", r#"{"name":"contract.txt"}"#),
        Turn::Relays,
        Turn::Calls("publish_file", r#"{"name":"plan.md"}"#),
        Turn::Relays,
        Turn::Calls("read_file", r#"{"name":"contract.txt"}"#),
        Turn::Calls("shred_file", r#"{"name":"visitors.log"}"#),
        Turn::Relays,
        Turn::Calls("shred_file", r#"{"name":"visitors.log"}"#),
        Turn::Says("visitors.log is shredded."),
        Turn::Calls("broadcast_file", r#"{"name":"contract.txt"}"#),
        Turn::Relays,
    ]
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = Folder::of_argument()?;
    let office = Office::in_memory().await?;
    let endpoint = ModelEndpoint::of_env_or_scripted(script()).await?;
    let openai = OpenAIConfig::new(endpoint.api_key.clone()).with_base_url(&endpoint.base_url);
    let model: DynModel<Completion> = openai.client().chat(&endpoint.model).into();

    let guard = office.register("librarian", &["read_file", "delete_file"]).await?;
    guard.set_global_fallback()?;
    let librarian = AgentBuilder::new(model.clone())
        .preamble(INSTRUCTIONS)
        .tool(ReadFile)
        .tool(DeleteFile)
        .tool(PublishFile)
        .default_max_turns(MOST_TURNS)
        .build();
    let librarian = Conversation::new(librarian, guard, &folder);
    functions_that_ask(librarian, &office).await?;

    let guard = office.register("archivist", &["read_file", "shred_file"]).await?;
    let mut tools = ToolSet::default();
    tools.add_tool(ReadFile);
    tools.add_tool(ShredFile);
    tools.add_dynamic_tool(broadcast_file()?);
    // The name says nothing of how final it is, so the program does.
    let effect_of = |tool: &str| (tool == "shred_file").then_some(Effect::Destructive);
    let archivist = AgentBuilder::new(model)
        .preamble(INSTRUCTIONS)
        .tool_server_handle(ask_first(&guard, &tools, effect_of)?)
        .default_max_turns(MOST_TURNS)
        .build();
    let archivist = Conversation::new(archivist, guard, &folder);
    tools_that_are_asked_about(archivist, &office).await?;

    section("What is left in the folder");
    step("the disk says", folder.list().await?.join(", "));
    office.close().await;
    Ok(())
}

async fn functions_that_ask(mut librarian: Conversation, office: &Office) -> anyhow::Result<()> {
    section("1. The librarian's functions are guarded: reading is allowed, deleting is held");
    librarian.says("Read plan.md and delete draft.md.").await?;
    let folder = librarian.folder.clone();
    ensure!(folder.holds("draft.md"), "the document was deleted before anybody approved it");
    librarian.is_approved(office, "draft.md").await?;

    section("2. It repeats the call, which runs now; the approval is for no other document");
    librarian.says("The operator has approved it. Go on, and delete contract.txt too.").await?;
    ensure!(folder.holds("contract.txt"), "the document was deleted and nobody had approved it");

    section("3. Nobody is asked about what it has no capability for");
    librarian.says("Publish plan.md.").await?;
    ensure!(!folder.has_published("plan.md"), "the document was published");
    librarian.shows_the_trail(office).await
}

async fn tools_that_are_asked_about(
    mut archivist: Conversation,
    office: &Office,
) -> anyhow::Result<()> {
    section("4. The archivist's tools are not, and are asked about where they are dispatched");
    archivist.says("Read contract.txt and shred visitors.log.").await?;
    let folder = archivist.folder.clone();
    ensure!(folder.holds("visitors.log"), "the document was shredded before anybody approved it");
    archivist.is_approved(office, "visitors.log").await?;
    archivist.says("The operator has approved it. Go on.").await?;

    section("5. So is a tool that nobody had heard of before");
    archivist.says("Tell the world about contract.txt.").await?;
    ensure!(!folder.has_published("contract.txt"), "the document was published");
    archivist.shows_the_trail(office).await
}

/// An agent of rig, and what was said so far.
struct Conversation {
    agent: Agent,
    guard: AgentTrustGuard,
    folder: Folder,
    history: Vec<Message>,
}

impl Conversation {
    fn new(agent: Agent, guard: AgentTrustGuard, folder: &Folder) -> Self {
        Self { agent, guard, folder: folder.clone(), history: Vec::new() }
    }

    async fn says(&mut self, prompt: &str) -> anyhow::Result<()> {
        step("user", prompt);
        let run = self.agent.prompt(prompt).history(self.history.clone());
        let response = run.tool_context(room::in_folder(&self.folder)?).add_hook(Shows).await?;
        step("model", response.output());
        self.history.extend(response.messages().iter().cloned());
        Ok(())
    }

    async fn is_approved(&self, office: &Office, document: &str) -> anyhow::Result<()> {
        if let Some(approval) = office.approve_for(&self.guard, document).await? {
            step("operator approves it", format!("{} is approved", short(&approval)));
        }
        Ok(())
    }

    async fn shows_the_trail(&self, office: &Office) -> anyhow::Result<()> {
        self.guard.close().await?;
        for (tool, what) in office.trail(&self.guard).await? {
            step(format!("written down of {tool}"), what.join(", "));
        }
        Ok(())
    }
}

/// A hook that prints each call of a tool and the result that the model sees.
struct Shows;

impl AgentHook for Shows {
    async fn on_outcome(&self, _: &HookContext, event: OutcomeEvent<'_>) -> OutcomeAction {
        if let (Some(tool), Some(result)) = (event.tool_name(), event.tool_result()) {
            step(format!("model calls {tool}"), event.tool_args().unwrap_or_default());
            step("  and is told", result.output().render());
        }
        OutcomeAction::proceed()
    }
}
