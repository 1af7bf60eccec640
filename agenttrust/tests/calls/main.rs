//! What calls promise: by a guard, by `#[guarded]`, and over the default transport.

mod guard;
mod guarded;
mod scripted;
mod transport;
