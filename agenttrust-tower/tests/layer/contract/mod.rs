//! What tower asks of a service, asked of every layer here and of every adapter of the guard: one suite
//! for all of them.

mod adapters;
mod probe;
mod stacks;
mod suite;
