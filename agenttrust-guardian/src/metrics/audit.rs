//! How the audit log is.

use std::sync::atomic::Ordering;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::{Present, Registered};

/// The numbers of the audit that are published.
#[derive(Debug)]
pub(super) struct AuditNumbers {
    rows: Counter,
    healthy: Gauge,
    waiting: Gauge,
}

impl AuditNumbers {
    pub(super) fn register(registered: &mut Registered<'_>) -> Self {
        Self {
            rows: registered
                .counter("audit_rows", "Rows written to the audit log since this Guardian started"),
            healthy: registered.gauge(
                "audit_healthy",
                "Whether the audit log can be written: 1, or 0 and every check is denied",
            ),
            waiting: registered
                .gauge("audit_waiting", "Rows that wait to be written to the audit log"),
        }
    }

    pub(super) fn take_over(&self, present: &Present<'_>) {
        self.rows.inner().store(present.audit_rows, Ordering::Relaxed);
        self.healthy.set(present.audit_healthy.into());
        self.waiting.set(i64::try_from(present.audit_waiting).unwrap_or(i64::MAX));
    }
}
