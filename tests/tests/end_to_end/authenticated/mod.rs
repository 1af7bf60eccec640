//! Agents known by their tokens, over real sockets, with a real Guardian that issues and revokes them.

mod answers;
mod bound;
mod counting_guardian;
mod mcp;
mod remembered;
mod site;
