//! SDK guide, section 9: approving, denying and reading approvals.

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, blocking};
use agenttrust_examples::bot;

fn main() -> anyhow::Result<()> {
    agenttrust_examples::run(asynchronous, blocking)
}

async fn asynchronous(client: AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["db:delete"])).await?;
    let guard = AgentTrustGuard::new(client.clone(), &agent.id);

    let users = guard.check_with_effect("db_delete", "drop table users", "destructive").await;
    let approval_id = approval_of(users);
    // Approve an elevation request
    client.approvals().approve(&approval_id, "admin@company.com").await?;
    // Check approval status
    let approval = client.approvals().get(&approval_id).await?;
    println!("  Status: {}, Action: {}", approval.status, approval.action_name);
    assert_eq!(
        (approval.status.as_str(), approval.action_name.as_str()),
        ("approved", "db_delete")
    );
    assert_eq!(approval.decided_by.as_deref(), Some("admin@company.com"));

    let orders = guard.check_with_effect("db_delete", "drop table orders", "destructive").await;
    let approval_id = approval_of(orders);
    // Deny an elevation request
    client.approvals().deny(&approval_id, "security@company.com").await?;
    let approval = client.approvals().get(&approval_id).await?;
    println!("  Status: {}, Action: {}", approval.status, approval.action_name);
    assert_eq!(approval.status, "denied");
    let denied = guard.check_with_effect("db_delete", "drop table orders", "destructive").await;
    assert!(matches!(denied, Err(AgentTrustError::ActionDenied { .. })), "{denied:?}");
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["db:delete"]))?;
    let guard = blocking::AgentTrustGuard::new(client.clone(), &agent.id);

    let users = guard.check_with_effect("db_delete", "drop table users", "destructive");
    let approval_id = approval_of(users);
    // Approve an elevation request
    client.approvals().approve(&approval_id, "admin@company.com")?;
    // Check approval status
    let approval = client.approvals().get(&approval_id)?;
    println!("  Status: {}, Action: {}", approval.status, approval.action_name);
    assert_eq!(
        (approval.status.as_str(), approval.action_name.as_str()),
        ("approved", "db_delete")
    );
    assert_eq!(approval.decided_by.as_deref(), Some("admin@company.com"));

    let orders = guard.check_with_effect("db_delete", "drop table orders", "destructive");
    let approval_id = approval_of(orders);
    // Deny an elevation request
    client.approvals().deny(&approval_id, "security@company.com")?;
    let approval = client.approvals().get(&approval_id)?;
    println!("  Status: {}, Action: {}", approval.status, approval.action_name);
    assert_eq!(approval.status, "denied");
    let denied = guard.check_with_effect("db_delete", "drop table orders", "destructive");
    assert!(matches!(denied, Err(AgentTrustError::ActionDenied { .. })), "{denied:?}");
    Ok(())
}

/// Returns the id of the approval that a check was held for: "Approvals are created automatically
/// by Guardian when an action requires elevation."
fn approval_of(check: Result<(), AgentTrustError>) -> String {
    match check {
        Err(AgentTrustError::ElevationRequired { approval_id, .. }) => approval_id,
        other => panic!("the action was not held: {other:?}"),
    }
}
