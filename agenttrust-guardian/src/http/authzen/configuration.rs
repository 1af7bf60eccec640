//! What this Guardian says of itself to clients of AuthZEN.

use agenttrust::model::{ACCESS_REQUEST_CAPABILITY, ACCESS_REQUEST_PROFILE, AuthzenConfiguration};
use axum::Json;
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::response::IntoResponse;

use super::super::App;
use super::super::base::base;
use super::REQUESTS;
use crate::services::access::is_requestable;

/// The value of `Cache-Control`: the time that others may go by it.
const CACHED: &str = "max-age=300";

/// Reads what clients of AuthZEN have to know
///
/// The members that begin with `access_request` are experimental: they follow the draft *AuthZEN
/// Access Request and Approval Profile 1.0*, in the revision that `access_request_profile` names.
/// Without a secret key they are absent. The Guardian does not have the search of AuthZEN.
#[utoipa::path(
    get, path = "/.well-known/authzen-configuration", operation_id = "get_authzen_configuration", tag = "access",
    security(()),
    responses((status = 200, description = "Where what is asked for", body = AuthzenConfiguration)),
)]
pub(in crate::http) async fn configuration(engine: App, parts: Parts) -> impl IntoResponse {
    let base = base(&engine, &parts).0;
    let mut said = AuthzenConfiguration::default();
    said.access_evaluation_endpoint = format!("{base}/access/v1/evaluation");
    said.access_evaluations_endpoint = Some(format!("{base}/access/v1/evaluations"));
    if is_requestable(&engine) {
        said.access_request_endpoint = Some(format!("{base}{REQUESTS}"));
        said.access_request_profile = Some(ACCESS_REQUEST_PROFILE.to_owned());
        said.jwks_uri = Some(format!("{base}/.well-known/jwks.json"));
        said.capabilities = vec![ACCESS_REQUEST_CAPABILITY.to_owned()];
    }
    said.policy_decision_point = base;
    ([(CACHE_CONTROL, CACHED)], Json(said))
}
