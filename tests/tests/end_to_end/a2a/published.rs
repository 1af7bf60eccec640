//! All that the published clients of AgentTrust have for cards and for tasks.

use std::time::{Duration, Instant};

use agenttrust_tests::bounded::{here, in_a_runtime, on_a_plain_thread, threads};
use agenttrustid::{AgentTrustError, SendTaskRequest};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::process::Command;

use super::crates::Agent;
use super::targets::{address, published};
use crate::mcp::guardian_with_agent::GuardianWithAgent;
use crate::programs::{python_script, run};
use crate::python::python_with;

/// The time that a task may take to get where it goes.
const TASK_TIMEOUT: Duration = Duration::from_secs(30);

fn client(guardian: &GuardianWithAgent, key: &str) -> Result<agenttrustid::AgentTrustClient> {
    Ok(agenttrustid::AgentTrustClient::builder()
        .base_url(&guardian.served.url())
        .api_key(key)
        .build()?)
}

/// Checks the agent's card from the making to the reading of it by anyone.
fn cards(guardian: &GuardianWithAgent) -> Result<()> {
    let admin = client(guardian, guardian.served.admin_key())?;
    let agent = admin.agents().create(&agenttrustid::CreateAgentRequest {
        name: "described".to_string(),
        capabilities: vec!["files:read".to_string()],
        ..Default::default()
    })?;
    let cards = admin.agentcards();
    let missing = cards.get(&agent.id);
    ensure!(matches!(missing, Err(AgentTrustError::NotFound { .. })), "{missing:?}");
    let made = cards.generate(&agent.id)?;
    ensure!(made.name == "described" && !made.skills.is_empty(), "{made:?}");
    ensure!(made.primary_url() == Some(&*address(guardian, &agent.id)), "{:?}", made.primary_url());
    ensure!(made.agent_public_key_pem().as_deref().map(str::trim) == Some(agent.public_key.trim()));
    // There are not enough outcomes for a score, and it reads that as nothing.
    ensure!(made.trust_score() == 0.0);
    ensure!(cards.get(&agent.id)?.name == "described");
    let anyone = client(guardian, "sk_wrong")?;
    let early = anyone.agentcards().get_public(&agent.id);
    ensure!(matches!(early, Err(AgentTrustError::NotFound { .. })), "{early:?}");
    ensure!(cards.publish(&agent.id)?.name == "described");
    let public = anyone.agentcards().get_public(&agent.id)?;
    ensure!(public.name == "described" && !public.signatures.is_empty(), "{public:?}");
    ensure!(public.supported_interfaces.iter().all(|it| it.protocol_binding == "JSONRPC"));
    admin.agents().revoke(&agent.id, "compromised")?;
    ensure!(matches!(
        anyone.agentcards().get_public(&agent.id),
        Err(AgentTrustError::NotFound { .. })
    ));
    Ok(())
}

/// Checks tasks by either of its ways, of an agent that is reached and of one that fetches.
fn tasks(guardian: &GuardianWithAgent, reached: &str, fetches: &str) -> Result<()> {
    let client = client(guardian, &guardian.key)?;
    let a2a = client.a2a();
    let task = a2a.send_message(reached, "echo hello", None, None)?;
    ensure!(!task.id.is_empty() && !task.context_id.is_empty(), "{task:?}");
    let ended = ended(&client, &task.id)?;
    ensure!(ended.status == "completed" && ended.target_agent_id == reached, "{ended:?}");
    ensure!(ended.source_agent_id == guardian.agent_id, "{ended:?}");
    ensure!(serde_json::to_string(&ended.artifacts)?.contains("echo hello"), "{ended:?}");

    let asks = a2a.send_message(reached, "ask", Some("asks-1".to_string()), None)?;
    let same = a2a.send_message(reached, "ask", Some("asks-1".to_string()), None)?;
    ensure!(asks.id == same.id, "{asks:?} and {same:?}");
    let on = a2a.send_message(reached, "done", None, Some(asks.id.clone()))?;
    ensure!(on.id == asks.id, "{on:?}");
    self::ended(&client, &asks.id)?;

    let request = SendTaskRequest {
        source_agent_id: guardian.agent_id.clone(),
        target_agent_id: fetches.to_string(),
        message: json!({ "text": "summarize" }),
    };
    let kept = a2a.create_task(&request)?;
    ensure!(kept.status == "pending" && kept.target_agent_id == fetches, "{kept:?}");
    ensure!(kept.created_at.is_some(), "{kept:?}");
    let listed = a2a.list_tasks()?;
    ensure!(listed.len() == 3 && listed.iter().any(|it| it.id == kept.id), "{listed:?}");
    ensure!(a2a.cancel_task(&kept.id)?.status == "cancelled");
    ensure!(a2a.get_task(&kept.id)?.status == "cancelled");
    for refused in [a2a.get_task("task_nothing"), a2a.cancel_task("task_nothing")] {
        let code = refused.err().context("it was let through")?.to_string();
        ensure!(code.contains("task_nothing") || code.contains("task"), "{code}");
    }
    let others = SendTaskRequest { source_agent_id: reached.to_string(), ..request };
    ensure!(a2a.create_task(&others).is_err(), "it asked as another agent");
    Ok(())
}

/// Returns a task, once it is over.
fn ended(client: &agenttrustid::AgentTrustClient, id: &str) -> Result<agenttrustid::A2ATask> {
    let begun = Instant::now();
    loop {
        let task = client.a2a().get_task(id)?;
        if task.status != "pending" && task.status != "running" {
            return Ok(task);
        }
        ensure!(begun.elapsed() < TASK_TIMEOUT, "it is still {}", task.status);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_published_rust_client_makes_publishes_and_reads_cards() -> Result<()> {
    on_a_plain_thread(|| cards(&here(GuardianWithAgent::start())?))
}

#[test]
fn the_published_rust_client_sends_follows_lists_and_cancels_tasks() -> Result<()> {
    on_a_plain_thread(|| {
        let runtime = threads(2);
        let agent = Agent::serve()?;
        let guardian = runtime.block_on(GuardianWithAgent::start())?;
        let reached = runtime.block_on(agent.behind(&guardian, "JSONRPC"))?;
        let fetches = runtime.block_on(published(&guardian, None))?;
        tasks(&guardian, &reached, &fetches)
    })
}

#[test]
fn the_published_python_client_has_cards_and_tasks_whole() -> Result<()> {
    let Some(python) = python_with("agenttrustid", "0.4.0") else { return Ok(()) };
    in_a_runtime(async move || {
        let (guardian, agent) = (GuardianWithAgent::start().await?, Agent::serve()?);
        let mut command = Command::new(python);
        command
            .arg(python_script("a2a_published.py"))
            .env("AGENTTRUST_URL", guardian.served.url())
            .env("ADMIN_KEY", guardian.served.admin_key())
            .env("AGENTTRUST_API_KEY", &guardian.key)
            .env("AGENT_ID", &guardian.agent_id)
            .env("REACHED_ID", agent.behind(&guardian, "JSONRPC").await?)
            .env("FETCHES_ID", published(&guardian, None).await?);
        run(&mut command).await
    })
}
