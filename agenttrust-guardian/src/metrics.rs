//! What is counted, for Prometheus. Labels come from this program only: never the name of a tool, an agent
//! or an organisation, of which callers can make up any number.

mod approvals;
mod audit;
mod latency;
mod limits;
mod requests;
mod siem;
mod webhooks;

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agenttrust::{Effect, Timestamp};
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub(crate) use self::approvals::ApprovalEvent;
use self::approvals::Approvals;
use self::audit::AuditNumbers;
use self::latency::Latency;
pub(crate) use self::limits::ConnectionNumbers;
use self::limits::LimitNumbers;
pub(crate) use self::requests::Requests;
pub(crate) use self::siem::{Siem, SiemNumbers, SiemResult};
pub(crate) use self::webhooks::{WebhookResult, Webhooks};
use crate::domain::limits::Limits;
use crate::domain::{Answer, DecisionKind};

/// The content type of what [`Metrics::render`] writes.
pub(crate) const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// A label and its value.
type Label = (&'static str, &'static str);

/// The counters of a Guardian. Counting a check is a few atomic additions.
pub(crate) struct Metrics {
    registry: Registry,
    checks: ByDecision,
    undecided: Counter,
    latency: Latency,
    approvals: Approvals,
    pub(crate) reported: Reported,
    budgets_exhausted: Counter,
    denial_bursts: Counter,
    pub(crate) requests: Requests,
    pub(crate) siem: Siem,
    pub(crate) webhooks: Webhooks,
    limits: LimitNumbers,
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "the program listens, a router does not")
    )]
    pub(crate) connections: ConnectionNumbers,
    in_touch: Gauge,
    audit: AuditNumbers,
    policies: Gauge,
    reports_waiting: Gauge,
    not_stored: Gauge,
    degraded: Family<[Label; 1], Gauge>,
}

/// The counters by decision and effect.
type ByDecision = [[Counter; Effect::ALL.len()]; DecisionKind::ALL.len()];

/// The registry while the numbers are put into it, in the order in which they are shown.
struct Registered<'a>(&'a mut Registry);

impl Registered<'_> {
    fn counter(&mut self, name: &str, help: &str) -> Counter {
        let counter = Counter::default();
        self.0.register(name, help, counter.clone());
        counter
    }

    fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        let gauge = Gauge::default();
        self.0.register(name, help, gauge.clone());
        gauge
    }

    fn checks(&mut self) -> ByDecision {
        let checks = Family::<[Label; 2], Counter>::default();
        let help = "Checks answered, by decision and by the effect of the tool";
        self.0.register("checks", help, checks.clone());
        DecisionKind::ALL.map(|decision| {
            Effect::ALL.map(|effect| {
                let labels = [("decision", decision.as_str()), ("effect", effect.as_str())];
                checks.get_or_create(&labels).clone()
            })
        })
    }

    fn degraded(&mut self) -> Family<[Label; 1], Gauge> {
        let degraded = Family::default();
        let help =
            "Whether a check of /health is degraded: 1, and something has to be looked at, or 0";
        self.0.register("degraded", help, Family::clone(&degraded));
        degraded
    }

    fn reported(&mut self) -> Reported {
        let reports = Family::<[Label; 1], Counter>::default();
        let help = "Events reported, by whether they belong to a check that was allowed here";
        self.0.register("reports", help, reports.clone());
        let verified = reports.get_or_create(&[("verified", "true")]).clone();
        let unverified = reports.get_or_create(&[("verified", "false")]).clone();
        let quota = self.counter(
            "reports_not_kept",
            "Events reported that no check vouches for and that are beyond their agent's quota, so not kept",
        );
        Reported { verified, unverified, quota }
    }
}

/// The parts of `/health` that may be degraded while checks are decided, each with whether it is.
pub(crate) type Degraded = [(&'static str, bool); 4];

/// The state of the Guardian when the metrics are asked for.
#[derive(Debug)]
pub(crate) struct Present<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) in_touch: bool,
    pub(crate) audit_rows: u64,
    pub(crate) audit_healthy: bool,
    pub(crate) audit_waiting: usize,
    pub(crate) denial_bursts: u64,
    pub(crate) reports_waiting: usize,
    /// The number of changes that took something back and could not be stored yet.
    pub(crate) not_stored: usize,
    pub(crate) degraded: Degraded,
    pub(crate) policies: usize,
    pub(crate) siem: SiemNumbers,
}

/// The counters of reported events; clones count together.
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

        let mut registered = Registered(&mut registry);
        let checks = registered.checks();
        let undecided = registered
            .counter("undecided_checks", "Checks that could not be decided by their deadline");
        let latency = Latency::default();
        let help = "How long checks took from the end of their request to their answer";
        registered.0.register("check_duration_seconds", help, latency.clone());
        let approvals = Approvals::register(&mut registered);
        let reported = registered.reported();
        let reports_waiting =
            registered.gauge("reports_waiting", "Events reported that wait to be written");
        let not_stored = registered.gauge(
            "revocations_not_stored",
            "What was taken back, is in force at this Guardian and could not be stored yet",
        );
        let budgets_exhausted = registered.counter(
            "budgets_exhausted",
            "Checks denied because the limit of a policy was used up",
        );
        let denial_bursts = registered.counter(
            "denial_bursts",
            "Bursts of denials of one agent that this Guardian wrote to the audit log",
        );
        let requests = Requests::register(registered.0);
        let siem = Siem::register(&mut registered);
        let webhooks = Webhooks::register(&mut registered);
        let limits = LimitNumbers::register(registered.0);
        let connections = ConnectionNumbers::register(registered.0);
        let in_touch = registered.gauge(
            "in_touch",
            "Whether the database has reported its changes up to now: 1, or 0 and every check is denied",
        );
        let audit = AuditNumbers::register(&mut registered);
        let policies = registered.gauge("policies", "Policies that are in force");
        let degraded = registered.degraded();
        Self {
            registry,
            checks,
            undecided,
            latency,
            approvals,
            reported,
            budgets_exhausted,
            denial_bursts,
            requests,
            siem,
            webhooks,
            limits,
            connections,
            in_touch,
            audit,
            policies,
            reports_waiting,
            not_stored,
            degraded,
        }
    }

    /// Counts a check that was answered.
    pub(crate) fn answered(&self, answer: &Answer, took: Duration) {
        let decided = answer
            .result
            .action_effect
            .and_then(|effect| self.checks.get(answer.decision as usize)?.get(effect as usize));
        decided.unwrap_or(&self.undecided).inc();
        self.latency.observe(took);
    }

    /// Counts what became of an approval.
    pub(crate) fn approval(&self, event: ApprovalEvent) {
        self.approvals.count(event);
    }

    /// Takes over how many approvals wait at `now`, and since when the oldest of them does.
    pub(crate) fn approvals_wait(&self, count: u64, oldest: Option<Timestamp>, now: Timestamp) {
        self.approvals.wait(count, oldest, now);
    }

    /// Counts a check that was denied because a limit was used up.
    pub(crate) fn budget_exhausted(&self) {
        self.budgets_exhausted.inc();
    }

    /// Returns everything as text, with how things are at present.
    pub(crate) fn render(&self, present: &Present<'_>) -> Result<String, fmt::Error> {
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.limits.take_over(present.limits);
        self.audit.take_over(present);
        self.in_touch.set(present.in_touch.into());
        self.denial_bursts.inner().store(present.denial_bursts, Ordering::Relaxed);
        self.reports_waiting.set(gauge(present.reports_waiting));
        self.not_stored.set(gauge(present.not_stored));
        for (check, is_degraded) in present.degraded {
            self.degraded.get_or_create(&[("check", check)]).set(is_degraded.into());
        }
        self.policies.set(gauge(present.policies));
        self.siem.take_over(present.siem);
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
    use agenttrust::model::CheckResult;

    use super::*;

    #[test]
    fn every_decision_has_the_counter_of_its_name() {
        let metrics = Metrics::new();
        for (place, decision) in DecisionKind::ALL.into_iter().enumerate() {
            assert_eq!(decision as usize, place);
            for (place, effect) in Effect::ALL.into_iter().enumerate() {
                assert_eq!(effect as usize, place);
                let mut result = CheckResult::default();
                result.action_effect = Some(effect);
                let answer =
                    Answer { result, enforced: None, decision, policies: Vec::new(), access: None };
                metrics.answered(&answer, Duration::ZERO);
            }
        }
        let mut text = String::new();
        prometheus_text::encode(&mut text, &metrics.registry).unwrap();
        let zero = text
            .lines()
            .filter(|line| line.ends_with(" 0") && line.starts_with("agenttrust_checks"));
        assert_eq!(zero.count(), 0, "{text}");
    }
}
