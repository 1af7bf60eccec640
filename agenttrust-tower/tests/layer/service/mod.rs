//! What the layer promises, over a real client and guard that talk to a scripted Guardian.

mod authenticate;
mod authenticate_bound;
mod authenticate_taken_back;
mod authenticate_under_load;
mod auto_traits;
mod axum_routes;
mod covers;
mod denial;
mod errors;
mod gateway;
mod held_inside;
mod http_denials;
mod http_requests;
mod mcp_alike;
mod outcome;
mod preflight;
mod principal;
mod readiness;
mod refined;
mod reports;
mod waiting;
