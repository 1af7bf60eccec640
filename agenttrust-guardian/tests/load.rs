//! Under load: one key's flood and a flood of connections are nobody else's trouble, and open no guard.
#![cfg(all(target_os = "linux", feature = "cli"))]

#[path = "load/connections.rs"]
mod connections;
#[path = "load/guard_opens_nothing.rs"]
mod guard_opens_nothing;
#[path = "load/limits.rs"]
mod limits;
#[path = "load/posts.rs"]
mod posts;
mod program;
#[path = "load/slow.rs"]
mod slow;
mod support;
#[path = "load/tenant.rs"]
mod tenant;
