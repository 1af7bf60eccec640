//! What the tests of the workspace share.
//!
//! It knows no crate of `agenttrust`, so that the unit tests of each can use it too: a Guardian is asked by its
//! router or over a socket.

pub mod postgres;
pub mod proxy;
pub mod receiver;
mod router_client;
mod trials;

pub use self::router_client::{ADMIN, Answer, Api, RouterClient, Stream};
pub use self::trials::{is_long, trials};
