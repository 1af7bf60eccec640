//! SIEM streaming at `agenttrust serve`, by every client that there is for it. Events go to a collector on this
//! machine, which takes what Splunk's HTTP Event Collector takes and nothing else.

mod collector;
mod ours;
mod published;

use anyhow::Result;

use self::collector::Collector;
use crate::mcp::guardian_with_agent::GuardianWithAgent;

/// Returns a Guardian that may send to this machine, and a collector.
async fn guardian_and_collector() -> Result<(GuardianWithAgent, Collector)> {
    Ok((GuardianWithAgent::start().await?, Collector::start().await?))
}
