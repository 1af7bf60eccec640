//! What was answered stays so: whatever dies, breaks off, fills up or falls silent.
#![cfg(all(unix, feature = "cli"))]

mod audit_commit;
mod audit_file;
mod damaged;
mod failover;
mod kill9;
mod lasting;
#[cfg(target_os = "linux")]
mod load;
mod policy_disk;
mod pooler;
#[path = "../support/program.rs"]
mod program;
mod replicas;
#[path = "../support/served.rs"]
mod served;
mod siem;
mod starting;
#[path = "../support/mod.rs"]
mod support;
#[path = "../api/tasks/target.rs"]
mod target;
mod tasks;
