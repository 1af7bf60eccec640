//! Denials and outcomes in the types of other crates: a type and a trait of two other crates can be
//! brought together by neither of them, and not by a user either.
//!
//! A file a framework. What a caller is told of a denial is in one table for all of them, [`Problem`].

#[cfg(feature = "axum")]
mod axum;
mod http;
mod problem;
#[cfg(feature = "rmcp")]
mod rmcp;

pub use self::problem::{Problem, Reason};
