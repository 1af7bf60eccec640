//! The requests that an agent behind the Guardian sees: each message once, and nothing of its
//! sender.

use agenttrust::{ApprovalFilter, ApprovalStatus, Effect};
use agenttrust_tests::bounded::{in_a_runtime, until};
use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::caller::{Caller, state};
use super::targets::{Interface, Target, python};
use crate::mcp::guardian_with_agent::GuardianWithAgent;

#[test]
fn an_agent_sees_each_message_once_and_no_key_nor_id_of_whoever_sent_it() -> Result<()> {
    let Some(python) = python() else { return Ok(()) };
    in_a_runtime(async move || {
        let (guardian, target) = (GuardianWithAgent::start().await?, Target::start(&python).await?);
        for interface in [Interface::JsonRpc, Interface::HttpJson, Interface::Old] {
            let id = target.behind(&guardian, interface).await?;
            let caller = Caller::agent(&guardian, &id)?;
            let message = caller.message("echo hello");
            let sent = caller.sent(&message).await?;
            let again = caller.sent(&message).await?;
            ensure!(sent["id"] == again["id"], "{sent} and {again}");
        }
        let seen = target.seen().await?;
        ensure!(seen.len() == 3, "each once, but: {seen:?}");
        let told = Value::from(seen).to_string();
        for secret in
            [&guardian.key, &guardian.agent_id, "task_", "ctx_", "x-api-key", "x-agent-id"]
        {
            ensure!(!told.to_lowercase().contains(secret), "{secret} went along: {told}");
        }
        Ok(())
    })
}

#[test]
fn a_message_that_needs_approval_reaches_the_agent_once_it_is_approved_and_never_when_denied()
-> Result<()> {
    let Some(python) = python() else { return Ok(()) };
    in_a_runtime(async move || {
        let (guardian, target) =
            (GuardianWithAgent::cautious().await?, Target::start(&python).await?);
        let id = target.behind(&guardian, Interface::JsonRpc).await?;
        let operator = guardian.admin_client()?;
        operator.tools().set_effect(&format!("a2a/{id}"), Effect::Destructive).await?;
        let caller = Caller::agent(&guardian, &id)?;
        let filter = ApprovalFilter::default().status(ApprovalStatus::Pending);
        let held = async |text: &str| {
            let task = caller.sent(&caller.message(text)).await?;
            ensure!(state(&task) == "AUTH_REQUIRED", "{task}");
            // By itself it authorises nothing, and neither does whoever asked.
            let go_on = json!({ "taskId": task["id"], "contextId": task["contextId"] });
            let answer = caller.continued("go on", &go_on).await?;
            ensure!(
                answer["error"].is_object() || answer.to_string().contains("AUTH_REQUIRED"),
                "{answer}"
            );
            let approval = operator.approvals().list(&filter).await?.remove(0);
            anyhow::Ok((task, approval.id))
        };
        let (task, approval) = held("echo approved").await?;
        ensure!(target.seen().await?.is_empty(), "it was sent before it was approved");
        operator.approvals().approve(&approval, "operator").await?;
        until("it goes on by itself", async || {
            let now = caller.task(&task["id"]).await?;
            Ok((state(&now) == "COMPLETED").then_some(()))
        })
        .await?;
        let (task, approval) = held("echo denied").await?;
        operator.approvals().deny(&approval, "operator").await?;
        until("it is rejected", async || {
            Ok((state(&caller.task(&task["id"]).await?) == "REJECTED").then_some(()))
        })
        .await?;
        let seen = target.seen().await?;
        ensure!(seen.len() == 1 && seen[0]["text"] == "echo approved", "{seen:?}");
        Ok(())
    })
}
