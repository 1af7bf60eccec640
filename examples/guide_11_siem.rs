//! SDK guide, section 11: what the audit says, delivered to where a security team looks.
//!
//! The receiver is in this process (`examples/src/collector.rs`), and takes what Splunk's HTTP Event Collector takes.
//! It is at a private address, so a Guardian elsewhere does not call it, unless it was started with `--allow-outbound
//! 127.0.0.0/8`.

use std::time::Duration;

use agenttrust::{
    ActionCheckRequest, AgentTrustClient, AgentTrustError, CreateSiemDestinationRequest,
    SiemDelivery, SiemDestination, StreamFilter, UpdateSiemDestinationRequest, blocking,
};
use agenttrust_examples::{Collector, bot};

fn main() -> anyhow::Result<()> {
    // It has threads of its own, and answers while `blocking` holds this one.
    let runtime = tokio::runtime::Runtime::new()?;
    let collector = runtime.block_on(Collector::start())?;
    agenttrust_examples::run(
        async |client| asynchronous(client, &collector).await,
        |client| blocking(client, &collector),
    )
}

async fn asynchronous(
    client: AgentTrustClient,
    collector: &Collector,
) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["files:read"])).await?;
    let streaming = client.streaming();

    // Configure audit-event delivery
    let destination = streaming.create(&splunk(collector)).await?;
    println!("  Destination ID: {}", destination.id);
    assert!(destination.auth_token.is_none(), "the token is sealed, and told to no one");

    // What is denied from here on is delivered
    assert!(!client.actions().check(&deletion(&agent.id)).await?.allowed);
    streaming.subscribe(&deliveries(&destination), until_delivered).await?;
    assert_eq!(told_of(collector, &agent.id), ["Denied: db_delete"]);

    // Inspect the deliveries, and send an event for trial
    let logs = streaming.delivery_log(&destination.id).await?;
    assert!(logs.iter().any(|delivery| delivery.status == "success"));
    let test = streaming.test(&destination.id).await?;
    println!("  Test: {}, status {:?}", test.success, test.status_code);
    assert!(test.success);

    // A token that the receiver does not know: what is owed to it is kept, and sent once that is mended
    streaming.update(&destination.id, &with_token("mistyped")).await?;
    let test = streaming.test(&destination.id).await?;
    println!("  Test: {}, {}", test.success, test.error_message.unwrap_or_default());
    assert!(!test.success);
    let mended = streaming.update(&destination.id, &with_token(collector.token())).await?;
    assert!(mended.is_active);

    assert!(streaming.list().await?.iter().any(|known| known.id == destination.id));
    streaming.delete(&destination.id).await
}

fn blocking(
    client: blocking::AgentTrustClient,
    collector: &Collector,
) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["files:read"]))?;
    let streaming = client.streaming();

    // Configure audit-event delivery
    let destination = streaming.create(&splunk(collector))?;
    println!("  Destination ID: {}", destination.id);
    assert!(destination.auth_token.is_none(), "the token is sealed, and told to no one");

    // What is denied from here on is delivered
    assert!(!client.actions().check(&deletion(&agent.id))?.allowed);
    streaming.subscribe(&deliveries(&destination), until_delivered)?;
    assert_eq!(told_of(collector, &agent.id), ["Denied: db_delete"]);

    // Inspect the deliveries, and send an event for trial
    let logs = streaming.delivery_log(&destination.id)?;
    assert!(logs.iter().any(|delivery| delivery.status == "success"));
    let test = streaming.test(&destination.id)?;
    println!("  Test: {}, status {:?}", test.success, test.status_code);
    assert!(test.success);

    // A token that the receiver does not know: what is owed to it is kept, and sent once that is mended
    streaming.update(&destination.id, &with_token("mistyped"))?;
    let test = streaming.test(&destination.id)?;
    println!("  Test: {}, {}", test.success, test.error_message.unwrap_or_default());
    assert!(!test.success);
    let mended = streaming.update(&destination.id, &with_token(collector.token()))?;
    assert!(mended.is_active);

    assert!(streaming.list()?.iter().any(|known| known.id == destination.id));
    streaming.delete(&destination.id)
}

fn splunk(collector: &Collector) -> CreateSiemDestinationRequest {
    CreateSiemDestinationRequest {
        name: "Splunk HEC".to_string(),
        destination_type: "splunk".to_string(),
        endpoint_url: collector.url(),
        auth_token: Some(collector.token().to_string()),
        // Each event by itself: a hundred of them, or those of half a minute, is what goes together otherwise
        batch_size: Some(1),
        flush_interval_seconds: Some(1),
        filter_event_types: Some(vec!["decision.denied".to_string()]),
    }
}

fn with_token(token: &str) -> UpdateSiemDestinationRequest {
    UpdateSiemDestinationRequest { auth_token: Some(token.to_string()), ..Default::default() }
}

/// Looks twenty times a second, for half a minute at most.
fn deliveries(destination: &SiemDestination) -> StreamFilter {
    StreamFilter {
        destination_id: destination.id.clone(),
        poll_interval: Some(Duration::from_millis(50)),
        max_polls: Some(600),
    }
}

/// Tells of a delivery, and whether to go on waiting for one.
fn until_delivered(delivery: &SiemDelivery) -> bool {
    println!("  Delivery of {} events: {}", delivery.batch_size, delivery.status);
    delivery.status != "success"
}

/// Returns the events of this agent's calls that came to the collector. Events are of OCSF, the class API Activity.
fn told_of(collector: &Collector, agent_id: &str) -> Vec<String> {
    let events = collector.events();
    let of_agent = events.iter().filter(|event| event["unmapped"]["agent_id"] == agent_id);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
    of_agent
        .map(|event| {
            let tool = text(&event["unmapped"]["decision"]["tool"]);
            format!("{}: {tool}", text(&event["action"]))
        })
        .collect()
}

/// Returns a call that the agent has no capability for.
fn deletion(agent_id: &str) -> ActionCheckRequest {
    ActionCheckRequest {
        agent_id: agent_id.to_string(),
        action: "tool_call".to_string(),
        tool_name: "db_delete".to_string(),
        action_effect: Some("destructive".to_string()),
        ..Default::default()
    }
}
