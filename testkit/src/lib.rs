//! What the tests of the workspace share.
//!
//! It knows no crate of `agenttrust`, so that the unit tests of each can use it too: a Guardian is asked by its
//! router or over a socket.

#[cfg(feature = "guardian")]
pub mod audit;
mod eventually;
#[cfg(feature = "guardian")]
mod harness;
#[cfg(feature = "guardian")]
mod issuer;
#[cfg(feature = "guardian")]
pub mod postgres;
#[cfg(feature = "guardian")]
pub mod proxy;
#[cfg(feature = "guardian")]
pub mod receiver;
#[cfg(feature = "guardian")]
mod router_client;
#[cfg(feature = "guardian")]
pub mod siem;
mod trials;
mod uploads;

pub use self::eventually::{Look, eventually, eventually_blocking, eventually_within};
#[cfg(feature = "guardian")]
pub use self::harness::Harness;
#[cfg(feature = "guardian")]
pub use self::issuer::Issuer;
#[cfg(feature = "guardian")]
pub use self::router_client::{ADMIN, Answer, Api, RouterClient, Stream, escaped};
pub use self::trials::{is_long, trials};
pub use self::uploads::{UPLOADERS, Uploader};
