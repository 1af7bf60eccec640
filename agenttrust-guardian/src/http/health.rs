//! How the Guardian is. The one endpoint without a key.

use agenttrust::model::{Health, HealthStatus};
use axum::Json;

use super::App;

/// `GET /health`.
pub(super) async fn health(state: App) -> Json<Health> {
    let status = match (state.store.is_alive().await, state.audit.is_healthy()) {
        // The set in force decides, and it is not the one that somebody meant to be.
        (true, true) if state.policies.trouble().is_some() => HealthStatus::Degraded,
        (true, true) => HealthStatus::Healthy,
        // Reads of memory still work, and every decision is a denial.
        (false, _) | (_, false) => HealthStatus::Degraded,
    };
    Json(Health::new(status, "agenttrust-guardian", env!("CARGO_PKG_VERSION")))
}
