//! [`AuthenticateLayer`]: the agent behind a request's token.

mod bearer;
mod bound;
mod cache;
mod future;
mod introspector;
mod invalidation;
mod key;
mod layer;
mod refusal;
mod requirements;
mod revoked;
mod service;
mod token_expiry;
mod tokens;
mod used_proofs;

pub use self::future::AuthenticateFuture;
pub use self::layer::AuthenticateLayer;
pub use self::service::Authenticate;
