#![doc = include_str!("../README.md")]
//!
//! # Embedded and served
//!
//! Embedded and served are the same thing: the Guardian is an axum router
//! ([`Guardian::router`]), and [`Guardian::client`] speaks the same HTTP to it without a socket. What differs: limits
//! on requests hold for the router and not for that client, and limits on connections and the time that a head may
//! take are those of `agenttrust serve`. A program that only embeds it needs none of the program's dependencies:
//! `default-features = false`.
//!
//! # Allocators
//!
//! A row of the audit is made on the thread that asks and let go on the one that writes. The allocator of glibc is slow
//! at that: if many tasks ask on several threads, a program with another allocator makes up to twice as many checks a
//! second. The `agenttrust` program uses mimalloc; in a program of yours it is two lines:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod a2a;
pub mod audit;
mod background;
mod builder;
pub mod classify;
#[cfg(feature = "cli")]
pub mod cli;
mod clock;
mod domain;
mod engine;
mod guardian;
#[cfg(test)]
mod harness;
mod http;
mod jose;
mod manifest;
mod mcp;
mod metrics;
#[cfg(test)]
mod model_tests;
#[cfg(feature = "otel")]
mod otel;
mod outbound;
mod pipeline;
pub mod policy;
mod registry;
mod services;
mod siem;
mod store;
mod telemetry;
mod wire;

pub use self::builder::GuardianBuilder;
pub use self::domain::{GuardianError, ParseRoleError, Role};
pub use self::guardian::Guardian;
