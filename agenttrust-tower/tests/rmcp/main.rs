//! What a guarded handler promises, over rmcp's own client and a scripted Guardian.

// The Guardian of the layer's tests; not all that it can do is needed here.
#[expect(dead_code, reason = "shared with the tests of the layer")]
#[path = "../tower/guardian.rs"]
mod guardian;

mod bypasses;
mod cancellation;
mod denial;
mod effects;
mod forwarded;
mod forwarded_source;
mod inputs;
mod reports;
mod server;
mod tasks;
