//! Denials and outcomes in the types of other crates. Neither of two other crates, nor a user, can implement the trait
//! of one for the type of the other.
//!
//! There is one file for each framework. What a caller sees of a denial is in one table for all of them,
//! [`DenialResponse`].

#[cfg(feature = "axum")]
mod axum;
mod denial_response;
mod http;
#[cfg(feature = "rmcp")]
mod rmcp;

pub use self::denial_response::{DenialReason, DenialResponse};
