//! Trials by force: what has to hold however the Guardian is pushed about. Here are those that move the
//! Guardian's clock; those that kill its process are in `tests/durability/`.

mod approvals;
mod clock_jumps;
mod delegations;
mod issuers_clock;
