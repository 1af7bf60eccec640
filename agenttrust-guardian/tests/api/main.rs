//! What the Guardian answers over HTTP, embedded: decisions and everything that they rest on.

mod agents_change;
mod approval_list;
mod approvals;
mod approvals_in_parts;
mod audience;
mod bad_input;
mod counted;
mod decides;
mod delegated;
mod delegations;
mod delegations_refused;
mod disclosure;
mod first_hour;
mod injection;
mod issued;
mod keys;
mod loosening;
mod manifest;
mod manifest_agents;
mod manifest_bad_input;
mod mcp_proxy;
mod mcp_servers;
mod metrics;
mod one_agent;
mod organisations;
mod owners;
mod policies;
mod policy_replicas;
mod recipes;
mod revocation;
mod revocation_stream;
mod roles;
mod shapes;
#[path = "../support/mod.rs"]
mod support;
mod webhooks;
