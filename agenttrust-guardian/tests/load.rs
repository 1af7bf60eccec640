//! Under load and delay: what is taken back is in force at once, one key's flood and a flood of connections are
//! no one else's trouble and open no guard, and a database that is slow opens nothing.
#![cfg(all(target_os = "linux", feature = "cli"))]

#[path = "load/connections.rs"]
mod connections;
#[path = "load/flood.rs"]
mod flood;
#[path = "load/guard_opens_nothing.rs"]
mod guard_opens_nothing;
#[path = "load/limits.rs"]
mod limits;
#[path = "load/posts.rs"]
mod posts;
mod program;
#[path = "support/proxy.rs"]
#[allow(dead_code, reason = "another test binary uses the rest")]
mod proxy;
#[path = "load/reading.rs"]
mod reading;
#[path = "load/slow.rs"]
mod slow;
#[path = "load/stalled.rs"]
mod stalled;
mod support;
#[path = "load/taking.rs"]
mod taking;
#[path = "load/telemetry.rs"]
mod telemetry;
#[path = "load/tenant.rs"]
mod tenant;
