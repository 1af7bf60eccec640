//! What the layer promises, over a real client and guard that talk to a scripted Guardian.

mod auto_traits;
mod axum_routes;
mod denial;
mod guardian;
mod http_denials;
mod http_requests;
mod outcome;
mod readiness;
mod reports;
mod waiting;
