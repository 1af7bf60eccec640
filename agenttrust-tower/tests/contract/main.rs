//! What tower asks of a service, asked of every layer here and of every adapter of the guard: one suite
//! for all of them.

mod adapters;
#[path = "../tower/guardian.rs"]
#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
mod guardian;
mod probe;
mod stacks;
mod suite;
