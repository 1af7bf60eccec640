//! What was answered stays so: whatever dies, breaks off, fills up or falls silent.
#![cfg(all(unix, feature = "cli"))]

mod audit_commit;
mod damaged;
mod kill9;
mod lasting;
#[cfg(target_os = "linux")]
mod load;
#[path = "../support/program.rs"]
mod program;
mod replicas;
#[path = "../support/served.rs"]
mod served;
mod siem;
#[path = "../support/mod.rs"]
mod support;
#[path = "../api/tasks/target.rs"]
mod target;
mod tasks;
