//! The program: its settings, its log, its commands, and how it begins and ends.
#![cfg(all(unix, feature = "cli"))]

mod agents_cli;
mod approvals_cli;
mod audit;
mod audit_added;
mod audit_export;
mod audit_file;
mod audit_found;
mod audit_seen;
mod authorities;
mod cards_cli;
mod check_cli;
mod cli;
mod config;
mod delegations_cli;
mod federation_cli;
mod few_files;
mod hosts;
mod kept_alive;
mod keys_cli;
mod logs;
mod mcp_cli;
mod mcp_run;
mod notify;
#[cfg(feature = "otel")]
mod otel;
mod outbound;
mod policy_cli;
mod policy_folder;
#[path = "../support/program.rs"]
mod program;
mod revoked_cli;
mod rsyslog;
mod secrets;
mod siem_cli;
mod siem_logged;
mod sighup;
mod stops;
#[path = "../support/mod.rs"]
mod support;
mod tasks_cli;
mod tls;
