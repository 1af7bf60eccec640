//! The use cases, one file for each kind of thing: what HTTP, the command line and a program that embeds the
//! Guardian ask for.

pub(crate) mod access;
pub(crate) mod agent_changes;
pub(crate) mod agents;
pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod card_keys;
pub(crate) mod cards;
pub(crate) mod delegations;
pub(crate) mod federation;
pub(crate) mod issued;
pub(crate) mod keys;
pub(crate) mod loosening;
pub(crate) mod mcp_servers;
pub(crate) mod mcp_tools;
#[cfg(test)]
mod mcp_tools_tests;
pub(crate) mod policies;
pub(crate) mod sealed;
pub(crate) mod sessions;
pub(crate) mod siem;
pub(crate) mod tasks;
pub(crate) mod telemetry;
pub(crate) mod tokens;
pub(crate) mod tools;
pub(crate) mod webhooks;
pub(crate) mod workload;
