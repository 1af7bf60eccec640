//! The client and the guard for code that is not async.
//!
//! It mirrors the async side, resource by resource: the same names, the same errors, without
//! `.await`. Each call parks its thread while the work is done on a background runtime, so that it
//! works with no runtime at all, inside a current-thread one and inside a multi-thread one.
//!
//! ```no_run
//! use agenttrust::blocking::{AgentTrustClient, AgentTrustGuard};
//!
//! fn main() -> Result<(), agenttrust::AgentTrustError> {
//!     let client = AgentTrustClient::from_env()?;
//!     let guard = AgentTrustGuard::builder(client, "agent-123").build();
//!     guard.check_with_effect("web_search", "AI news", "read")?;
//!     let begun = std::time::Instant::now();
//!     // The tool runs here.
//!     guard.report("web_search", true, begun.elapsed().as_millis() as u64);
//!     guard.flush()
//! }
//! ```
//!
//! `#[guarded]` goes on a plain function as well, which asks the guard of the process:
//!
//! ```no_run,standalone_crate
//! use agenttrust::blocking::{AgentTrustClient, AgentTrustGuard};
//! use agenttrust::guarded;
//!
//! #[guarded(effect = "destructive")]
//! fn delete_file(path: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//!     Ok(std::fs::remove_file(path)?)
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let guard = AgentTrustGuard::new(AgentTrustClient::from_env()?, "agent-123");
//!     // Sends what is still to be reported once it is dropped.
//!     let _reports = guard.install()?;
//!     if let Err(error) = delete_file("report.txt") {
//!         println!("{error}");
//!     }
//!     Ok(())
//! }
//! ```

mod a2a;
mod access;
mod agent_cards;
mod client;
mod export;
mod federation;
mod guard;
mod inbox;
mod managing;
mod mcp;
mod resources;
mod streaming;
mod task_events;
mod wimse;

pub use self::a2a::A2a;
pub use self::access::Access;
pub use self::agent_cards::AgentCards;
pub use self::client::{AgentTrustClient, AgentTrustClientBuilder};
pub use self::export::AuditExport;
pub use self::federation::Federation;
pub use self::guard::{AgentTrustGuard, AgentTrustGuardBuilder};
pub use self::inbox::Inbox;
pub use self::managing::{Audit, Keys, Policies, Tools, Webhooks};
pub use self::mcp::Mcp;
pub use self::resources::{Actions, Agents, Approvals, Delegations, Sessions, Telemetry, Tokens};
pub use self::streaming::Streaming;
pub use self::task_events::TaskEvents;
pub use self::wimse::{AgentCredentials, Wimse};

use std::future::Future;

use crate::background;
use crate::error::Result;

/// Parks this thread until `future` is done on the background runtime.
fn wait<T: Send + 'static>(future: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    background::block_on(future)?
}
