//! Under load and delay. What is taken back is in force at once. A flood of one key, or of connections, disturbs no
//! other caller and opens no guard. A slow database opens nothing.

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
