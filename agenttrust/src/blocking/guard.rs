//! The guard without `.await`.

use std::path::PathBuf;
use std::time::Duration;

use super::AgentTrustClient;
use super::wait;
use crate::error::Result;
use crate::guard::{self, Action, CallOutcome, FromDenial, GuardStats, Outcome, Permit};
use crate::model::Effect;

/// Asks the Guardian before a call runs, and reports after it ran; the async one is
/// [`crate::AgentTrustGuard`].
#[derive(Clone, Debug)]
pub struct AgentTrustGuard {
    guard: guard::AgentTrustGuard,
}

impl AgentTrustGuard {
    /// Creates a guard with default settings.
    #[must_use]
    pub fn new(client: AgentTrustClient, agent_id: &str) -> Self {
        Self::builder(client, agent_id).build()
    }

    /// Starts a guard of this agent.
    #[expect(clippy::needless_pass_by_value, reason = "the guide hands the client over")]
    pub fn builder(client: AgentTrustClient, agent_id: &str) -> AgentTrustGuardBuilder {
        let client = client.as_async().clone();
        AgentTrustGuardBuilder { builder: guard::AgentTrustGuard::builder(client, agent_id) }
    }

    /// Returns the agent that this guard asks for.
    #[must_use]
    pub fn agent_id(&self) -> &str {
        self.guard.agent_id()
    }

    /// Returns the session that its checks and reports belong to.
    #[must_use]
    pub fn session_id(&self) -> &str {
        self.guard.session_id()
    }

    /// Returns the async guard behind this one; both are one guard.
    #[must_use]
    pub fn as_async(&self) -> &guard::AgentTrustGuard {
        &self.guard
    }

    /// Asks the Guardian whether `action` may run.
    ///
    /// # Errors
    ///
    /// As for [`authorize_blocking`](guard::AgentTrustGuard::authorize_blocking).
    pub fn authorize(&self, action: Action) -> Result<Permit> {
        self.guard.authorize_blocking(action)
    }

    /// Authorizes `action`, runs `call`, reports its outcome, and returns its output.
    ///
    /// # Errors
    ///
    /// Those of [`authorize`](Self::authorize), as [`FromDenial`] makes them.
    pub fn run<T: FromDenial + Outcome>(&self, action: Action, call: impl FnOnce() -> T) -> T {
        let permit = match self.authorize(action) {
            Ok(permit) => permit,
            Err(denial) => return T::from_denial(denial),
        };
        let output = call();
        permit.finish(&output);
        output
    }

    /// Asks whether a tool may be called; `Ok(())` means yes.
    ///
    /// # Errors
    ///
    /// As for the async [`check`](guard::AgentTrustGuard::check).
    pub fn check(&self, tool: &str, summary: &str) -> Result<()> {
        let (guard, tool, summary) = (self.guard.clone(), tool.to_owned(), summary.to_owned());
        wait(async move { guard.check(&tool, &summary).await })
    }

    /// Does the same as [`check`](Self::check), for a call of this effect: `read`, `mutating`, `destructive` or
    /// `admin`.
    ///
    /// # Errors
    ///
    /// As for the async [`check_with_effect`](guard::AgentTrustGuard::check_with_effect).
    pub fn check_with_effect(
        &self,
        tool: &str,
        summary: &str,
        effect: impl AsRef<str>,
    ) -> Result<()> {
        let (guard, tool, summary) = (self.guard.clone(), tool.to_owned(), summary.to_owned());
        let effect = effect.as_ref().to_owned();
        wait(async move { guard.check_with_effect(&tool, &summary, effect).await })
    }

    /// Reports a tool call: whether it worked, and how many milliseconds it took. Never waits.
    pub fn report(&self, tool: &str, success: bool, duration_ms: u64) {
        self.guard.report(tool, success, duration_ms);
    }

    /// Does the same as [`report`](Self::report), with the type of the error.
    pub fn report_outcome(&self, tool: &str, outcome: CallOutcome, duration: Duration) {
        self.guard.report_outcome(tool, outcome, duration);
    }

    /// Sends everything reported so far; the last drop of the guard does so too.
    ///
    /// # Errors
    ///
    /// Why a batch since the last flush was not taken.
    pub fn flush(&self) -> Result<()> {
        let guard = self.guard.clone();
        wait(async move { guard.flush().await })
    }

    /// Sends everything reported so far, as the last thing a guard does.
    ///
    /// # Errors
    ///
    /// As for [`flush`](Self::flush).
    pub fn close(&self) -> Result<()> {
        self.flush()
    }

    /// Runs `call` with this as the current guard of this thread.
    pub fn scope<T>(&self, call: impl FnOnce() -> T) -> T {
        self.guard.scope_sync(call)
    }

    /// Makes this the guard of the whole process.
    ///
    /// # Errors
    ///
    /// [`GlobalGuardAlreadySet`](guard::GlobalGuardAlreadySet) when the process has one.
    pub fn set_global(&self) -> Result<(), guard::GlobalGuardAlreadySet> {
        self.guard.set_global()
    }

    /// Makes this the guard of the whole process, and returns what sends its reports when the program ends.
    ///
    /// # Errors
    ///
    /// [`GlobalGuardAlreadySet`](guard::GlobalGuardAlreadySet) when the process has one.
    pub fn install(&self) -> Result<guard::InstalledGuard, guard::GlobalGuardAlreadySet> {
        self.guard.install()
    }

    /// Does the same as [`install`](Self::install), for a process in which a [`scope`](Self::scope) may be another
    /// agent's.
    ///
    /// # Errors
    ///
    /// [`GlobalGuardAlreadySet`](guard::GlobalGuardAlreadySet) when the process has one.
    pub fn install_fallback(&self) -> Result<guard::InstalledGuard, guard::GlobalGuardAlreadySet> {
        self.guard.install_fallback()
    }

    /// Does the same as [`set_global`](Self::set_global), for a process in which a [`scope`](Self::scope) may be
    /// another agent's.
    ///
    /// # Errors
    ///
    /// [`GlobalGuardAlreadySet`](guard::GlobalGuardAlreadySet) when the process has one.
    pub fn set_global_fallback(&self) -> Result<(), guard::GlobalGuardAlreadySet> {
        self.guard.set_global_fallback()
    }

    /// Returns what this guard did besides allowing and denying.
    #[must_use]
    pub fn stats(&self) -> GuardStats {
        self.guard.stats()
    }
}

impl From<guard::AgentTrustGuard> for AgentTrustGuard {
    fn from(guard: guard::AgentTrustGuard) -> Self {
        Self { guard }
    }
}

/// Settings of a blocking guard; each is explained at the async
/// [`AgentTrustGuardBuilder`](guard::AgentTrustGuardBuilder).
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct AgentTrustGuardBuilder {
    builder: guard::AgentTrustGuardBuilder,
}

macro_rules! settings {
    ($( $(#[$doc:meta])* $name:ident($arg:ident: $ty:ty); )*) => {
        impl AgentTrustGuardBuilder {
            $(
                $(#[$doc])*
                pub fn $name(mut self, $arg: $ty) -> Self {
                    self.builder = self.builder.$name($arg);
                    self
                }
            )*
        }
    };
}

settings! {
    /// The session that checks and reports belong to; a random UUID by default.
    session_id(session_id: impl Into<String>);
    /// Whether a denial or a required elevation is an error; it is by default.
    block_on_deny(block: bool);
    /// Whether calls run unchecked while the Guardian cannot be reached; they do not by default.
    fail_open(open: bool);
    /// Does the same as `fail_open`, for calls that declare one of these effects.
    fail_open_for(effects: impl IntoIterator<Item = Effect>);
    /// The effect of calls that declare none.
    action_effect(effect: impl AsRef<str>);
    /// Whether the beginning of each captured input is sent; only its length is by default.
    log_inputs(log: bool);
    /// Whether the approver of a held call is shown its whole input; not by default.
    disclose_on_elevation(disclose: bool);
    /// Whether calls that declare scopes run although the gateway does not check scopes.
    trust_gateway_scopes(trust: bool);
    /// Whether calls that declare no effect are refused; they are not by default.
    require_effect(require: bool);
    /// Sets the longest time that a check may take; 5 seconds by default.
    timeout(timeout: Duration);
    /// The key under which inputs are digested; random by default.
    binding_key(key: [u8; 32]);
    /// The file that keeps session and key, so that a program can come back to what was held.
    state_file(path: impl Into<PathBuf>);
}

impl AgentTrustGuardBuilder {
    /// Builds the guard. Nothing is sent yet.
    #[must_use]
    pub fn build(self) -> AgentTrustGuard {
        AgentTrustGuard { guard: self.builder.build() }
    }
}
