//! Tasks that one agent asks of another, through the Guardian (SDK guide, section 11).

use serde_json::{Map, Value, json};

use super::a2a_rpc::{Rpc, event, given, no_result, task};
use super::{AgentTrustClient, Page, SendMessageOptions, SendTaskOptions, TaskEvents, TaskFilter};
use crate::error::{AgentTrustError, Result};
use crate::model::{A2ATask, MessageTask, SendTaskRequest, TaskEvent};

/// The number of tasks in a list by default, as the published clients have it.
const LISTED: u32 = 50;

/// See [`AgentTrustClient::a2a`].
#[derive(Clone, Copy, Debug)]
pub struct A2a<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> A2a<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Sends a message to an agent, and returns the task that comes of it.
    ///
    /// The Guardian asks whether the agent that sends may reach the other one. Where an approval is needed the task is
    /// [`AuthRequired`](crate::model::TaskState::AuthRequired), and goes on by itself once there is one; denied, it is
    /// [`Rejected`](crate::model::TaskState::Rejected). Neither is an error.
    ///
    /// ```
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |request: http::Request<bytes::Bytes>| async move {
    /// #         assert_eq!(request.uri().path(), "/a2a/agents/agent-b");
    /// #         let said = r#"{"jsonrpc": "2.0", "id": 1, "result": {"id": "task_1", "status": {"state": "working"}}}"#;
    /// #         Ok::<_, std::io::Error>(http::Response::new(said.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let task = client.a2a().send_message("agent-b", "Summarize the top 3 papers").await?;
    /// println!("Task {} is {}", task.id, task.status.state);
    /// # assert_eq!(task.id, "task_1");
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](AgentTrustError::NotFound) for an agent that is not there,
    /// [`Authorization`](AgentTrustError::Authorization) for a key that does not speak for the agent that asks,
    /// [`Validation`](AgentTrustError::Validation) for what cannot be a message, and
    /// [`Api`](AgentTrustError::Api) with the code `A2A_ERROR_<code>` for other errors of A2A.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the message may have been sent. Sent again, it is another message: give it an id of its own by
    /// [`SendMessageOptions`] where that matters.
    pub async fn send_message(&self, agent_id: &str, text: &str) -> Result<MessageTask> {
        self.send_message_with(agent_id, text, &SendMessageOptions::default()).await
    }

    /// Does the same as [`send_message`](Self::send_message), with more: the id of the message, the task that it is
    /// about, parts other than text.
    ///
    /// An empty text is no part of a message that has other parts.
    ///
    /// # Errors
    ///
    /// As for [`send_message`](Self::send_message); [`Validation`](AgentTrustError::Validation) also for a message id
    /// that was used for another message.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the message may have been sent. Sent again under the same message id, it is answered with the
    /// same task.
    pub async fn send_message_with(
        &self,
        agent_id: &str,
        text: &str,
        options: &SendMessageOptions,
    ) -> Result<MessageTask> {
        let rpc = Rpc::message(agent_id, text, options, "message/send")?;
        match event(rpc.send(self.client).await?)? {
            TaskEvent::Task(task) => Ok(*task),
            TaskEvent::Message(message) => Ok(MessageTask::answered(message)),
            _ => Err(no_result("news of a task")),
        }
    }

    /// Sends a message to an agent, and returns the events of its task, as they happen.
    ///
    /// ```no_run
    /// use agenttrust::model::TaskEvent;
    ///
    /// # async fn example(client: agenttrust::AgentTrustClient) -> Result<(), agenttrust::AgentTrustError> {
    /// let mut events = client.a2a().send_message_streaming("agent-b", "Write a long report").await?;
    /// while let Some(event) = events.next().await {
    ///     match event? {
    ///         TaskEvent::Artifact(update) => print!("{}", update.artifact.text()),
    ///         other => println!("{:?}", other.status()),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`send_message`](Self::send_message), here or as the first event.
    ///
    /// # Cancel safety
    ///
    /// As for [`send_message`](Self::send_message). What the agent does goes on when the events are dropped.
    pub async fn send_message_streaming(&self, agent_id: &str, text: &str) -> Result<TaskEvents> {
        self.send_message_streaming_with(agent_id, text, &SendMessageOptions::default()).await
    }

    /// Does the same as [`send_message_streaming`](Self::send_message_streaming), with more.
    ///
    /// # Errors
    ///
    /// As for [`send_message_with`](Self::send_message_with), here or as the first thing that is told.
    ///
    /// # Cancel safety
    ///
    /// As for [`send_message_with`](Self::send_message_with).
    pub async fn send_message_streaming_with(
        &self,
        agent_id: &str,
        text: &str,
        options: &SendMessageOptions,
    ) -> Result<TaskEvents> {
        let rpc = Rpc::message(agent_id, text, options, "message/stream")?;
        TaskEvents::open(self.client, rpc).await
    }

    /// Returns what is told from now on of a task that goes on: where its stream broke, or that was sent without one.
    ///
    /// They go on while our Guardian holds the task for an approval, which is told as `auth-required`, and end with the
    /// task, or where the other agent itself waits for something (`input-required`, or an `auth-required` of its own).
    ///
    /// # Errors
    ///
    /// [`NotFound`](AgentTrustError::NotFound) for a task that the agent does not have or the key may not see, and
    /// [`Api`](AgentTrustError::Api) for one that has ended, here or as the first thing that is told.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing has happened.
    pub async fn subscribe(&self, agent_id: &str, task_id: &str) -> Result<TaskEvents> {
        given("task id", task_id)?;
        let rpc = Rpc::to_agent(agent_id, "tasks/resubscribe", json!({ "id": task_id }))?;
        TaskEvents::open(self.client, rpc).await
    }

    /// Sends a task from one agent to another, as clients before A2A 1.0 do.
    ///
    /// ```no_run
    /// use agenttrust::SendTaskRequest;
    /// use serde_json::json;
    ///
    /// # async fn example(client: agenttrust::AgentTrustClient) -> Result<(), agenttrust::AgentTrustError> {
    /// let task = client
    ///     .a2a()
    ///     .send_task(&SendTaskRequest {
    ///         source_agent_id: "agent-a".to_string(),
    ///         target_agent_id: "agent-b".to_string(),
    ///         message: json!("Summarize the latest security report"),
    ///     })
    ///     .await?;
    /// println!("Task {} is {}", task.id, task.status);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`send_message`](Self::send_message).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the task may have been sent. Sent again, it is another task.
    pub async fn send_task(&self, request: &SendTaskRequest) -> Result<A2ATask> {
        self.send_task_with(request, &SendTaskOptions::default()).await
    }

    /// Does the same as [`send_task`](Self::send_task), with more.
    ///
    /// # Errors
    ///
    /// As for [`send_message`](Self::send_message).
    ///
    /// # Cancel safety
    ///
    /// As for [`send_task`](Self::send_task).
    pub async fn send_task_with(
        &self,
        request: &SendTaskRequest,
        options: &SendTaskOptions,
    ) -> Result<A2ATask> {
        let mut params = json!(request);
        if let (Some(params), Some(metadata)) = (params.as_object_mut(), &options.metadata) {
            params.insert("metadata".to_owned(), metadata.clone());
        }
        task(Rpc::of_guide("tasks/send", params).send(self.client).await?)
    }

    /// Sends a task as [`send_task`](Self::send_task) does: the name that it has in other clients.
    ///
    /// # Errors
    ///
    /// As for [`send_message`](Self::send_message).
    ///
    /// # Cancel safety
    ///
    /// As for [`send_task`](Self::send_task).
    pub async fn create_task(&self, request: &SendTaskRequest) -> Result<A2ATask> {
        self.send_task(request).await
    }

    /// Returns the task with this id, as it stands.
    ///
    /// # Errors
    ///
    /// [`NotFound`](AgentTrustError::NotFound) when there is no such task that the key may see.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing has happened.
    pub async fn get_task(&self, task_id: &str) -> Result<A2ATask> {
        self.of_task("tasks/get", task_id).await
    }

    /// Cancels a task that has not ended, and returns it as it stands then.
    ///
    /// # Errors
    ///
    /// [`NotFound`](AgentTrustError::NotFound) when there is no such task that the key may see,
    /// [`Api`](AgentTrustError::Api) with the code `A2A_ERROR_-32002` for one that cannot be cancelled, because it has
    /// ended or its agent goes on.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it may have been cancelled. Cancel it again to see.
    pub async fn cancel_task(&self, task_id: &str) -> Result<A2ATask> {
        self.of_task("tasks/cancel", task_id).await
    }

    async fn of_task(&self, method: &'static str, task_id: &str) -> Result<A2ATask> {
        given("task id", task_id)?;
        task(Rpc::of_guide(method, json!({ "id": task_id })).send(self.client).await?)
    }

    /// Returns the tasks that the key may see, at most 50, the one that changed last first.
    ///
    /// # Errors
    ///
    /// [`Authorization`](AgentTrustError::Authorization) for a key that may not do this.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing has happened.
    pub async fn list_tasks(&self) -> Result<Vec<A2ATask>> {
        Ok(self.list_tasks_with(&TaskFilter::default()).await?.items)
    }

    /// Returns the tasks that match `filter`, the one that changed last first, a page at a time.
    ///
    /// The filter and the pages are an extension of our Guardian.
    ///
    /// # Errors
    ///
    /// As for [`list_tasks`](Self::list_tasks); [`Validation`](AgentTrustError::Validation) for a `before` of another
    /// list.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing has happened.
    pub async fn list_tasks_with(&self, filter: &TaskFilter) -> Result<Page<A2ATask>> {
        let mut params = Map::new();
        params.insert("limit".to_owned(), json!(filter.limit.unwrap_or(LISTED)));
        for (name, given) in [
            ("target_agent_id", filter.target_agent_id.as_deref()),
            ("context_id", filter.context_id.as_deref()),
            ("state", filter.state.map(|state| state.as_str())),
            ("cursor", filter.before.as_deref()),
        ] {
            params.extend(given.map(|given| (name.to_owned(), json!(given))));
        }
        let mut page = Rpc::of_guide("tasks/list", Value::Object(params)).send(self.client).await?;
        let next = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
        if page.is_object() {
            page = page.get_mut("tasks").map(Value::take).unwrap_or_default();
        }
        let tasks: Option<Vec<A2ATask>> =
            serde_json::from_value(page).map_err(AgentTrustError::Json)?;
        Ok(Page::new(tasks.unwrap_or_default(), next))
    }
}
