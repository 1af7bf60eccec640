//! Under load and delay: what is taken back is in force at once, one agent's flood is nobody else's trouble,
//! and a database that is slow opens nothing.
#![cfg(unix)]

#[path = "load/flood.rs"]
mod flood;
#[path = "support/proxy.rs"]
#[allow(dead_code, reason = "another test binary uses the rest")]
mod proxy;
#[path = "load/reading.rs"]
mod reading;
#[path = "load/stalled.rs"]
mod stalled;
mod support;
#[path = "load/taking.rs"]
mod taking;
#[path = "load/telemetry.rs"]
mod telemetry;
