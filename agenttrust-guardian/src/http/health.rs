//! How the Guardian is. Needs no key.

use agenttrust::model::{Health, HealthStatus};
use axum::Json;

use super::App;

/// How the Guardian is
#[utoipa::path(
    get, path = "/health", operation_id = "get_health", tag = "operations", security(()),
    responses((status = 200, description = "It answers; `status` says whether everything works", body = Health)),
)]
pub(super) async fn health(state: App) -> Json<Health> {
    let status = match (state.store.is_alive().await, state.audit.is_healthy()) {
        (true, true) => HealthStatus::Healthy,
        // Reads of memory still work, and every decision is a denial.
        (false, _) | (_, false) => HealthStatus::Degraded,
    };
    Json(Health::new(status, "agenttrust-guardian", env!("CARGO_PKG_VERSION")))
}
