//! An agent that calls one tool and exits, whatever became of it: `agent-under-test embedded|served
//! async|blocking ORDER`. Embedded, its Guardian is on the file `AGENTTRUST_DATABASE`, where it finds itself by its
//! name, as the README has it, unless `AGENT_ID` says who it is.

use std::env;

use agenttrust::{
    AgentTrustClient, AgentTrustError, AgentTrustGuard, CreateAgentRequest, blocking, guarded,
};
use agenttrust_guardian::Guardian;

#[guarded(effect = "destructive")]
async fn refund(order: &str) -> Result<String, AgentTrustError> {
    Ok(format!("refunded {order}"))
}

#[guarded(tool = "refund", effect = "destructive")]
fn refund_blocking(order: &str) -> Result<String, AgentTrustError> {
    Ok(format!("refunded {order}"))
}

/// Returns the agent of the last run, by its name, else a new one.
async fn found_or_made(client: &AgentTrustClient) -> Result<String, AgentTrustError> {
    let known = client.agents().list().await?;
    let agent = match known.into_iter().find(|it| it.name == "shopbot" && it.status == "active") {
        Some(agent) => agent,
        None => {
            let request = CreateAgentRequest {
                name: "shopbot".to_string(),
                capabilities: vec!["refund".to_string()],
                ..Default::default()
            };
            client.agents().create(&request).await?
        }
    };
    Ok(agent.id)
}

fn main() -> anyhow::Result<()> {
    let mut words = env::args().skip(1);
    let mut word = || words.next().unwrap_or_default();
    let (place, way, order) = (word(), word(), word());
    let runtime = tokio::runtime::Runtime::new()?;
    let guardian = match place.as_str() {
        "embedded" => {
            let database = env::var("AGENTTRUST_DATABASE")?;
            Some(runtime.block_on(Guardian::builder().database(database).build())?)
        }
        _ => None,
    };
    let client = match &guardian {
        Some(guardian) => guardian.client(),
        None => AgentTrustClient::from_env()?,
    };
    let agent = match env::var("AGENT_ID") {
        Ok(agent) => agent,
        Err(_) => runtime.block_on(found_or_made(&client))?,
    };
    let done = if way == "async" {
        let guard = AgentTrustGuard::builder(client, &agent).build();
        runtime.block_on(guard.scope(refund(&order)))
    } else {
        let client = blocking::AgentTrustClient::from(client);
        let guard = blocking::AgentTrustGuard::builder(client, &agent).build();
        guard.scope(|| refund_blocking(&order))
    };
    match done {
        Ok(done) => println!("{done}"),
        Err(error) => println!("{}: {error}", error.code()),
    }
    if let Some(guardian) = guardian {
        runtime.block_on(guardian.close());
    }
    Ok(())
}
