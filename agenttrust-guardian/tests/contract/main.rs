//! What is written down elsewhere: the OpenAPI document, and the documents of the repository.
#![cfg(feature = "cli")]

mod documents;
mod openapi;
mod schemathesis;
#[path = "../support/mod.rs"]
mod support;
