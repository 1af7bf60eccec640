//! How requests travel: one boxed tower service, whatever is behind it.
//!
//! The default is reqwest with rustls. Anything else that answers `http` requests does as well: an
//! axum `Router`, a stack of middleware, a scripted service in a test. Give it to
//! [`AgentTrustClientBuilder::service`](crate::client::AgentTrustClientBuilder::service).

#[cfg(feature = "reqwest")]
mod authorities;
mod error;
#[cfg(feature = "reqwest")]
pub(crate) mod pool;
#[cfg(feature = "reqwest")]
mod scheme;
mod service;

pub use self::error::{TransportError, TransportErrorKind};
pub use self::service::{Transport, TransportBody};
pub(crate) use self::service::{boxed, read_to_limit};
