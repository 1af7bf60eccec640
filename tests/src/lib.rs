//! What the end-to-end tests stand on: real Guardians, embedded and served, and time limits that stop a hang.
//!
//! - [`test_guardian`]: one Guardian, embedded or served, with one client or with an agent's and an operator's
//!   key. What holds for one form must hold for all.
//! - [`served`]: the program `agenttrust serve` as a child process.
//! - [`observed`]: an embedded Guardian whose intake of telemetry is watched.
//! - [`runs`]: what really ran.
//! - [`socket`]: any router on a real socket, with threads of its own.
//! - [`upstream`]: an MCP server of our own, which does what no server should where that is asked.
//! - [`admin`]: keys and the audit, asked in plain HTTP.
//! - [`bounded`]: time limits.

pub mod admin;
pub mod bounded;
pub mod observed;
pub mod runs;
pub mod served;
pub mod socket;
pub mod test_guardian;
pub mod upstream;

/// Declares an item for each document, whose code is compiled, and run, as the doc tests of that.
macro_rules! documents {
    ($($name:ident: $path:literal,)+) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!($path)]
            #[derive(Debug)]
            pub struct $name;
        )+
    };
}

// A crate has its README above its own items. A test of the Guardian's (`contract documents`) says which document with
// Rust in it is compiled nowhere.
documents! {
    Readme: "../../README.md",
    Approvals: "../../docs/APPROVALS.md",
    Architecture: "../../docs/ARCHITECTURE.md",
    Embedding: "../../docs/EMBEDDING.md",
    Federation: "../../docs/FEDERATION.md",
    Mcp: "../../docs/MCP.md",
}
