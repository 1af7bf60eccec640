//! How the Guardian is. The one endpoint without a key.

use agenttrust::model::{Health, HealthStatus};
use axum::Json;

use super::App;

/// `GET /health`.
pub(super) async fn health(state: App) -> Json<Health> {
    let status = match (state.store.is_alive().await, state.audit.is_healthy()) {
        (true, true) => HealthStatus::Healthy,
        // Reads of memory still work, and every decision is a denial.
        (false, _) | (_, false) => HealthStatus::Degraded,
    };
    Json(Health::new(status, "agenttrust-guardian", env!("CARGO_PKG_VERSION")))
}
