//! What the layer promises, seen from the other end of a socket: real servers on this machine, real
//! clients, and a Guardian that answers by script.

mod bodies;
mod browsers;
mod early_answers;
mod ended_early;
mod grpc;
mod grpc_denials;
mod grpc_messages;
mod grpc_reports;
mod http_denials;
mod http_reports;
mod paths;
mod permit;
mod served;
mod tower_mcp;
mod tower_mcp_http;
mod tower_mcp_tasks;
mod watch;
