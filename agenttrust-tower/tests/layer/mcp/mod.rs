//! What the MCP layer promises, over real sockets, HTTP/1.1 and HTTP/2, with a scripted Guardian and a
//! scripted server behind it.

mod answers;
mod bodies;
mod calls;
mod denials;
mod exact;
mod guarded_server;
mod heads;
mod messages;
mod params;
mod smuggling;
mod streams;
mod tasks;
