//! Settings of a guard.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Once};
use std::time::Duration;

use super::authorize::CHECK_LIMIT;
use super::binding::{BoundBy, Given};
use super::breaker::Breaker;
use super::digest;
use super::recent_refusals::RecentRefusals;
use super::reporter::Reporter;
use super::{AgentTrustGuard, PassCounts, Shared, Subject};
use crate::client::AgentTrustClient;
use crate::model::Effect;

/// Settings of an [`AgentTrustGuard`]; see [`AgentTrustGuard::builder`].
///
/// Building never fails: a setting that makes no sense is said by every call of the guard, none of
/// which then runs.
#[must_use = "a builder does nothing until `build` is called"]
pub struct AgentTrustGuardBuilder {
    client: AgentTrustClient,
    agent_id: String,
    session_id: Option<String>,
    settings: Settings,
    binding_key: Option<[u8; 32]>,
    state_file: Option<PathBuf>,
}

pub(super) struct Settings {
    pub(super) block_on_deny: bool,
    pub(super) fail_open: bool,
    pub(super) fail_open_for: Vec<Effect>,
    pub(super) default_effect: Option<Effect>,
    pub(super) log_inputs: bool,
    /// `None` where the guard was not told: then its client says.
    pub(super) disclose_on_elevation: Option<bool>,
    pub(super) trust_gateway_scopes: bool,
    pub(super) require_effect: bool,
    pub(super) timeout: Duration,
    /// Asks for agents that are known by their tokens, and for none of its own.
    pub(super) gateway: bool,
    pub(super) binding_key: [u8; 32],
    /// The key's name, which travels.
    pub(super) key_id: String,
    /// Whether the key is random, and ends with the process.
    pub(super) key_is_random: bool,
    /// A setting that makes no sense: what every call says instead of running.
    pub(super) fault: Option<String>,
}

impl Settings {
    /// Returns whether an outage may let any call through.
    pub(super) fn may_fail_open(&self) -> bool {
        self.fail_open || !self.fail_open_for.is_empty()
    }
}

impl AgentTrustGuardBuilder {
    pub(super) fn new(client: AgentTrustClient, agent_id: &str) -> Self {
        Self {
            client,
            agent_id: agent_id.to_owned(),
            session_id: None,
            settings: Settings {
                block_on_deny: true,
                fail_open: false,
                fail_open_for: Vec::new(),
                default_effect: None,
                log_inputs: false,
                disclose_on_elevation: None,
                trust_gateway_scopes: false,
                require_effect: false,
                timeout: CHECK_LIMIT,
                gateway: false,
                binding_key: [0; 32],
                key_id: String::new(),
                key_is_random: false,
                fault: None,
            },
            binding_key: None,
            state_file: None,
        }
    }

    pub(super) fn gateway(client: AgentTrustClient) -> Self {
        let mut builder = Self::new(client, "");
        builder.settings.gateway = true;
        builder
    }

    /// Sets the session that checks and reports belong to: by default `AGENTTRUST_SESSION_ID`, else the one in the
    /// [`state_file`](Self::state_file), else a random UUID.
    ///
    /// An approval serves only in the session that it was asked for in, where that was given. One that the
    /// guard made up is no part of what an approval binds.
    pub fn session_id(mut self, session_id: impl Into<String>) -> Self {
        self.session_id = Some(session_id.into());
        self
    }

    /// Sets whether a denial or a required elevation is an error; it is by default.
    ///
    /// With `false` such calls run: for watching what a policy would deny. Each is logged at WARN and
    /// counted. A check without a decision is neither, and stays an error.
    pub fn block_on_deny(mut self, block: bool) -> Self {
        self.settings.block_on_deny = block;
        self
    }

    /// Sets whether calls run unchecked while the Guardian cannot be reached; they do not by default.
    ///
    /// Unreachable means that no connection could be made, or that something in between answered with
    /// 502, 503 or 504 in the Guardian's place: without the header `AgentTrust-Guardian` and without the
    /// protocol's error body. A Guardian that is slow is not away, so these never run a call unchecked:
    ///
    /// - no answer in time, and a connection that broke: the request may have been sent;
    /// - a check that the Guardian could not decide in time, and a Guardian that is overloaded;
    /// - a denial, a wrong key, any other status, an answer that cannot be read;
    /// - a pause of the guard after such answers: it asks no one for a moment, and remembers why;
    /// - a call that was held or denied when this guard last asked, within 5 minutes, and one whose
    ///   approval is waited for.
    ///
    /// A host that is switched off refuses nothing. It is known to be away once connecting took 3
    /// seconds, so with a [`timeout`](Self::timeout) of less, calls to it stay blocked.
    ///
    /// Each call that runs unchecked is logged at WARN and counted.
    pub fn fail_open(mut self, open: bool) -> Self {
        self.settings.fail_open = open;
        self
    }

    /// Does the same as [`fail_open`](Self::fail_open), for calls that declare one of these effects themselves; the
    /// guard's own [`action_effect`](Self::action_effect) declares nothing.
    pub fn fail_open_for(mut self, effects: impl IntoIterator<Item = Effect>) -> Self {
        self.settings.fail_open_for.extend(effects);
        self
    }

    /// Sets the effect of calls that declare none: `read`, `mutating`, `destructive` or `admin`.
    pub fn action_effect(mut self, effect: impl AsRef<str>) -> Self {
        match effect.as_ref().parse() {
            Ok(effect) => self.settings.default_effect = Some(effect),
            Err(error) => {
                self.settings.fault = Some(format!("the guard's default effect: {error}"))
            }
        }
        self
    }

    /// Sets whether the beginning of each captured input (200 characters) is sent as its summary; only
    /// its length is by default.
    pub fn log_inputs(mut self, log: bool) -> Self {
        self.settings.log_inputs = log;
        self
    }

    /// Sets whether the approver of a held call is shown its whole input, until the decision.
    ///
    /// By default it is where the Guardian is embedded in this process and keeps its data in memory or in an
    /// SQLite file that only its owner can reach: there the input does not leave the machine. Elsewhere it is not,
    /// and a held call says that the approver sees no input. The Guardian shows it to keys that may decide, and
    /// drops it with the decision.
    pub fn disclose_on_elevation(mut self, disclose: bool) -> Self {
        self.settings.disclose_on_elevation = Some(disclose);
        self
    }

    /// Sets whether calls that declare scopes run although the gateway does not check scopes; they do not
    /// by default.
    pub fn trust_gateway_scopes(mut self, trust: bool) -> Self {
        self.settings.trust_gateway_scopes = trust;
        self
    }

    /// Sets whether calls that declare no effect are refused; by default the Guardian finds one by their names.
    ///
    /// [`tools`](crate::tools()) lists what a program declares, for a test that finds those that declare none:
    /// `#[guarded]` shows it ("Every effect declared").
    pub fn require_effect(mut self, require: bool) -> Self {
        self.settings.require_effect = require;
        self
    }

    /// Sets how long one check may take; 5 seconds by default. Waiting for an approval is not part of it.
    ///
    /// A Guardian that could not decide in time, or has too much to do, says when to ask again: within
    /// this time the guard does, under the same idempotency key. After it the call fails with
    /// [`GuardianUnavailable`](crate::AgentTrustError::GuardianUnavailable), which is no denial.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Sets the key under which inputs are digested: by default the 64 hexadecimal digits of
    /// `AGENTTRUST_BINDING_KEY`, else the one in the [`state_file`](Self::state_file), else a random one.
    ///
    /// An approval is bound to the digest of an input, so one that was asked for under a random key ends with
    /// the process. The key never leaves the guard.
    pub fn binding_key(mut self, key: [u8; 32]) -> Self {
        self.binding_key = Some(key);
        self
    }

    /// Sets the file that keeps the session and the key of this guard, so that a program can be held, exit, and
    /// run what was approved meanwhile; by default the one that `AGENTTRUST_STATE` names, else none.
    ///
    /// It is made where it is not there, and only its owner may reach it (mode 600): one that others can
    /// reach is refused, and so is that of another agent. What [`session_id`](Self::session_id) and
    /// [`binding_key`](Self::binding_key) say goes before it, and so do `AGENTTRUST_SESSION_ID` and
    /// `AGENTTRUST_BINDING_KEY`. A file that is given here goes before one that the environment names.
    ///
    /// ```no_run
    /// # use agenttrust::{AgentTrustClient, AgentTrustGuard};
    /// # fn example(client: AgentTrustClient) {
    /// let guard = AgentTrustGuard::builder(client, "agt_1").state_file("/var/lib/shop/agent.state").build();
    /// # }
    /// ```
    pub fn state_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_file = Some(path.into());
        self
    }

    /// Builds the guard. Nothing is sent yet. A state file is read or made here.
    #[must_use]
    pub fn build(self) -> AgentTrustGuard {
        let Self { client, agent_id, session_id, mut settings, binding_key, state_file } = self;
        let given = Given { session_id, binding_key };
        let bound_by = given.complete(state_file, &agent_id).unwrap_or_else(|fault| {
            settings.fault = Some(fault);
            BoundBy::nothing()
        });
        settings.binding_key = bound_by.binding_key;
        settings.key_id = digest::key_id(&bound_by.binding_key);
        settings.key_is_random = bound_by.key_is_random;
        if agent_id.is_empty() && !settings.gateway {
            settings.fault =
                Some("the guard's agent id is empty; give the id of a registered agent".to_owned());
        }
        let BoundBy { session_id, session_is_generated, .. } = bound_by;
        AgentTrustGuard {
            subject: Arc::new(Subject {
                session_is_generated,
                ..Subject::new(agent_id, session_id)
            }),
            shared: Arc::new(Shared {
                reporter: Reporter::new(client.clone()),
                client,
                settings,
                breaker: Breaker::default(),
                recent_refusals: RecentRefusals::default(),
                counts: PassCounts::default(),
                warned_of_key: Once::new(),
                warned_of_unseen: Once::new(),
            }),
        }
    }
}

impl fmt::Debug for AgentTrustGuardBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentTrustGuardBuilder")
            .field("agent_id", &self.agent_id)
            .field("session_id", &self.session_id)
            .field("block_on_deny", &self.settings.block_on_deny)
            .field("fail_open", &self.settings.fail_open)
            .finish_non_exhaustive()
    }
}
