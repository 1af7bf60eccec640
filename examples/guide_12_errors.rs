//! SDK guide, section 12: every way in which a check can end.

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, blocking};
use agenttrust_examples::{bot, gateway_or_env};

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let gateway = runtime.block_on(gateway_or_env())?;
    let client = gateway.client();
    let stranger = at(client.base_url())?;
    // A port that was free a moment ago: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let clients = [client, stranger, at(&format!("http://{free}"))?];

    println!("async:");
    let [client, stranger, nobody] = clients.clone();
    runtime.block_on(asynchronous(client, stranger, nobody))?;
    println!("blocking:");
    let [client, stranger, nobody] = clients.map(blocking::AgentTrustClient::from);
    blocking(client, stranger, nobody)?;
    Ok(())
}

/// Returns a client with a key that no Guardian knows.
fn at(url: &str) -> Result<AgentTrustClient, AgentTrustError> {
    AgentTrustClient::builder().base_url(url).api_key("sk_live_wrong").build()
}

async fn asynchronous(
    client: AgentTrustClient,
    stranger: AgentTrustClient,
    nobody: AgentTrustClient,
) -> Result<(), AgentTrustError> {
    let bold = client.agents().create(&bot(&["dangerous_tool"])).await?.id;
    let meek = client.agents().create(&bot(&["harmless_tool"])).await?.id;

    let guard = AgentTrustGuard::new(client.clone(), &bold);
    assert_eq!(explain(guard.check_with_effect("dangerous_tool", "data", "read").await), "Allowed");
    let held = guard.check_with_effect("dangerous_tool", "data", "destructive").await;
    assert_eq!(explain(held), "Elevation required");
    let unknown = guard.check_with_effect("dangerous_tool", "data", "sideways").await;
    assert_eq!(explain(unknown), "Other error");

    let guard = AgentTrustGuard::new(client, &meek);
    let denied = guard.check_with_effect("dangerous_tool", "data", "destructive").await;
    assert_eq!(explain(denied), "Denied");

    let guard = AgentTrustGuard::new(stranger, &bold);
    let refused = guard.check_with_effect("dangerous_tool", "data", "destructive").await;
    assert_eq!(explain(refused), "Auth failed");

    let guard = AgentTrustGuard::new(nobody.clone(), &bold);
    let unanswered = guard.check_with_effect("dangerous_tool", "data", "destructive").await;
    assert_eq!(explain(unanswered), "Guardian unreachable");
    // Only the guard says so; a request of the client's own is a network error.
    assert_eq!(explain(nobody.health().await.map(drop)), "Network error");
    Ok(())
}

fn blocking(
    client: blocking::AgentTrustClient,
    stranger: blocking::AgentTrustClient,
    nobody: blocking::AgentTrustClient,
) -> Result<(), AgentTrustError> {
    let bold = client.agents().create(&bot(&["dangerous_tool"]))?.id;
    let meek = client.agents().create(&bot(&["harmless_tool"]))?.id;

    let guard = blocking::AgentTrustGuard::new(client.clone(), &bold);
    assert_eq!(explain(guard.check_with_effect("dangerous_tool", "data", "read")), "Allowed");
    let held = guard.check_with_effect("dangerous_tool", "data", "destructive");
    assert_eq!(explain(held), "Elevation required");
    let unknown = guard.check_with_effect("dangerous_tool", "data", "sideways");
    assert_eq!(explain(unknown), "Other error");

    let guard = blocking::AgentTrustGuard::new(client, &meek);
    let denied = guard.check_with_effect("dangerous_tool", "data", "destructive");
    assert_eq!(explain(denied), "Denied");

    let guard = blocking::AgentTrustGuard::new(stranger, &bold);
    let refused = guard.check_with_effect("dangerous_tool", "data", "destructive");
    assert_eq!(explain(refused), "Auth failed");

    let guard = blocking::AgentTrustGuard::new(nobody.clone(), &bold);
    let unanswered = guard.check_with_effect("dangerous_tool", "data", "destructive");
    assert_eq!(explain(unanswered), "Guardian unreachable");
    assert_eq!(explain(nobody.health().map(drop)), "Network error");
    Ok(())
}

/// Returns the guide's match, one arm a variant; says which arm it took.
fn explain(outcome: Result<(), AgentTrustError>) -> &'static str {
    match outcome {
        Ok(()) => {
            println!("  Allowed");
            "Allowed"
        }
        Err(AgentTrustError::ActionDenied { message, check_id }) => {
            println!("  Denied: {}, check_id: {:?}", message, check_id);
            "Denied"
        }
        Err(AgentTrustError::ElevationRequired { message, approval_id }) => {
            println!("  Elevation required: {}, approval_id: {}", message, approval_id);
            "Elevation required"
        }
        Err(AgentTrustError::GuardianUnavailable { message }) => {
            println!("  Guardian unreachable: {}", message);
            "Guardian unreachable"
        }
        Err(AgentTrustError::Authentication { message, .. }) => {
            println!("  Auth failed: {}", message);
            "Auth failed"
        }
        Err(AgentTrustError::Network(e)) => {
            println!("  Network error: {}", e);
            "Network error"
        }
        Err(e) => {
            println!("  Other error: {}", e);
            "Other error"
        }
    }
}
