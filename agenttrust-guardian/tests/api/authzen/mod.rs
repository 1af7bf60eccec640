//! AuthZEN 1.0, and the draft profile by which access is requested.

mod bad_input;
mod beside;
mod interop;
mod isolation;
mod once;
mod profile;
mod profile_refusals;
mod semantics;
mod specification;

use agenttrust_testkit::{ADMIN, Answer, RouterClient};
use serde_json::{Value, json};

use crate::support::{Api, Harness, open};

pub(crate) const EVALUATION: &str = "/access/v1/evaluation";
pub(super) const EVALUATIONS: &str = "/access/v1/evaluations";
pub(crate) const REQUESTS: &str = "/access/v1/requests";
pub(super) const CONFIGURATION: &str = "/.well-known/authzen-configuration";

/// Returns a Guardian with these policies, an agent and its key.
pub(super) async fn with_policies(text: &str) -> Harness {
    let harness = Harness::new(open().await).await;
    put_policies(&harness, text).await;
    harness
}

pub(super) async fn put_policies(api: &Api, text: &str) {
    let files = json!({ "files": [{ "name": "access.cedar", "text": text }] });
    api.put("/api/v1/policies", ADMIN, files).await.ok();
}

/// Returns a condition: this property of this entity is this text.
pub(super) fn is(entity: &str, property: &str, text: &str) -> String {
    let entity = format!("context.access.{entity}");
    format!(
        r#"{entity}.hasTag("{property}") && {entity}.getTag("{property}") has string &&
           {entity}.getTag("{property}").string == "{text}""#
    )
}

/// Returns an evaluation.
pub(super) fn asked(subject: Value, action: &str, resource: Value) -> Value {
    json!({ "subject": subject, "action": { "name": action }, "resource": resource })
}

/// Returns an evaluation of an agent that deletes a table, which the default policies hold.
pub(crate) fn deletes(agent: &str, table: &str) -> Value {
    asked(
        json!({ "type": "agent", "id": agent }),
        "db_delete",
        json!({ "type": "table", "id": table }),
    )
}

/// Evaluates what is held with this key, and returns what to submit after the denial.
pub(crate) async fn submission(client: &RouterClient, key: &str, evaluation: &Value) -> Value {
    let denied = client.post(EVALUATION, key, evaluation.clone()).await;
    profile::Pep::submission(evaluation, &decided(&denied, false))
}

/// Requests access to delete a table with this key, and returns the id of the task.
pub(crate) async fn task(client: &RouterClient, key: &str, agent: &str) -> String {
    let body = submission(client, key, &deletes(agent, "users")).await;
    let submitted = client.post(REQUESTS, key, body).await.ok();
    submitted.body["task"]["id"].as_str().unwrap().to_owned()
}

/// Expects a decision, and returns its context.
#[track_caller]
pub(super) fn decided(answer: &Answer, decision: bool) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["decision"], decision, "{answer:?}");
    answer.body["context"].clone()
}
