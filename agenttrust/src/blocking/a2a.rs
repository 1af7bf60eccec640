//! Tasks that one agent asks of another, without `.await`.

use super::resources::resources;
use super::task_events::TaskEvents;
use super::wait;
use crate::client::{AgentTrustClient, Page, SendMessageOptions, SendTaskOptions, TaskFilter};
use crate::error::Result;
use crate::model::{A2ATask, MessageTask, SendTaskRequest};

resources! {
    /// Sending messages and tasks to other agents through the Guardian; the async one is [`crate::client::A2a`].
    A2a by a2a {
        /// Sends a message to an agent, and returns the task that comes of it.
        ///
        /// # Errors
        ///
        /// As for the async [`send_message`](crate::client::A2a::send_message).
        fn send_message(&self, agent_id: &str, text: &str) -> MessageTask;

        /// Does the same as [`send_message`](Self::send_message), with more.
        ///
        /// # Errors
        ///
        /// As for the async [`send_message_with`](crate::client::A2a::send_message_with).
        fn send_message_with(&self, agent_id: &str, text: &str, options: &SendMessageOptions) -> MessageTask;

        /// Sends a task from one agent to another, as clients before A2A 1.0 do.
        ///
        /// # Errors
        ///
        /// As for the async [`send_task`](crate::client::A2a::send_task).
        fn send_task(&self, request: &SendTaskRequest) -> A2ATask;

        /// Does the same as [`send_task`](Self::send_task), with more.
        ///
        /// # Errors
        ///
        /// As for the async [`send_task_with`](crate::client::A2a::send_task_with).
        fn send_task_with(&self, request: &SendTaskRequest, options: &SendTaskOptions) -> A2ATask;

        /// Sends a task as [`send_task`](Self::send_task) does: the name that it has in other clients.
        ///
        /// # Errors
        ///
        /// As for the async [`create_task`](crate::client::A2a::create_task).
        fn create_task(&self, request: &SendTaskRequest) -> A2ATask;

        /// Returns the task with this id, as it stands.
        ///
        /// # Errors
        ///
        /// As for the async [`get_task`](crate::client::A2a::get_task).
        fn get_task(&self, task_id: &str) -> A2ATask;

        /// Cancels a task that has not ended, and returns it as it stands then.
        ///
        /// # Errors
        ///
        /// As for the async [`cancel_task`](crate::client::A2a::cancel_task).
        fn cancel_task(&self, task_id: &str) -> A2ATask;

        /// Returns the tasks that the key may see, at most 50, the one that changed last first.
        ///
        /// # Errors
        ///
        /// As for the async [`list_tasks`](crate::client::A2a::list_tasks).
        fn list_tasks(&self) -> Vec<A2ATask>;

        /// Returns the tasks that match a filter, a page at a time.
        ///
        /// # Errors
        ///
        /// As for the async [`list_tasks_with`](crate::client::A2a::list_tasks_with).
        fn list_tasks_with(&self, filter: &TaskFilter) -> Page<A2ATask>;
    }
}

impl A2a<'_> {
    /// Sends a message to an agent, and returns the events of its task, as they happen.
    ///
    /// # Errors
    ///
    /// As for the async [`send_message_streaming`](crate::client::A2a::send_message_streaming).
    pub fn send_message_streaming(&self, agent_id: &str, text: &str) -> Result<TaskEvents> {
        self.send_message_streaming_with(agent_id, text, &SendMessageOptions::default())
    }

    /// Does the same as [`send_message_streaming`](Self::send_message_streaming), with more.
    ///
    /// # Errors
    ///
    /// As for the async [`send_message_streaming_with`](crate::client::A2a::send_message_streaming_with).
    pub fn send_message_streaming_with(
        &self,
        agent_id: &str,
        text: &str,
        options: &SendMessageOptions,
    ) -> Result<TaskEvents> {
        let client = self.client.clone();
        let [agent_id, text] = [agent_id, text].map(str::to_owned);
        let options = options.clone();
        let opening = async move {
            client.a2a().send_message_streaming_with(&agent_id, &text, &options).await
        };
        wait(opening).map(TaskEvents::new)
    }

    /// Returns what is told from now on of a task that goes on.
    ///
    /// # Errors
    ///
    /// As for the async [`subscribe`](crate::client::A2a::subscribe).
    pub fn subscribe(&self, agent_id: &str, task_id: &str) -> Result<TaskEvents> {
        let client = self.client.clone();
        let [agent_id, task_id] = [agent_id, task_id].map(str::to_owned);
        wait(async move { client.a2a().subscribe(&agent_id, &task_id).await }).map(TaskEvents::new)
    }
}
