//! The first program of the README: a function behind a Guardian that runs inside of the program.

use agenttrust::{AgentTrustError, AgentTrustGuard, CreateAgentRequest, guarded};
use agenttrust_guardian::Guardian;

#[guarded(effect = "destructive")]
async fn delete_file(path: &str) -> Result<(), AgentTrustError> {
    println!("{path} is gone");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let guardian = Guardian::in_memory().await?;
    let mut agent = CreateAgentRequest { name: "janitor".to_owned(), ..Default::default() };
    agent.capabilities.push("delete_file".to_owned());
    let agent = guardian.client().agents().create(&agent).await?;
    let _reports = AgentTrustGuard::new(guardian.client(), &agent.id).install()?;

    if let Err(error) = delete_file("report.txt").await {
        println!("{error}");
    }
    Ok(())
}
