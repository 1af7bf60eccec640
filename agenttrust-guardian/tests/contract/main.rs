//! What is written down elsewhere: the OpenAPI document and the README.
#![cfg(feature = "cli")]

mod openapi;
mod readme;
mod schemathesis;
#[path = "../support/mod.rs"]
mod support;
