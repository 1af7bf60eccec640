//! A tool loop by hand, for any OpenAI-compatible endpoint: `cargo run --example openai_tool_loop`.
//!
//! The model asks for tools. Each call is checked before it runs and reported after it ran. A denial goes back to the
//! model as the tool's answer, in words that say how to go on. With nothing in the environment the model is a script on
//! a socket of this machine. With `OPENAI_API_KEY` or `OPENAI_BASE_URL` (and `OPENAI_MODEL`) set it is a real one, and
//! what it asks for is up to it.
//!
//! `converse` is the loop, `tools.rs` what it calls.

mod tools;

use agenttrust::AgentTrustGuard;
use agenttrust_examples::transcript::{section, short, step};
use agenttrust_examples::{Folder, ModelEndpoint, Office, Turn};
use anyhow::{Context as _, bail, ensure};
use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::types::chat::{
    ChatCompletionMessageToolCalls, ChatCompletionRequestAssistantMessageArgs,
    ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage,
    ChatCompletionRequestToolMessage, ChatCompletionRequestUserMessage,
    CreateChatCompletionRequestArgs,
};

use self::tools::{Call, offered};

/// A model that calls tools for ever is stopped.
const MOST_TURNS: usize = 12;

const INSTRUCTIONS: &str = "You keep a folder of documents with your tools. Where a tool says that \
     it needs an approval, stop and tell the user which one; once it is given, make the very same \
     call again.";

/// Returns what the model asks for when it is not a real one.
fn script() -> Vec<Turn> {
    vec![
        Turn::Calls("read_file", r#"{"name":"plan.md"}"#),
        Turn::Calls("delete_file", r#"{"name":"draft.md"}"#),
        Turn::Relays,
        // Approved by now, for this document and no other.
        Turn::Calls("delete_file", r#"{"name":"draft.md"}"#),
        Turn::Calls("delete_file", r#"{"name":"contract.txt"}"#),
        Turn::Relays,
        Turn::Calls("publish_file", r#"{"name":"invoice-2026-03.csv"}"#),
        Turn::Relays,
        // Broken off; and one that reads as either of two documents.
        Turn::Calls("delete_file", r#"{"name":"visitors.log""#),
        Turn::Calls("delete_file", r#"{"name":"draft.md","name":"visitors.log"}"#),
        Turn::Says("I shall leave it at that."),
    ]
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = Folder::of_argument()?;
    let office = Office::in_memory().await?;
    let guard = office.register("librarian", &["read_file", "delete_file"]).await?;
    let endpoint = ModelEndpoint::of_env_or_scripted(script()).await?;
    let mut librarian = Librarian::new(endpoint, guard.clone(), folder.clone());

    section("1. The model reads, which is allowed, and deletes, which is held");
    librarian.converse("Read plan.md and delete draft.md.").await?;
    ensure!(folder.holds("draft.md"), "the document was deleted before anybody approved it");
    if let Some(approval) = office.approve_for(&guard, "draft.md").await? {
        step("operator approves it", format!("{} is approved", short(&approval)));
    }

    section("2. It repeats the call, which runs now; the approval is for no other document");
    librarian.converse("The operator has approved it. Go on, and delete contract.txt too.").await?;
    ensure!(folder.holds("contract.txt"), "the document was deleted and nobody had approved it");

    section("3. Nobody is asked about what it has no capability for");
    librarian.converse("Publish invoice-2026-03.csv.").await?;
    ensure!(!folder.has_published("invoice-2026-03.csv"), "the document was published");

    section("4. What cannot be read with certainty does not run");
    librarian.converse("Tidy up as you see fit.").await?;
    ensure!(folder.holds("visitors.log"), "the document was deleted");

    section("What the Guardian wrote down, and what is left in the folder");
    guard.close().await?;
    for (tool, what) in office.trail(&guard).await? {
        step(tool, what.join(", "));
    }
    step("the disk says", folder.list().await?.join(", "));
    office.close().await;
    Ok(())
}

/// The model, and what it has been told so far.
struct Librarian {
    client: Client<OpenAIConfig>,
    endpoint: ModelEndpoint,
    guard: AgentTrustGuard,
    folder: Folder,
    messages: Vec<ChatCompletionRequestMessage>,
}

impl Librarian {
    fn new(endpoint: ModelEndpoint, guard: AgentTrustGuard, folder: Folder) -> Self {
        let config =
            OpenAIConfig::new().with_api_base(&endpoint.base_url).with_api_key(&endpoint.api_key);
        let instructions = ChatCompletionRequestSystemMessage::from(INSTRUCTIONS);
        let messages = vec![instructions.into()];
        Self { client: Client::with_config(config), endpoint, guard, folder, messages }
    }

    /// Says something to the model and lets it use its tools until it has an answer.
    async fn converse(&mut self, prompt: &str) -> anyhow::Result<()> {
        step("user", prompt);
        self.messages.push(ChatCompletionRequestUserMessage::from(prompt).into());
        for _ in 0..MOST_TURNS {
            let request = CreateChatCompletionRequestArgs::default()
                .model(&self.endpoint.model)
                .messages(self.messages.clone())
                .tools(offered())
                .build()?;
            let response = self.client.chat().create(request).await?;
            let message =
                response.choices.into_iter().next().context("the model had no answer")?.message;
            let calls = message.tool_calls.unwrap_or_default();

            let mut said = ChatCompletionRequestAssistantMessageArgs::default();
            if let Some(text) = &message.content {
                said.content(text.as_str());
            }
            if calls.is_empty() {
                self.messages.push(said.build()?.into());
                step("model", message.content.unwrap_or_default());
                return Ok(());
            }
            self.messages.push(said.tool_calls(calls.clone()).build()?.into());
            for call in calls {
                let answer = self.answer(call).await?;
                self.messages.push(answer.into());
            }
        }
        bail!("the model was still calling tools after {MOST_TURNS} turns")
    }

    /// Runs one call, or says why not: to the model, which can do something about it.
    async fn answer(
        &self,
        call: ChatCompletionMessageToolCalls,
    ) -> anyhow::Result<ChatCompletionRequestToolMessage> {
        let ChatCompletionMessageToolCalls::Function(call) = call else {
            bail!("the model called a custom tool, and was offered none");
        };
        let outcome = match Call::parse(&call.function) {
            Ok(understood) => understood.run(&self.guard, &self.folder).await,
            Err(refusal) => Err(refusal),
        };
        let told = outcome.unwrap_or_else(|error| error.to_string());
        step(format!("model calls {}", call.function.name), &call.function.arguments);
        step("  and is told", &told);
        Ok(ChatCompletionRequestToolMessage { content: told.into(), tool_call_id: call.id })
    }
}
