//! SDK guide, section 8: a held call, its approval, and the call again.

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, blocking};
use agenttrust_examples::bot;

fn main() -> anyhow::Result<()> {
    agenttrust_examples::run(asynchronous, blocking)
}

async fn asynchronous(client: AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["db:delete"])).await?;
    let guard = AgentTrustGuard::new(client.clone(), &agent.id);

    match guard.check_with_effect("db_delete", "drop table users", "destructive").await {
        Ok(()) => panic!("a destructive action went ahead without approval"),
        Err(AgentTrustError::ElevationRequired { approval_id, message }) => {
            println!("  Elevation required: {}. Approval ID: {}", message, approval_id);
            // A human or automated system approves the action
            client.approvals().approve(&approval_id, "admin@company.com").await?;
            // Retry the check
            guard.check_with_effect("db_delete", "drop table users", "destructive").await?;
            println!("  Approved, and allowed");
        }
        Err(e) => return Err(e),
    }
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["db:delete"]))?;
    let guard = blocking::AgentTrustGuard::new(client.clone(), &agent.id);

    match guard.check_with_effect("db_delete", "drop table users", "destructive") {
        Ok(()) => panic!("a destructive action went ahead without approval"),
        Err(AgentTrustError::ElevationRequired { approval_id, message }) => {
            println!("  Elevation required: {}. Approval ID: {}", message, approval_id);
            // A human or automated system approves the action
            client.approvals().approve(&approval_id, "admin@company.com")?;
            // Retry the check
            guard.check_with_effect("db_delete", "drop table users", "destructive")?;
            println!("  Approved, and allowed");
        }
        Err(e) => return Err(e),
    }
    Ok(())
}
