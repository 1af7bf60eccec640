//! [`AuthenticateLayer`]: the agent behind a request's token.

mod bearer;
mod bound;
mod cache;
mod ends;
mod forgotten;
mod future;
mod key;
mod layer;
mod question;
mod refusal;
mod revoked;
mod seen;
mod service;
mod tokens;
mod wanted;

pub use self::future::AuthenticateFuture;
pub use self::layer::AuthenticateLayer;
pub use self::service::Authenticate;
