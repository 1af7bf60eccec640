//! The AgentTrust Guardian: decides whether an agent may run a tool, embedded in a program or served.
//!
//! ```
//! use agenttrust_guardian::Guardian;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let guardian = Guardian::in_memory().await?;
//! let client = guardian.client();
//! let agent = client
//!     .agents()
//!     .create(&agenttrust::CreateAgentRequest {
//!         name: "librarian".to_string(),
//!         capabilities: vec!["files:read".to_string()],
//!         ..Default::default()
//!     })
//!     .await?;
//! assert_eq!(agent.name, "librarian");
//! # Ok(())
//! # }
//! ```
//!
//! Embedded and served are the same thing: the Guardian is an axum router
//! ([`Guardian::router`]), and [`Guardian::client`] speaks the same HTTP to it without a socket.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

// The trials use what the end-to-end tests share, which names this crate.
#[cfg(test)]
extern crate self as agenttrust_guardian;

pub mod audit;
mod builder;
mod checks;
pub mod classify;
#[cfg(feature = "cli")]
pub mod cli;
mod clock;
mod error;
mod following;
mod guardian;
mod health;
mod http;
mod ids;
mod limits;
mod lists;
mod manifest;
mod metrics;
mod names;
#[cfg(feature = "otel")]
mod otel;
mod outbound;
mod pipeline;
mod policies;
pub mod policy;
mod registry;
mod retention;
mod revocations;
mod role;
mod secret;
mod spelling;
mod state;
mod store;
mod taking;
mod telemetry;
mod tending;
#[cfg(test)]
mod trials;
mod webhooks;

pub use self::builder::GuardianBuilder;
pub use self::error::GuardianError;
pub use self::guardian::Guardian;
pub use self::role::{Role, UnknownRole};
