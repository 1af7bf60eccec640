//! What `#[guarded]` makes of a function: as programs that are compiled and run.

mod generated;
mod lints;
mod running;
mod ui;
