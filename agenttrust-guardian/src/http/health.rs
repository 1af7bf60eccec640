//! How the Guardian is. The one endpoint without a key, so it tells nothing but words of its own.

use std::collections::BTreeMap;

use agenttrust::model::{Health, HealthStatus, SiemHealth};
use axum::Json;
use axum::http::StatusCode;

use super::App;

/// Tells how the Guardian is
///
/// It answers 503 where every check is denied, so that callers ask another one instead.
#[utoipa::path(
    get, path = "/health", operation_id = "get_health", tag = "operations", security(()),
    responses(
        (status = 200, description = "Checks are decided; `status` says whether everything works", body = Health),
        (status = 503, description = "Every check is denied; `checks` says why", body = Health),
    ),
)]
pub(super) async fn health(engine: App) -> (StatusCode, Json<Health>) {
    // Without either of them no decision can be recorded.
    let database =
        vital(engine.is_in_touch() && engine.database_health.is_alive(&engine.control_store).await);
    let audit = vital(engine.audit.is_healthy());
    let degraded = engine.degraded().map(|(name, is_degraded)| {
        (name, if is_degraded { HealthStatus::Degraded } else { HealthStatus::Healthy })
    });
    let vital = [("database", database), ("audit", audit)];
    let checks: BTreeMap<String, HealthStatus> =
        vital.into_iter().chain(degraded).map(|(name, status)| (name.to_owned(), status)).collect();
    let worst = [HealthStatus::Unhealthy, HealthStatus::Degraded]
        .into_iter()
        .find(|bad| checks.values().any(|status| status == bad))
        .unwrap_or(HealthStatus::Healthy);
    let code = match worst {
        HealthStatus::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    let mut health = Health::new(worst, "agenttrust-guardian", env!("CARGO_PKG_VERSION"));
    health.checks = checks;
    health.siem = siem(&engine);
    (code, Json(health))
}

/// Returns how far events got, in numbers only. Nothing of it makes the Guardian unhealthy: it decides without them.
fn siem(engine: &App) -> Option<SiemHealth> {
    let numbers = engine.siem.numbers(engine.clock.now());
    (numbers.destinations > 0)
        .then(|| SiemHealth::new(numbers.failing as u64, numbers.lag.as_secs()))
}

fn vital(works: bool) -> HealthStatus {
    if works { HealthStatus::Healthy } else { HealthStatus::Unhealthy }
}
