//! What the layers and the handlers promise, with a scripted Guardian behind the guard.

mod connection;
mod contract;
mod guardian;
mod handler;
mod mcp;
mod service;
mod wire;
