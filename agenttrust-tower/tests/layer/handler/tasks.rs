//! `tasks/update` lets a tool that asked for more go on, with answers that no Guardian was asked
//! about.

use std::sync::{Arc, Mutex};

use agenttrust::Effect;
use agenttrust_tower::rmcp::{GuardedHandler, GuardedHandlerExt};
use rmcp::model::{InputResponses, UpdateTaskParams};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};

use crate::guardian::{Guardian, Script};
use crate::handler::server::{arguments, context};

/// A handler with tasks that go on with whatever they are told.
#[derive(Clone, Default)]
struct Tasks {
    told: Arc<Mutex<Vec<String>>>,
}

impl ServerHandler for Tasks {
    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.told.lock().expect("no panic").push(request.task_id);
        Ok(())
    }
}

async fn update(handler: &GuardedHandler<Tasks>, task: &str, to: Value) -> Result<(), ErrorData> {
    let answers = json!({ "which": { "action": "accept", "content": to } });
    let answers: InputResponses = arguments(answers).into_iter().collect();
    handler.update_task(UpdateTaskParams::new(task, answers), context()).await
}

#[tokio::test]
async fn a_task_is_not_told_answers_that_were_denied() {
    let (guardian, tasks) = (Guardian::new(Script::Deny), Tasks::default());
    let handler = tasks.clone().guarded(guardian.guard()).server("files");
    let denied = update(&handler, "t", json!({ "path": "/etc" })).await;
    assert_eq!(tasks.told.lock().expect("no panic").len(), 0, "the task went on");
    let denied = denied.expect_err("it has no result that could say so");
    assert!(denied.message.contains("it is not covered"), "{denied:?}");
    assert_eq!(denied.data.expect("a word for programs")["code"], "ACTION_DENIED");
    let [check] = &guardian.checks()[..] else { panic!("one check") };
    let asked = (check.tool.as_str(), check.effect.as_str());
    assert_eq!(asked, ("files/mcp/tasks/update", "destructive"));
}

#[tokio::test]
async fn an_approval_of_an_update_is_for_this_task_and_these_answers() {
    let (guardian, tasks) = (Guardian::new(Script::Allow), Tasks::default());
    let guard = guardian.guard();
    let handler = tasks.clone().guarded(guard.clone()).tasks(Effect::Mutating);
    for (task, to) in [("t", "a"), ("u", "a"), ("t", "b"), ("t", "a")] {
        update(&handler, task, json!({ "path": to })).await.expect("it is allowed");
    }
    assert_eq!(*tasks.told.lock().expect("no panic"), ["t", "u", "t", "t"]);
    let checks = guardian.checks();
    assert!(checks.iter().all(|check| check.effect == "mutating"), "{checks:?}");
    let [one, other_task, other_answer, again] =
        [0, 1, 2, 3].map(|place: usize| &checks[place].digest);
    assert!(one != other_task && one != other_answer && other_task != other_answer);
    assert_eq!(one, again);
    assert_eq!(guardian.events(&guard).await.len(), 4);
}
