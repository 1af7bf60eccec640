//! What a guarded handler promises, over rmcp's own client and a scripted Guardian.

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
