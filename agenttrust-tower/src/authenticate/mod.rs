//! [`AuthenticateLayer`]: the agent behind a request's token.

mod bearer;
mod cache;
mod future;
mod layer;
mod refusal;
mod revoked;
mod service;
mod tokens;

pub use self::future::AuthenticateFuture;
pub use self::layer::AuthenticateLayer;
pub use self::service::Authenticate;
