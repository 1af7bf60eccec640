//! The tasks that an agent without an endpoint of its own fetches: an extension of our Guardian.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::AgentTrustClient;
use super::path::{segment, with_query};
use crate::background;
use crate::error::Result;
use crate::model::{InboxTask, MessageTask, TaskArtifact, TaskLease, TaskPart, Timestamp};

/// The longest wait that the Guardian takes; a longer one is made of several.
const WAITS_MOST: Duration = Duration::from_secs(30);
/// The pause until the next question, where the answer came before its time.
const PAUSE: Duration = Duration::from_millis(500);

/// See [`AgentTrustClient::inbox`]. It holds its client, so that a worker may take it along.
///
/// ```no_run
/// use std::time::Duration;
///
/// # fn summary_of(_: &str) -> String { String::new() }
/// # async fn example(client: agenttrust::AgentTrustClient) -> Result<(), agenttrust::AgentTrustError> {
/// let inbox = client.inbox("agent-b");
/// while let Some(asked) = inbox.next(Duration::from_secs(600)).await? {
///     let summary = summary_of(&asked.message.text());
///     inbox.complete(&asked.lease(), &summary).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Inbox {
    client: AgentTrustClient,
    agent_id: String,
    lease: Option<Duration>,
}

/// The body of a request.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifacts: Option<Vec<Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> Body<'a> {
    const EMPTY: Self = Self { lease_id: None, lease_seconds: None, artifacts: None, reason: None };

    fn of(lease: &'a TaskLease) -> Self {
        Self { lease_id: Some(&lease.lease_id), ..Self::EMPTY }
    }
}

impl Inbox {
    pub(super) fn new(client: &AgentTrustClient, agent_id: &str) -> Self {
        Self { client: client.clone(), agent_id: agent_id.to_owned(), lease: None }
    }

    /// Has each task for so long; a minute where nothing is said. Give it more than the work takes, or
    /// [extend](Self::extend) it meanwhile.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Fetches the next task, as soon as there is one; `None` where none came within `wait`.
    ///
    /// It is there for this caller alone until its lease ends; then it is there for the next one that asks, so that a
    /// worker that crashed loses none.
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that does not speak for the agent,
    /// [`NotFound`](crate::AgentTrustError::NotFound) for an agent that is not there.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, a task may have been fetched: it comes again when its lease has ended.
    pub async fn next(&self, wait: Duration) -> Result<Option<InboxTask>> {
        let begun = Instant::now();
        loop {
            let asked = Instant::now();
            let most = wait.saturating_sub(begun.elapsed()).min(WAITS_MOST);
            if let Some(task) = self.ask(most).await? {
                return Ok(Some(task));
            }
            let left = wait.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            if asked.elapsed() < most {
                background::sleep(PAUSE.min(left)).await;
            }
        }
    }

    async fn ask(&self, wait: Duration) -> Result<Option<InboxTask>> {
        let seconds = wait.as_millis().div_ceil(1000).to_string();
        let path = with_query(&format!("{}/next", self.path()?), [("wait", Some(seconds))]);
        let body = Body { lease_seconds: self.lease.map(|lease| lease.as_secs()), ..Body::EMPTY };
        let call = self.client.post(path).json(&body);
        let answer = call.timeout(self.client.inner.timeout.saturating_add(wait)).send().await?;
        match answer.is_empty() {
            true => Ok(None),
            false => answer.json().map(Some),
        }
    }

    /// Says that a task is done, and what came of it as text.
    ///
    /// # Errors
    ///
    /// [`Api`](crate::AgentTrustError::Api) with status 409 where the lease has ended and another has the task, or the
    /// task has ended; [`NotFound`](crate::AgentTrustError::NotFound) for a task that is not in this inbox.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it may have been said. Said again with the same lease it is taken as said once.
    pub async fn complete(&self, lease: &TaskLease, text: &str) -> Result<MessageTask> {
        let artifact = TaskArtifact::new("result", [TaskPart::text(text)]);
        self.complete_with(lease, &[artifact]).await
    }

    /// Says that a task is done, and what came of it.
    ///
    /// # Errors
    ///
    /// As for [`complete`](Self::complete).
    ///
    /// # Cancel safety
    ///
    /// As for [`complete`](Self::complete).
    pub async fn complete_with(
        &self,
        lease: &TaskLease,
        artifacts: &[TaskArtifact],
    ) -> Result<MessageTask> {
        let artifacts = artifacts.iter().map(TaskArtifact::in_v1).collect();
        let body = Body { artifacts: Some(artifacts), ..Body::of(lease) };
        self.say(lease, "complete", &body).await
    }

    /// Says that a task could not be done, and why. Who asked reads it.
    ///
    /// # Errors
    ///
    /// As for [`complete`](Self::complete).
    ///
    /// # Cancel safety
    ///
    /// As for [`complete`](Self::complete).
    pub async fn fail(&self, lease: &TaskLease, reason: &str) -> Result<MessageTask> {
        self.say(lease, "fail", &Body { reason: Some(reason), ..Body::of(lease) }).await
    }

    /// Keeps a task for so long from now on, and returns when its lease ends.
    ///
    /// # Errors
    ///
    /// As for [`complete`](Self::complete).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it may have been extended.
    pub async fn extend(&self, lease: &TaskLease, by: Duration) -> Result<Timestamp> {
        #[derive(serde::Deserialize)]
        struct Extended {
            lease_expires_at: Timestamp,
        }
        let body = Body { lease_seconds: Some(by.as_secs()), ..Body::of(lease) };
        let call = self.client.post(self.path_of(lease, "extend")?).json(&body);
        let extended: Extended = call.send().await?.json()?;
        Ok(extended.lease_expires_at)
    }

    async fn say(&self, lease: &TaskLease, what: &str, body: &Body<'_>) -> Result<MessageTask> {
        self.client.post(self.path_of(lease, what)?).json(body).send().await?.object("task")
    }

    fn path(&self) -> Result<String> {
        Ok(format!("/api/v1/agents/{}/inbox", segment("agent id", &self.agent_id)?))
    }

    fn path_of(&self, lease: &TaskLease, what: &str) -> Result<String> {
        Ok(format!("{}/{}/{what}", self.path()?, segment("task id", &lease.task_id)?))
    }
}
