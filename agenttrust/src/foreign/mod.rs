//! Denials and outcomes in the types of other crates: a type and a trait of two other crates can be
//! brought together by neither of them, and not by a user either.
//!
//! A file a framework. What a caller is told of a denial is in one table for all of them, [`DenialResponse`].

#[cfg(feature = "axum")]
mod axum;
mod denial_response;
mod http;
#[cfg(feature = "rmcp")]
mod rmcp;

pub use self::denial_response::{DenialReason, DenialResponse};
