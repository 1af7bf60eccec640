//! What is asked of an agent is done and answered.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use serde_json::{Value, json};

use super::ask::{Ask, Listing, Sending};
use super::encode;
use super::refusal::{
    CARD_NOT_CONFIGURED, Failure, Refusal, TASK_NOT_FOUND, UNSUPPORTED_OPERATION,
};
use super::request_context::{Alive, RequestContext};
use super::streaming::Telling;
use crate::domain::Error;
use crate::domain::task::{Spelled, Task, TaskError, Version};
use crate::engine::Engine;
use crate::services::tasks::pushes::{self, NewPush};
use crate::services::tasks::{self, Asked, Caller, TaskFilter};

/// The longest time that a waiting sender is kept waiting; then it hears how its task stands.
const WAIT_MOST: Duration = Duration::from_secs(30);

/// A request to an agent.
#[derive(Debug)]
pub(super) struct Turn<'t> {
    pub(super) engine: &'t Arc<Engine>,
    pub(super) context: RequestContext,
    /// The agent that is asked.
    pub(super) target: &'t str,
    pub(super) version: Version,
    pub(super) id: Value,
    /// The notation of the numbers in the request.
    pub(super) spelled: Spelled,
}

impl Turn<'_> {
    /// Carries out the request, and returns the answer.
    ///
    /// # Errors
    ///
    /// The reason why it is not done.
    pub(super) async fn answered(self, ask: Ask) -> Result<Response, Failure> {
        let version = self.version;
        let result = match ask {
            Ask::Send(sending) => return self.send(*sending).await,
            Ask::Stream(sending) => return self.stream(*sending).await,
            Ask::Subscribe { id } => return self.subscribe(&id).await,
            Ask::Get { id, history } => {
                let caller = self.context.reader(self.engine)?;
                let task = tasks::get(self.engine, &caller, Some(self.target), &id).await?;
                encode::task(version, &encode::shortened(task, history))
            }
            Ask::List(listing) => self.list(listing).await?,
            Ask::Cancel { id } => {
                let caller = self.context.owner(self.engine)?;
                let task = tasks::cancel(self.engine, &caller, Some(self.target), &id).await?;
                encode::task(version, &task)
            }
            Ask::Card => return Err(no_card(version).into()),
            about_pushes => self.push(about_pushes).await?,
        };
        self.result(result)
    }

    fn result(&self, result: Value) -> Result<Response, Failure> {
        Ok(encode::answer(self.engine, &self.context.counted, (&self.id, result))?)
    }

    fn about<'a>(&'a self, task_id: &'a str) -> (Option<&'a str>, &'a str) {
        (Some(self.target), task_id)
    }

    /// Sends a message; returns its task.
    async fn sent(
        &self,
        caller: &Caller,
        sending: Sending,
        (streams, wait): (bool, Duration),
    ) -> Result<Task, Failure> {
        let Sending { message, metadata, accepted_output_modes, push, .. } = sending;
        // What could not be told to anyone is not sent either.
        push.as_ref().map_or(Ok(()), |push| push.check(self.engine))?;
        let target_agent_id = self.target.to_owned();
        let spelled = self.spelled.clone();
        let asked = Asked {
            target_agent_id,
            message,
            metadata,
            spelled,
            accepted_output_modes,
            streams,
            trace: self.context.trace.clone(),
            wait,
        };
        let task = tasks::send(self.engine, caller, asked).await?;
        if let Some(push) = push {
            self.told_from_the_beginning(caller, &task.id, push).await?;
        }
        Ok(task)
    }

    async fn told_from_the_beginning(
        &self,
        caller: &Caller,
        task_id: &str,
        push: NewPush,
    ) -> Result<(), Failure> {
        let about = self.about(task_id);
        pushes::set(self.engine, caller, about, push, (self.version, true)).await?;
        Ok(())
    }

    async fn send(mut self, sending: Sending) -> Result<Response, Failure> {
        let caller = self.context.sender(self.engine, None)?;
        let history = sending.history;
        let wait = if sending.waits { WAIT_MOST } else { Duration::ZERO };
        // Those who wait are counted by themselves, and not among what is under way.
        let waiting = match sending.waits {
            true => Some(
                self.engine.limits.waiting.take(&self.context.counted, 1).map_err(Error::from)?,
            ),
            false => None,
        };
        if waiting.is_some() {
            self.context.place = None;
        }
        let task = self.sent(&caller, sending, (false, wait)).await?;
        drop(waiting);
        let task = encode::shortened(task, history);
        self.result(encode::sent(self.version, &task))
    }

    async fn stream(self, sending: Sending) -> Result<Response, Failure> {
        let caller = self.context.sender(self.engine, None)?;
        let streams = &self.engine.limits.task_streams;
        let share = streams.take(&self.context.counted, 1).map_err(Error::from)?;
        let task = self.sent(&caller, sending, (true, Duration::ZERO)).await?;
        let following = tasks::follow(self.engine, &caller, Some(self.target), &task.id).await?;
        let alive = Alive::new(&self.context, caller);
        let (engine, about) = (Arc::clone(self.engine), (self.version, self.id));
        Ok(Telling::new(engine, alive, about, following, share)?.into_response())
    }

    async fn subscribe(self, id: &str) -> Result<Response, Failure> {
        let caller = self.context.reader(self.engine)?;
        let streams = &self.engine.limits.task_streams;
        let share = streams.take(&self.context.counted, 1).map_err(Error::from)?;
        let following = tasks::follow(self.engine, &caller, Some(self.target), id).await?;
        let state = following.state();
        if state.is_terminal() {
            let message =
                format!("task {id:?} is {state}, so nothing more is sent about it; get it");
            return Err(TaskError::Unsupported(message).into());
        }
        let alive = Alive::new(&self.context, caller);
        let (engine, about) = (Arc::clone(self.engine), (self.version, self.id));
        Ok(Telling::new(engine, alive, about, following, share)?.into_response())
    }

    async fn list(&self, listing: Listing) -> Result<Value, Failure> {
        let caller = self.context.reader(self.engine)?;
        let Listing { filter, history, artifacts } = listing;
        let limit = filter.limit;
        let target_agent_id = Some(self.target.to_owned());
        let filter = TaskFilter { target_agent_id, ..filter };
        let page = tasks::list(self.engine, &caller, filter).await?;
        let tasks = page.tasks.into_iter().map(|task| {
            let mut task = encode::shortened(task, Some(history));
            if !artifacts {
                task.artifacts.clear();
            }
            json!(task)
        });
        Ok(json!({
            "tasks": tasks.collect::<Vec<_>>(),
            "nextPageToken": page.next.unwrap_or_default(),
            "pageSize": limit,
            "totalSize": page.total,
        }))
    }

    /// Answers requests about the addresses that a task is reported to.
    async fn push(&self, ask: Ask) -> Result<Value, Failure> {
        let (engine, version) = (self.engine, self.version);
        // Who is told is of those who send.
        let caller = self.context.owner(engine)?;
        match ask {
            Ask::SetPush { task_id, push } => {
                let about = self.about(&task_id);
                let push = pushes::set(engine, &caller, about, push, (version, false)).await?;
                Ok(encode::push(version, &push))
            }
            Ask::GetPush { task_id, id } => {
                let all = pushes::list(engine, &caller, self.about(&task_id)).await?;
                let wanted = |push: &&pushes::Push| id.as_ref().is_none_or(|id| *id == push.id);
                let found = all.iter().find(wanted).ok_or_else(|| {
                    let message = format!("no notification of task {task_id:?} has this id");
                    Refusal::new(TASK_NOT_FOUND, message)
                })?;
                Ok(encode::push(version, found))
            }
            Ask::ListPushes { task_id } => {
                let all = pushes::list(engine, &caller, self.about(&task_id)).await?;
                Ok(encode::pushes(version, &all))
            }
            Ask::DeletePush { task_id, id } => {
                pushes::delete(engine, &caller, self.about(&task_id), id).await?;
                Ok(match version {
                    Version::V1 => json!({}),
                    Version::V03 => Value::Null,
                })
            }
            _ => Err(Refusal::new(UNSUPPORTED_OPERATION, "this is not done here").into()),
        }
    }
}

/// Returns the refusal of another card of an agent: it has only one, which every caller may read.
fn no_card(version: Version) -> Refusal {
    let code = match version {
        Version::V1 => UNSUPPORTED_OPERATION,
        Version::V03 => CARD_NOT_CONFIGURED,
    };
    Refusal::new(code, "the agent has no other card than its public one")
}
