//! The contract that `#[guarded]` keeps with every attribute and framework, with a real Guardian that decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use agenttrust::{AgentTrustClient, AgentTrustGuard};
use agenttrust_tests::bounded::here;
use agenttrust_tests::test_guardian::{Deployment, Keys, TestGuardian};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// The number of statements that the body of every tool counts.
pub(crate) const STEPS: usize = 3;

/// Counts the statements that ran. A handle: not `Serialize`, and so never an input.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps(Arc<AtomicUsize>);

impl Steps {
    pub(crate) fn step(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn taken(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// The input that must be captured of a call with this path.
pub(crate) type Input = fn(&str) -> Value;

/// An agent behind its guard, and the count of what ran for it.
#[derive(Clone, Debug)]
pub(crate) struct GuardedAgent {
    pub(crate) guard: AgentTrustGuard,
    pub(crate) steps: Steps,
}

/// The answer to the caller of a tool.
#[derive(Debug)]
pub(crate) enum Told {
    /// The tool did it.
    Done,
    /// The tool did not do it, for this reason, as the framework's own type says it.
    No(String),
}

impl Told {
    /// Returns what a function tells its caller directly.
    pub(crate) fn from_output<T, E: ToString>(output: Result<T, E>) -> Self {
        output.map_or_else(|error| Self::No(error.to_string()), |_| Self::Done)
    }

    fn no(self) -> Result<String> {
        match self {
            Self::No(text) => Ok(text),
            Self::Done => anyhow::bail!("the caller was told that it is done"),
        }
    }
}

/// A Guardian, and agents that come to it. All tools here are the tool `file_delete`, which the
/// Guardian takes for destructive whatever they say themselves.
pub(crate) struct Fixture {
    guardian: TestGuardian,
}

impl Fixture {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self { guardian: TestGuardian::start(Deployment::Embedded, Keys::AgentAndOperator)? })
    }

    /// Returns an agent with these capabilities, and who decides about what it may.
    pub(crate) async fn guarded_agent(
        &self,
        capabilities: &[&str],
    ) -> Result<(GuardedAgent, AgentTrustClient)> {
        let test_agent = self.guardian.test_agent(capabilities).await?;
        // The approver is shown the input, and so is the test.
        let guard = AgentTrustGuard::builder(test_agent.client.clone(), &test_agent.agent.id)
            .log_inputs(true)
            .build();
        Ok((GuardedAgent { guard, steps: Steps::default() }, test_agent.approver))
    }

    /// Returns the outcomes that the Guardian recorded of this agent's calls, oldest first.
    pub(crate) async fn outcomes(&self, guarded_agent: &GuardedAgent) -> Result<Vec<Value>> {
        guarded_agent.guard.close().await?;
        self.guardian.admin().audited(guarded_agent.guard.agent_id(), "outcome").await
    }

    /// Returns what the Guardian was asked for this agent, oldest first.
    pub(crate) async fn decisions(&self, guarded_agent: &GuardedAgent) -> Result<Vec<Value>> {
        self.guardian.admin().audited(guarded_agent.guard.agent_id(), "decision").await
    }

    /// Calls a tool that is denied, held, held for another input, and approved.
    ///
    /// `input` is what must be captured of a call with this path, and nothing else.
    pub(crate) async fn asks_first(
        &self,
        tool: &str,
        input: impl Fn(&str) -> Value,
        call: impl AsyncFn(&GuardedAgent, &str) -> Result<Told>,
    ) -> Result<()> {
        self.asked_first(input, call).await.with_context(|| format!("{tool} does not hold"))
    }

    async fn asked_first(
        &self,
        input: impl Fn(&str) -> Value,
        call: impl AsyncFn(&GuardedAgent, &str) -> Result<Told>,
    ) -> Result<()> {
        let (stranger, _) = self.guarded_agent(&["notes:read"]).await?;
        let text = call(&stranger, "plan.txt").await?.no().context("denied")?;
        ensure!(text.contains("is denied"), "a denied call is told {text:?}");
        ensure!(stranger.steps.taken() == 0, "a denied body took {} steps", stranger.steps.taken());

        let (guarded_agent, approver) = self.guarded_agent(&["file:*"]).await?;
        let text = call(&guarded_agent, "plan.txt").await?.no().context("held")?;
        let approval_id = approval_in(&text)?;
        let approval = approver.approvals().get(&approval_id).await?;
        let summary = approval.action_input_summary.context("the approver is shown no input")?;
        let mut captured: Value = serde_json::from_str(&summary)?;
        // The type that a method was called on, which is bound beside the arguments.
        captured.as_object_mut().context("an object of arguments")?.remove("<Self>");
        ensure!(captured == input("plan.txt"), "captured was {captured}");
        approver.approvals().approve(&approval_id, "admin@company.com").await?;

        let text =
            call(&guarded_agent, "secret.txt").await?.no().context("approved for another input")?;
        ensure!(approval_in(&text)? != approval_id, "one approval is asked for two inputs");
        ensure!(
            guarded_agent.steps.taken() == 0,
            "a held body took {} steps",
            guarded_agent.steps.taken()
        );

        let told = call(&guarded_agent, "plan.txt").await?;
        ensure!(matches!(told, Told::Done), "an approved call is told {told:?}");
        ensure!(
            guarded_agent.steps.taken() == STEPS,
            "the body took {} steps",
            guarded_agent.steps.taken()
        );
        let outcomes = self.outcomes(&guarded_agent).await?;
        ensure!(outcomes.len() == 1, "one call that ran is reported as {outcomes:?}");
        Ok(())
    }
}

/// Returns the id of the approval that the reader of this text has to ask for.
pub(crate) fn approval_in(text: &str) -> Result<String> {
    let mut words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let id = words.find(|word| word.starts_with("apr_"));
    Ok(id.with_context(|| format!("no approval is named in {text:?}"))?.to_owned())
}

/// Returns the input of a tool that takes the path and nothing else.
pub(crate) fn only_the_path(path: &str) -> Value {
    json!({ "path": path })
}

/// Returns the guard of an agent with these capabilities, for a `static`: where nothing can be
/// handed in.
pub(crate) fn guard_of(capabilities: &'static [&'static str]) -> AgentTrustGuard {
    std::thread::spawn(move || {
        let fixture = Fixture::start().expect("a Guardian");
        here(fixture.guarded_agent(capabilities)).expect("an agent").0.guard
    })
    .join()
    .expect("a thread that ends")
}
