//! Who asks, as far as a connection shows it.

use std::net::SocketAddr;

/// The address from which the connection of a request was made, as the program's own listener saw it. Where another
/// one serves the router, that is not known.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "cli"), allow(dead_code))]
pub(crate) struct Peer(pub(crate) SocketAddr);
