//! The numbers, for Prometheus.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::answers::Unavailable;
use super::auth::Caller;
use super::{ApiError, App};
use crate::metrics;
use crate::role::Permission;
use crate::state::DEFAULT_ORG;

/// Read the metrics, as Prometheus scrapes them
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "operations",
    responses(
        (status = 200, description = "The metrics, in the OpenMetrics text format", body = String, content_type = metrics::CONTENT_TYPE),
        Unavailable,
    ),
)]
pub(super) async fn read(state: App, caller: Caller) -> Result<impl IntoResponse, ApiError> {
    caller.need(Permission::ReadMetrics)?;
    if caller.org_id() != DEFAULT_ORG {
        return Err(ApiError::forbidden(format!(
            "the metrics count what every organisation does; use a key of {DEFAULT_ORG}"
        )));
    }
    text(&state)
}

/// `GET /metrics` where whoever can ask may.
#[cfg(feature = "cli")]
pub(super) async fn open(state: App) -> Result<impl IntoResponse, ApiError> {
    text(&state)
}

fn text(state: &App) -> Result<impl IntoResponse + use<>, ApiError> {
    let text = state.metrics.render(state).map_err(|_| {
        ApiError::unavailable("the metrics could not be written; look at the Guardian's log")
    })?;
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text))
}
