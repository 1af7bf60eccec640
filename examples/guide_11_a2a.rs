//! SDK guide, section 11: asking something of another agent, hearing how it goes, and being the agent that is asked.
//!
//! B has no endpoint of its own, so a worker of it fetches what is asked from its inbox. One with an endpoint says so
//! in its card (`guide_11_cards`), and is sent the message instead.

use std::time::Duration;

use agenttrust::client::SendMessageOptions;
use agenttrust::model::{InboxTask, TaskState};
use agenttrust::{AgentTrustClient, AgentTrustError, SendTaskRequest, blocking};
use agenttrust_examples::bot;
use serde_json::json;

const PAPERS: &str = "Search for recent AI safety papers and summarize the top 3";
const WAIT: Duration = Duration::from_secs(10);

fn main() -> anyhow::Result<()> {
    agenttrust_examples::run(asynchronous, blocking)
}

async fn asynchronous(client: AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent_b = client.agents().create(&bot(&[])).await?;
    let (a2a, inbox) = (client.a2a(), client.inbox(&agent_b.id));

    // A2A v1.0: send a message to a target agent
    let task = a2a.send_message(&agent_b.id, PAPERS).await?;
    println!("  Task {} is {}", task.id, task.status.state);

    // A worker of B fetches it, for itself until its lease ends, and answers
    let asked = is_of(&task.id, inbox.next(WAIT).await?);
    inbox.complete(&asked.lease(), "1. Alignment 2. Oversight 3. Control").await?;

    // Poll for completion, then cancel if needed
    let status = a2a.get_task(&task.id).await?;
    println!("  {}: {}", status.status, status.text());
    assert_eq!(status.status, "completed");
    let task = a2a.send_message(&agent_b.id, "And those of last year").await?;
    assert_eq!(a2a.cancel_task(&task.id).await?.status, "cancelled");

    // A message that has an id may be sent again: it is asked once
    let named = SendMessageOptions::default().message_id(format!("papers-for-{}", agent_b.id));
    let first = a2a.send_message_with(&agent_b.id, PAPERS, &named).await?;
    let again = a2a.send_message_with(&agent_b.id, PAPERS, &named).await?;
    assert_eq!(first.id, again.id);
    let asked = is_of(&first.id, inbox.next(WAIT).await?);
    inbox.fail(&asked.lease(), "the library is closed").await?;

    // Hear how it goes instead of asking
    let mut events = a2a.send_message_streaming(&agent_b.id, PAPERS).await?;
    let begun = events.next().await.unwrap()?;
    println!("  {:?}", begun.status().map(|status| status.state));
    let asked = inbox.next(WAIT).await?.unwrap();
    inbox.complete(&asked.lease(), "1. Alignment").await?;
    let mut last = TaskState::Unknown;
    while let Some(event) = events.next().await {
        last = event?.status().map_or(last, |status| status.state);
    }
    assert_eq!(last, TaskState::Completed);

    // Back-compat (A2A v0.3), from A, which may reach B, and from B, which may not reach A
    let agent_a = client.agents().create(&bot(&[&format!("a2a/{}", agent_b.id)])).await?;
    let task = a2a.send_task(&from(&agent_a.id, &agent_b.id)).await?;
    assert_eq!(task.status, "pending");
    let denied = a2a.send_task(&from(&agent_b.id, &agent_a.id)).await?;
    println!("  {:?}: {:?}", denied.state, denied.status_message);
    assert_eq!(denied.state, Some(TaskState::Rejected));
    assert!(a2a.list_tasks().await?.iter().any(|known| known.id == task.id));
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent_b = client.agents().create(&bot(&[]))?;
    let (a2a, inbox) = (client.a2a(), client.inbox(&agent_b.id));

    // A2A v1.0: send a message to a target agent
    let task = a2a.send_message(&agent_b.id, PAPERS)?;
    println!("  Task {} is {}", task.id, task.status.state);

    // A worker of B fetches it, for itself until its lease ends, and answers
    let asked = is_of(&task.id, inbox.next(WAIT)?);
    inbox.complete(&asked.lease(), "1. Alignment 2. Oversight 3. Control")?;

    // Poll for completion, then cancel if needed
    let status = a2a.get_task(&task.id)?;
    println!("  {}: {}", status.status, status.text());
    assert_eq!(status.status, "completed");
    let task = a2a.send_message(&agent_b.id, "And those of last year")?;
    assert_eq!(a2a.cancel_task(&task.id)?.status, "cancelled");

    // A message that has an id may be sent again: it is asked once
    let named = SendMessageOptions::default().message_id(format!("papers-for-{}", agent_b.id));
    let first = a2a.send_message_with(&agent_b.id, PAPERS, &named)?;
    let again = a2a.send_message_with(&agent_b.id, PAPERS, &named)?;
    assert_eq!(first.id, again.id);
    let asked = is_of(&first.id, inbox.next(WAIT)?);
    inbox.fail(&asked.lease(), "the library is closed")?;

    // Hear how it goes instead of asking
    let mut events = a2a.send_message_streaming(&agent_b.id, PAPERS)?;
    let begun = events.next().unwrap()?;
    println!("  {:?}", begun.status().map(|status| status.state));
    let asked = inbox.next(WAIT)?.unwrap();
    inbox.complete(&asked.lease(), "1. Alignment")?;
    let mut last = TaskState::Unknown;
    for event in events {
        last = event?.status().map_or(last, |status| status.state);
    }
    assert_eq!(last, TaskState::Completed);

    // Back-compat (A2A v0.3), from A, which may reach B, and from B, which may not reach A
    let agent_a = client.agents().create(&bot(&[&format!("a2a/{}", agent_b.id)]))?;
    let task = a2a.send_task(&from(&agent_a.id, &agent_b.id))?;
    assert_eq!(task.status, "pending");
    let denied = a2a.send_task(&from(&agent_b.id, &agent_a.id))?;
    println!("  {:?}: {:?}", denied.state, denied.status_message);
    assert_eq!(denied.state, Some(TaskState::Rejected));
    assert!(a2a.list_tasks()?.iter().any(|known| known.id == task.id));
    Ok(())
}

/// Returns what was fetched, which is the task of this id.
fn is_of(task_id: &str, asked: Option<InboxTask>) -> InboxTask {
    let asked = asked.expect("the task is in the inbox");
    assert_eq!(asked.task.id, task_id);
    println!("  asked: {}", asked.message.text());
    asked
}

fn from(source: &str, target: &str) -> SendTaskRequest {
    SendTaskRequest {
        source_agent_id: source.to_string(),
        target_agent_id: target.to_string(),
        message: json!("Summarize the latest security report"),
    }
}
