//! SDK guide, section 7: check before a tool, report after it.

use agenttrust::{AgentTrustClient, AgentTrustError, AgentTrustGuard, blocking};
use agenttrust_examples::bot;

fn main() -> anyhow::Result<()> {
    agenttrust_examples::run(asynchronous, blocking)
}

async fn asynchronous(client: AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["web:search", "db:delete"])).await?;
    let guard = AgentTrustGuard::builder(client, &agent.id)
        .fail_open(false)
        .block_on_deny(true)
        .action_effect("read") // default effect for all checks
        .build();

    // Before tool call -- returns Err if denied
    guard.check("web_search", "AI news").await?;
    let denied = guard.check("mail_read", "inbox").await;
    assert!(matches!(denied, Err(AgentTrustError::ActionDenied { .. })), "{denied:?}");

    // Or with an explicit per-call effect (overrides default). A destructive call is held, so `?`
    // would return here; section 8 goes on from there.
    let held = guard.check_with_effect("db_delete", "drop table users", "destructive").await;
    assert!(matches!(held, Err(AgentTrustError::ElevationRequired { .. })), "{held:?}");

    // Execute the tool
    let start = std::time::Instant::now();
    let result = do_web_search("AI news");
    let duration_ms = start.elapsed().as_millis() as u64;
    println!("  {result}");

    // After tool call -- fire-and-forget telemetry
    guard.report("web_search", true, duration_ms);

    // Flush remaining telemetry (also happens automatically on Drop)
    guard.flush().await?;
    let stats = guard.stats();
    assert_eq!((stats.reports_waiting, stats.reports_undelivered), (0, 0));
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["web:search", "db:delete"]))?;
    let guard = blocking::AgentTrustGuard::builder(client, &agent.id)
        .fail_open(false)
        .block_on_deny(true)
        .action_effect("read") // default effect for all checks
        .build();

    // Before tool call -- returns Err if denied
    guard.check("web_search", "AI news")?;
    let denied = guard.check("mail_read", "inbox");
    assert!(matches!(denied, Err(AgentTrustError::ActionDenied { .. })), "{denied:?}");

    // Or with an explicit per-call effect (overrides default)
    let held = guard.check_with_effect("db_delete", "drop table users", "destructive");
    assert!(matches!(held, Err(AgentTrustError::ElevationRequired { .. })), "{held:?}");

    // Execute the tool
    let start = std::time::Instant::now();
    let result = do_web_search("AI news");
    let duration_ms = start.elapsed().as_millis() as u64;
    println!("  {result}");

    // After tool call -- fire-and-forget telemetry
    guard.report("web_search", true, duration_ms);

    // Flush remaining telemetry (also happens automatically on Drop)
    guard.flush()?;
    let stats = guard.stats();
    assert_eq!((stats.reports_waiting, stats.reports_undelivered), (0, 0));
    Ok(())
}

fn do_web_search(query: &str) -> String {
    format!("3 results for {query:?}")
}
