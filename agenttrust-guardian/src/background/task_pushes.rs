//! The news of a task for receivers that asked for it: at least once each time that it has changed, until it has
//! ended.

use std::sync::{Arc, Weak};
use std::time::Duration;

use agenttrust::background;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use super::jobs::Jobs;
use super::{alive, backoff};
use crate::domain::Secret;
use crate::domain::task::{Task, Version, v03};
use crate::engine::Engine;
use crate::services::tasks::pushes::{self, PushContent};
use crate::store::{StoreError, TaskPushRow};

/// The time after which it is looked again for news to send.
const BEAT: Duration = Duration::from_millis(500);
/// The time that a piece of news is one replica's own to send. It is longer than any call takes.
const LEASE: Duration = Duration::from_secs(60);
/// The time after which a piece of news is looked at again whose owner may not be told at the moment.
const LOOKED_AT_AGAIN: Duration = Duration::from_secs(5);
/// The number of receivers that are told at once.
const JOBS_MOST: usize = 32;
const TOKEN: HeaderName = HeaderName::from_static("x-a2a-notification-token");

/// Starts telling.
pub(super) fn start(engine: &Arc<Engine>) {
    background::spawn(tend(Arc::downgrade(engine)));
}

async fn tend(engine: Weak<Engine>) {
    let jobs = Jobs::at_most(JOBS_MOST);
    let mut troubled = false;
    loop {
        background::sleep(BEAT).await;
        let Some(engine) = alive(&engine) else { return };
        match engine.background_store.task_pushes_due(engine.clock.now()).await {
            Ok(due) => {
                troubled = false;
                due.into_iter().for_each(|id| begin(&engine, &jobs, id));
            }
            Err(error) if !troubled && !*engine.closing.borrow() => {
                tracing::warn!(%error, "notifications of tasks cannot be kept up; trying again");
                troubled = true;
            }
            Err(_) => {}
        }
    }
}

fn begin(engine: &Arc<Engine>, jobs: &Jobs, id: String) {
    let Some(job) = jobs.begin(id) else { return };
    let engine = Arc::clone(engine);
    background::spawn(async move {
        if let Err(error) = tell(&engine, job.id.clone()).await
            && !*engine.closing.borrow()
        {
            tracing::warn!(%error, push_id = job.id, "that a task changed could not be told");
        }
    });
}

async fn tell(engine: &Engine, id: String) -> Result<(), StoreError> {
    let now = engine.clock.now();
    let store = &engine.background_store;
    let Some(leased) = store.lease_task_push(id, now, now.saturating_add(LEASE)).await? else {
        return Ok(());
    };
    let task = match pushes::push_content(engine, &leased) {
        PushContent::Task(task) => task,
        PushContent::Nothing => return store.task_push_told(&leased).await,
        PushContent::Later => {
            return store.put_off_task_push(&leased, now.saturating_add(LOOKED_AT_AGAIN)).await;
        }
        PushContent::Gone => return store.remove_task_push(&leased).await,
    };
    let why = match post(engine, &leased.push, *task).await {
        Ok(status) if status.is_success() => return store.task_push_told(&leased).await,
        Ok(StatusCode::GONE) => return store.task_push_failed(&leased, None).await,
        Ok(status) => format!("the receiver answered {status}"),
        Err(why) => why,
    };
    let next = backoff::next_attempt(leased.begun_at, leased.attempts, engine.clock.now());
    if next.is_none() {
        let (push_id, task_id) = (&leased.push.id, &leased.push.task_id);
        tracing::warn!(
            push_id,
            task_id,
            why,
            "the receiver of notifications of a task took none for a day"
        );
    }
    store.task_push_failed(&leased, next).await
}

/// Tells it; what cannot be proven is not told.
async fn post(engine: &Engine, push: &TaskPushRow, task: Task) -> Result<StatusCode, String> {
    let url = engine.outbound.target(&push.url).map_err(|error| error.to_string())?;
    let proof = pushes::proof(engine, push).map_err(|error| error.message().to_owned())?;
    let is_v1 = push.version == Version::V1.as_str();
    let media = if is_v1 { "application/a2a+json" } else { "application/json" };
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media))]);
    if let Some(token) = proof.token.as_ref().and_then(|token| header(token.expose())) {
        headers.insert(TOKEN, token);
    }
    if let (Some(scheme), Some(credentials)) = (&push.scheme, &proof.credentials)
        && let Some(value) = header(&format!("{scheme} {}", Secret::expose(credentials)))
    {
        headers.insert(AUTHORIZATION, value);
    }
    // All that was said is asked for by who wants it.
    let task = Task { history: Vec::new(), ..task };
    let body = if is_v1 { json!({ "task": task }) } else { v03::task(&task) };
    let told = engine.outbound.post(url, headers, body.to_string()).await;
    told.map_err(|error| error.to_string())
}

fn header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
