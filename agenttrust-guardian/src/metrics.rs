//! What is counted, for Prometheus. Labels come from this program only: never the name of a tool, an agent
//! or an organisation, of which callers can make up any number.

mod latency;
mod limits;
mod requests;

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agenttrust::Effect;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use self::latency::Latency;
pub(crate) use self::limits::ConnectionNumbers;
use self::limits::LimitNumbers;
pub(crate) use self::requests::Requests;
use crate::domain::DecisionKind;
use crate::domain::limits::Limits;

/// What [`Metrics::render`] writes.
pub(crate) const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// One label and its value.
type Label = (&'static str, &'static str);

/// What became of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApprovalEvent {
    Opened,
    Approved,
    Denied,
    Expired,
    Used,
}

impl ApprovalEvent {
    const ALL: [Self; 5] = [Self::Opened, Self::Approved, Self::Denied, Self::Expired, Self::Used];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Used => "used",
        }
    }
}

/// Everything that is counted. Counting a check is a few atomic additions.
pub(crate) struct Metrics {
    registry: Registry,
    checks: [[Counter; Effect::ALL.len()]; DecisionKind::ALL.len()],
    undecided: Counter,
    latency: Latency,
    approvals: [Counter; ApprovalEvent::ALL.len()],
    pub(crate) reported: Reported,
    budgets_exhausted: Counter,
    denial_bursts: Counter,
    pub(crate) requests: Requests,
    limits: LimitNumbers,
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "the program listens, a router does not")
    )]
    pub(crate) connections: ConnectionNumbers,
    audit_rows: Counter,
    audit_healthy: Gauge,
    audit_waiting: Gauge,
    policies: Gauge,
    reports_waiting: Gauge,
    not_stored: Gauge,
}

/// How things are when the numbers are asked for.
#[derive(Debug)]
pub(crate) struct Present<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) audit_rows: u64,
    pub(crate) audit_healthy: bool,
    pub(crate) audit_waiting: usize,
    pub(crate) denial_bursts: u64,
    pub(crate) reports_waiting: usize,
    /// What was taken back and could not be stored yet.
    pub(crate) not_stored: usize,
    pub(crate) policies: usize,
}

/// What is counted of events that were reported; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Reported {
    verified: Counter,
    unverified: Counter,
    quota: Counter,
}

impl Reported {
    /// Counts events that are kept, and how many of them are believed.
    pub(crate) fn kept(&self, events: u64, verified: u64) {
        self.verified.inc_by(verified);
        self.unverified.inc_by(events.saturating_sub(verified));
    }

    /// Counts events that are beyond an agent's quota.
    pub(crate) fn not_kept(&self, events: usize) {
        self.quota.inc_by(events as u64);
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("agenttrust");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Which Guardian this is", version);

        let checks = Family::<[Label; 2], Counter>::default();
        let counted = DecisionKind::ALL.map(|decision| {
            Effect::ALL.map(|effect| {
                let labels = [("decision", decision.as_str()), ("effect", effect.as_str())];
                checks.get_or_create(&labels).clone()
            })
        });
        registry.register(
            "checks",
            "Checks answered, by decision and by the effect of the tool",
            checks,
        );
        let undecided = Counter::default();
        let help = "Checks that could not be decided by their deadline";
        registry.register("undecided_checks", help, undecided.clone());
        let latency = Latency::default();
        let help = "How long checks took from the end of their request to their answer";
        registry.register("check_duration_seconds", help, latency.clone());

        let approvals = Family::<[Label; 1], Counter>::default();
        let help = "What became of approvals at this Guardian";
        let approved = ApprovalEvent::ALL
            .map(|event| approvals.get_or_create(&[("event", event.as_str())]).clone());
        registry.register("approvals", help, approvals);

        let reports = Family::<[Label; 1], Counter>::default();
        let verified = reports.get_or_create(&[("verified", "true")]).clone();
        let unverified = reports.get_or_create(&[("verified", "false")]).clone();
        let help = "Events reported, by whether they belong to a check that was allowed here";
        registry.register("reports", help, reports);
        let quota = Counter::default();
        let help = "Events reported that no check vouches for and that are beyond their agent's quota, so not kept";
        registry.register("reports_not_kept", help, quota.clone());
        let (reports_waiting, not_stored) = <(Gauge, Gauge)>::default();
        let help = "Events reported that wait to be written";
        registry.register("reports_waiting", help, reports_waiting.clone());
        let help = "What was taken back, is in force at this Guardian and could not be stored yet";
        registry.register("revocations_not_stored", help, not_stored.clone());

        let (budgets_exhausted, denial_bursts) = <(Counter, Counter)>::default();
        let help = "Checks denied because the limit of a policy was used up";
        registry.register("budgets_exhausted", help, budgets_exhausted.clone());
        let help = "Bursts of denials of one agent that this Guardian wrote to the audit log";
        registry.register("denial_bursts", help, denial_bursts.clone());

        let requests = Requests::register(&mut registry);
        let limits = LimitNumbers::register(&mut registry);
        let connections = ConnectionNumbers::register(&mut registry);

        let audit_rows = Counter::default();
        let help = "Rows written to the audit log since this Guardian started";
        registry.register("audit_rows", help, audit_rows.clone());
        let (audit_healthy, audit_waiting, policies) = <(Gauge, Gauge, Gauge)>::default();
        let help = "Whether the audit log can be written: 1, or 0 and every check is denied";
        registry.register("audit_healthy", help, audit_healthy.clone());
        let help = "Rows that wait to be written to the audit log";
        registry.register("audit_waiting", help, audit_waiting.clone());
        registry.register("policies", "Policies that are in force", policies.clone());
        Self {
            registry,
            checks: counted,
            undecided,
            latency,
            approvals: approved,
            reported: Reported { verified, unverified, quota },
            budgets_exhausted,
            denial_bursts,
            requests,
            limits,
            connections,
            audit_rows,
            audit_healthy,
            audit_waiting,
            policies,
            reports_waiting,
            not_stored,
        }
    }

    /// Counts a check that could not be decided within `limit`.
    pub(crate) fn undecided(&self, limit: Duration) {
        self.undecided.inc();
        self.latency.observe(limit);
    }

    /// Counts a check that was decided.
    pub(crate) fn checked(&self, decision: DecisionKind, effect: Effect, took: Duration) {
        let counter =
            self.checks.get(decision as usize).and_then(|effects| effects.get(effect as usize));
        if let Some(counter) = counter {
            counter.inc();
        }
        self.latency.observe(took);
    }

    /// Counts what became of an approval.
    pub(crate) fn approval(&self, event: ApprovalEvent) {
        if let Some(counter) = self.approvals.get(event as usize) {
            counter.inc();
        }
    }

    /// Counts a check that was denied because a limit was used up.
    pub(crate) fn budget_exhausted(&self) {
        self.budgets_exhausted.inc();
    }

    /// Everything as text, with how things are at present.
    pub(crate) fn render(&self, present: &Present<'_>) -> Result<String, fmt::Error> {
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.limits.take_over(present.limits);
        self.audit_rows.inner().store(present.audit_rows, Ordering::Relaxed);
        self.audit_healthy.set(present.audit_healthy.into());
        self.denial_bursts.inner().store(present.denial_bursts, Ordering::Relaxed);
        self.audit_waiting.set(gauge(present.audit_waiting));
        self.reports_waiting.set(gauge(present.reports_waiting));
        self.not_stored.set(gauge(present.not_stored));
        self.policies.set(gauge(present.policies));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_the_counter_of_its_name() {
        let metrics = Metrics::new();
        for (place, decision) in DecisionKind::ALL.into_iter().enumerate() {
            assert_eq!(decision as usize, place);
            for (place, effect) in Effect::ALL.into_iter().enumerate() {
                assert_eq!(effect as usize, place);
                metrics.checked(decision, effect, Duration::ZERO);
            }
        }
        for (place, event) in ApprovalEvent::ALL.into_iter().enumerate() {
            assert_eq!(event as usize, place);
            metrics.approval(event);
        }
        let mut text = String::new();
        prometheus_text::encode(&mut text, &metrics.registry).unwrap();
        let zero = text.lines().filter(|line| {
            line.ends_with(" 0")
                && (line.starts_with("agenttrust_checks")
                    || line.starts_with("agenttrust_approvals"))
        });
        assert_eq!(zero.count(), 0, "{text}");
    }
}
