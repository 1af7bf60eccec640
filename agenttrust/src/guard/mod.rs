//! The one idea: an [`Action`] is authorized, the [`Permit`] is held while it runs, and the outcome
//! is handed to the permit.
//!
//! Everything else of this crate's guards is built on that. [`run`](AgentTrustGuard::run) does the three steps around a
//! future, `#[guarded]` around a function, and a tower layer around a service. [`check`](AgentTrustGuard::check) and
//! [`report`](AgentTrustGuard::report) are the guide's own names for the first and the last step.

mod action;
mod ask;
mod authorize;
mod binding;
mod breaker;
mod builder;
mod check;
mod cover;
mod denial;
pub mod digest;
mod handle;
mod identity;
mod outcome;
mod permit;
mod recent_refusals;
mod reporter;
mod running;
mod scope;
mod state;
mod waiting;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};

pub use self::action::{Action, OnElevation};
#[doc(hidden)]
pub use self::breaker::{Breaker, Miss};
pub use self::builder::AgentTrustGuardBuilder;
#[doc(hidden)]
pub use self::cover::Cover;
pub use self::denial::FromDenial;
pub use self::handle::PermitHandle;
pub use self::identity::AgentIdentity;
pub use self::outcome::{CallOutcome, Outcome};
pub use self::permit::{Permit, PermitBasis};
#[doc(hidden)]
pub use self::running::Running;
pub(crate) use self::scope::conflict;
pub use self::scope::{GlobalGuardAlreadySet, InstalledGuard, Scope};

use self::builder::Settings;
use self::check::Unreported;
use self::recent_refusals::RecentRefusals;
use self::reporter::Reporter;
use crate::client::AgentTrustClient;
use crate::error::Result;

/// Asks the Guardian before a call runs, and reports after it ran.
///
/// Cloning is cheap; clones are one guard. It works from any runtime, from several one after
/// another, and from none.
///
/// ```no_run
/// use agenttrust::{Action, AgentTrustClient, AgentTrustGuard, Effect};
///
/// # async fn delete(path: &str) -> Result<(), Box<dyn std::error::Error>> { Ok(()) }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = AgentTrustClient::from_env()?;
/// let guard = AgentTrustGuard::builder(client, "agent-123").build();
///
/// let path = "/tmp/report.txt";
/// let action = Action::new("file_delete").effect(Effect::Destructive).input(path);
/// guard.run(action, delete(path)).await?;
///
/// guard.close().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AgentTrustGuard {
    subject: Arc<Subject>,
    shared: Arc<Shared>,
}

/// The agent that a guard asks for, in its session.
struct Subject {
    agent_id: String,
    session_id: String,
    /// Whether the guard made the session id up.
    session_is_generated: bool,
    unreported: Unreported,
}

impl Subject {
    fn new(agent_id: String, session_id: String) -> Self {
        let unreported = Unreported::default();
        Self { agent_id, session_id, session_is_generated: false, unreported }
    }
}

/// The parts of a guard that are the same for every agent it asks for.
struct Shared {
    client: AgentTrustClient,
    settings: Settings,
    breaker: Breaker,
    recent_refusals: RecentRefusals,
    reporter: Reporter,
    counts: PassCounts,
    /// Says once that approvals end with the process.
    warned_of_key: Once,
    warned_of_unseen: Once,
}

/// Calls that ran without having been allowed.
#[derive(Debug, Default)]
struct PassCounts {
    failed_open: AtomicU64,
    not_blocked: AtomicU64,
}

/// The counts of what a guard did besides allowing and denying; see [`AgentTrustGuard::stats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardStats {
    /// Calls that ran unchecked, because the Guardian was away and the guard fails open.
    pub failed_open: u64,
    /// Calls that ran although they were not allowed, because of `block_on_deny(false)`.
    pub not_blocked: u64,
    /// Reports on their way.
    pub reports_waiting: usize,
    /// Reports that found the queue full and were dropped.
    pub reports_dropped: u64,
    /// Reports that were sent and not taken.
    pub reports_undelivered: u64,
}

impl AgentTrustGuard {
    /// Creates a guard with default settings.
    #[must_use]
    pub fn new(client: AgentTrustClient, agent_id: &str) -> Self {
        Self::builder(client, agent_id).build()
    }

    /// Starts a guard of this agent.
    pub fn builder(client: AgentTrustClient, agent_id: &str) -> AgentTrustGuardBuilder {
        AgentTrustGuardBuilder::new(client, agent_id)
    }

    /// Starts a guard of a server that many agents come to: it asks for each of them, known by its
    /// [`AgentIdentity`], and for none of its own.
    ///
    /// A call that comes with no identity is not made, whatever the key may do: a layer that was
    /// forgotten, or put in the wrong place, does not make everybody the server. `client` has a key of
    /// the role `gateway`.
    ///
    /// ```
    /// # use agenttrust::{Action, AgentTrustClient, AgentTrustGuard};
    /// # async fn example(client: AgentTrustClient) {
    /// let guard = AgentTrustGuard::gateway(client).build();
    /// let nobodys = guard.authorize(Action::new("files_read")).await;
    /// assert!(nobodys.is_err());
    /// # }
    /// ```
    pub fn gateway(client: AgentTrustClient) -> AgentTrustGuardBuilder {
        AgentTrustGuardBuilder::gateway(client)
    }

    /// Returns the agent that this guard asks for; empty for a [`gateway`](Self::gateway).
    #[must_use]
    pub fn agent_id(&self) -> &str {
        &self.subject.agent_id
    }

    /// Returns the session that its checks and reports belong to.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.subject.session_id
    }

    /// Returns whether both are one guard, asking for one agent in one session.
    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
            && self.subject.agent_id == other.subject.agent_id
            && self.subject.session_id == other.subject.session_id
    }

    /// Returns the client that it asks through.
    #[must_use]
    pub fn client(&self) -> &AgentTrustClient {
        &self.shared.client
    }

    /// Authorizes `action`, runs `call`, reports its outcome, and returns its output.
    ///
    /// `call` is not polled unless the action is allowed. What it did when it was *made* is done,
    /// though: `ready(delete(path))` has deleted before it comes here. An `async` block or a call of an
    /// `async fn` does nothing when it is made; for anything else use [`run_with`](Self::run_with).
    ///
    /// A denial comes back as the output's own error.
    ///
    /// # Errors
    ///
    /// Those of [`authorize`](Self::authorize), as [`FromDenial`] makes them.
    ///
    /// # Cancel safety
    ///
    /// Dropped while `call` runs, `call` is dropped and reported as `Cancelled`.
    pub async fn run<F>(&self, action: Action, call: F) -> F::Output
    where
        F: Future,
        F::Output: FromDenial + Outcome,
    {
        self.run_with(action, || call).await
    }

    /// Does the same as [`run`](Self::run), and makes the future only once the action is allowed.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    ///
    /// # Cancel safety
    ///
    /// As for [`run`](Self::run).
    pub async fn run_with<F>(&self, action: Action, call: impl FnOnce() -> F) -> F::Output
    where
        F: Future,
        F::Output: FromDenial + Outcome,
    {
        let permit = match self.authorize(action).await {
            Ok(permit) => permit,
            Err(denial) => return F::Output::from_denial(denial),
        };
        let output = call().await;
        permit.finish(&output);
        output
    }

    /// Sends everything reported so far.
    ///
    /// # Errors
    ///
    /// Why a batch since the last flush was not taken (its reports are lost: telemetry is best effort),
    /// or that 10 seconds were not enough; what is waiting is sent all the same.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is done, the reports are sent all the same.
    pub async fn flush(&self) -> Result<()> {
        self.shared.reporter.flush().await
    }

    /// Sends everything reported so far, as the last thing a guard does. A later report starts the reporter again.
    ///
    /// # Errors
    ///
    /// As for [`flush`](Self::flush).
    ///
    /// # Cancel safety
    ///
    /// As for [`flush`](Self::flush).
    pub async fn close(&self) -> Result<()> {
        self.flush().await
    }

    /// Returns what this guard did besides allowing and denying.
    #[must_use]
    pub fn stats(&self) -> GuardStats {
        let (waiting, dropped, undelivered) = self.shared.reporter.stats();
        GuardStats {
            failed_open: self.shared.counts.failed_open.load(Ordering::Relaxed),
            not_blocked: self.shared.counts.not_blocked.load(Ordering::Relaxed),
            reports_waiting: waiting,
            reports_dropped: dropped,
            reports_undelivered: undelivered,
        }
    }
}

impl fmt::Debug for AgentTrustGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentTrustGuard")
            .field("agent_id", &self.subject.agent_id)
            .field("session_id", &self.subject.session_id)
            .finish_non_exhaustive()
    }
}
