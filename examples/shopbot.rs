//! The agent of the README's first hour: it asks, is held, exits, and comes back.

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, guarded};

/// The body runs only after the Guardian has allowed this call, with this order
/// and this amount.
#[guarded(effect = "destructive")]
async fn refund(order: &str, cents: u64) -> Result<String, AgentTrustError> {
    Ok(format!("{order}: {cents} cents are on their way back"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The Guardian at AGENTTRUST_URL, by default http://localhost:8080, with the key AGENTTRUST_API_KEY.
    let client = AgentTrustClient::from_env()?;
    let agent = std::env::var("AGENT_ID").map_err(|_| "set AGENT_ID to the id of the agent")?;
    let guard = AgentTrustGuard::builder(client, &agent)
        // Who approves sees order and amount. Left out, both stay in this process.
        .disclose_on_elevation(true)
        // What is approved between two runs serves the second one.
        .state_file("shopbot.state")
        .build();
    // The guard of this process, whose last reports are sent when this goes.
    let _reports = guard.install()?;

    let order = std::env::args().nth(1).unwrap_or_else(|| "order-7".to_owned());
    match refund(&order, 1_999).await {
        Ok(done) => println!("{done}"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}
