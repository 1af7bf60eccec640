//! Under load and delay: what is taken back is in force at once, one key's flood and a flood of connections are
//! no one else's trouble and open no guard, and a database that is slow opens nothing.

mod connections;
mod evaluations;
mod flood;
mod guard_opens_nothing;
mod limits;
mod organisation;
mod posts;
mod reading;
mod slow;
mod stalled;
mod taking;
mod telemetry;
