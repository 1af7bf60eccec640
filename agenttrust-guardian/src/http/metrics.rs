//! The numbers, for Prometheus.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::App;
use super::answers::Unavailable;
use super::auth::Caller;
use crate::domain::{Error, Permission};
use crate::metrics;

/// Reads the metrics, as Prometheus scrapes them
#[utoipa::path(
    get, path = "/metrics", operation_id = "get_metrics", tag = "operations",
    responses(
        (status = 200, description = "The metrics, in the OpenMetrics text format", body = String, content_type = metrics::CONTENT_TYPE),
        Unavailable,
    ),
)]
pub(super) async fn get_with_key(engine: App, caller: Caller) -> Result<impl IntoResponse, Error> {
    caller.need(Permission::ReadMetrics)?;
    caller.need_own_organisation("the metrics count what every organisation does")?;
    text(&engine)
}

/// Answers `GET /metrics` where no key is needed, to every caller that reaches it.
#[cfg(feature = "cli")]
pub(super) async fn get_without_key(engine: App) -> Result<impl IntoResponse, Error> {
    text(&engine)
}

fn text(engine: &App) -> Result<impl IntoResponse + use<>, Error> {
    let text = engine.metrics.render(&engine.present()).map_err(|_| {
        Error::unavailable("the metrics could not be written; look at the Guardian's log")
    })?;
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text))
}
