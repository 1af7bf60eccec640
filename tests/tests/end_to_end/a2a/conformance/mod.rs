//! What A2A 1.0 demands of everyone who serves it, shown of an agent behind the Guardian. Each test names the sections
//! of the specification that it is about.
//!
//! A2A's own conformance kit (`a2aproject/a2a-tck`) is on no registry, so its mandatory cases are here in words of our
//! own. Left out are those that ask for what the Guardian does not serve, or leaves to what is in front of it:
//!
//! - gRPC, and HTTP+JSON towards callers: a card names JSON-RPC only (§5.1, §8.3.1), so nothing else is to be the same.
//! - TLS, certificates and redirects to HTTPS (§7.1, §7.2): `serve` listens in plain HTTP behind a proxy that has them.
//! - `PushNotificationNotSupportedError`, `UnsupportedOperationError` of streaming (§3.3.4): both are served.
//! - `InvalidAgentResponseError` (§3.3.2): no request provokes it; agents that lie are in the Guardian's own tests.
//! - OAuth 2.0, OpenID Connect and mutual TLS schemes (§4.5): no card names any.

mod cards;
mod listing;
mod rpc;
mod tasks;

use agenttrust_tests::bounded::in_a_runtime;
use anyhow::Result;

use super::caller::Caller;
use super::crates::Agent;
use crate::mcp::guardian_with_agent::GuardianWithAgent;

/// An agent behind a Guardian, and one who calls it.
#[derive(Debug)]
struct Fixture {
    guardian: GuardianWithAgent,
    caller: Caller,
    agent_id: String,
    _agent: Agent,
}

/// Runs a test with them.
fn with_an_agent(test: impl AsyncFnOnce(&Fixture) -> Result<()> + Send + 'static) -> Result<()> {
    in_a_runtime(async move || {
        let (guardian, agent) = (GuardianWithAgent::start().await?, Agent::serve()?);
        let agent_id = agent.behind(&guardian, "JSONRPC").await?;
        let caller = Caller::agent(&guardian, &agent_id)?;
        test(&Fixture { guardian, caller, agent_id, _agent: agent }).await
    })
}
