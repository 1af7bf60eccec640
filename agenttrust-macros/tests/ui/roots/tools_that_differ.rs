//! Two functions that say different things of one tool: nobody could tell which of them holds.

#![deny(warnings)]
#![allow(dead_code, reason = "a tool is listed without being called")]

use agenttrust::{AgentTrustError, guarded};

#[guarded(tool = "delete", effect = "read")]
fn understated() -> Result<(), AgentTrustError> {
    Ok(())
}

#[guarded(tool = "delete", effect = "destructive")]
fn stated() -> Result<(), AgentTrustError> {
    Ok(())
}

/// The error names both places.
fn main() {
    let error = agenttrust::manifest().expect_err("one tool cannot be two things").to_string();
    let source = include_str!("tools_that_differ.rs");
    for function in ["fn understated", "fn stated"] {
        let line = source.lines().position(|line| line.starts_with(function)).unwrap() + 1;
        let place = format!("tools_that_differ.rs:{line}");
        assert!(error.contains(&place), "{error} does not name {place}");
    }
    assert!(error.contains("read") && error.contains("destructive"), "{error}");
}
