//! End to end: every crate together, with real Guardians.

mod a2a;
mod access;
mod approvals;
mod authenticated;
mod bodies;
mod comes_back;
mod disclosure;
mod federation;
mod frameworks;
mod guide;
mod machine;
mod managing;
mod mcp;
mod never_runs;
mod official_python;
mod official_rust;
mod one_call;
mod parity;
mod programs;
mod python;
mod reports;
mod revocations;
mod rooms;
mod runtimes;
mod siem;
mod words;
mod workload;

/// The program under test.
const AGENTTRUST: &str = env!("CARGO_BIN_EXE_agenttrust-under-test");
