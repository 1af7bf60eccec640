//! Asking the Guardian: again while it has not decided, and never past the guard's own time-out.
//!
//! Three things end it: a decision, an error, and that the Guardian is not there. Only the last of them
//! can open a guard that fails open, and only as long as nothing of this call was sent.
//!
//! Where the client has credentials, a token is got as a part of the question, and what keeps it from being got is an
//! error of the question. Only that no connection could be made at all is the Guardian not being there: the check could
//! not have been sent either. One that gave a challenge, or refused a proof, a moment before is there.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::AgentTrustGuard;
use super::authorize::{Authorization, Check};
use super::breaker::{Admission, Miss};
use super::permit::PermitBasis;
use crate::background;
use crate::backoff::Backoff;
use crate::client::Failed;
use crate::error::{AgentTrustError, Result};
use crate::transport::TransportErrorKind;

/// The pauses before asking again, where the Guardian names none or a shorter one. They double, so that a
/// Guardian that decides nothing is not asked a hundred times a second.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(1_280));

/// The advice about a Guardian that is not there.
const AWAY: &str = "see that it runs and that this is its address, then call again";
/// The advice about a Guardian that is there and gave no answer.
const SLOW: &str = "it may have been asked, so this call stays blocked: call again in a moment";
/// The reason why a call runs unchecked while the Guardian is not asked.
const PAUSED: &str = "no connection could be made for the last calls";

/// The rule for a call whose Guardian cannot be reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenUnreachable {
    /// The rule that the guard was built with.
    AsBuilt,
    /// Blocked: the action was held already, and has not been allowed since.
    Block,
}

/// An answer without a decision: why, and after how long to ask again.
struct Undecided {
    why: Why,
    after: Duration,
}

enum Why {
    /// A Guardian that could not decide in time, for this reason.
    Late(Option<String>),
    /// A Guardian that has too much to do.
    Busy(AgentTrustError),
}

/// The reason why the Guardian was not asked.
struct NotAsked {
    why: Miss,
}

impl Check {
    /// Asks until there is a decision, and reads it. Asked again with the same key, the Guardian gives the same answer
    /// and uses up nothing twice.
    pub(super) async fn ask(
        &self,
        guard: &AgentTrustGuard,
        when_unreachable: WhenUnreachable,
        idempotency_key: &str,
    ) -> Result<Authorization> {
        let begun = Instant::now();
        let left = || guard.shared.settings.timeout.saturating_sub(begun.elapsed());
        let breaker = &guard.shared.breaker;
        let mut undecided: Option<Undecided> = None;
        let mut asked = 0;
        loop {
            // What the Guardian was asked and has not decided never runs unchecked. Looked at when it comes
            // to that: the same call, made elsewhere, may have been held meanwhile.
            let opens = || {
                undecided.is_none()
                    && when_unreachable == WhenUnreachable::AsBuilt
                    && self.opens(guard)
            };
            let admission = match admission(guard, opens, left).await {
                Ok(admission) => admission,
                Err(NotAsked { why }) => {
                    return match &undecided {
                        Some(undecided) => Err(self.undecided(guard, undecided)),
                        None if opens() && why == Miss::Away => Ok(self.fail_open(guard, PAUSED)),
                        None => Err(self.unavailable(guard, paused(why))),
                    };
                }
            };
            let options = self.options.clone().idempotency_key(idempotency_key).timeout(left());
            let (why, after) = match guard.shared.client.actions().send(&self.body, &options).await
            {
                Ok(answer) => {
                    breaker.reached();
                    match answer.retry_after {
                        None => return Ok(self.read_answer(guard, answer)),
                        // Whatever the rest of it says: what is allowed is decided.
                        Some(after) => (Why::Late(answer.result.reason), after),
                    }
                }
                Err(Failed { error, retry_after: Some(after), .. }) => {
                    breaker.reached();
                    (Why::Busy(error), after)
                }
                Err(Failed { error, .. }) => {
                    // What was cut short because this call's time is up says nothing of the Guardian.
                    match &undecided {
                        Some(undecided) if timed_out(&error) => {
                            return Err(self.undecided(guard, undecided));
                        }
                        _ => record_failure(guard, admission, &error),
                    }
                    return self.unanswered(guard, error, opens());
                }
            };
            let now = Undecided { why, after };
            let pause = now.pause(asked);
            if pause >= left() {
                return Err(self.undecided(guard, &now));
            }
            undecided = Some(now);
            asked += 1;
            background::sleep(pause).await;
        }
    }

    /// Returns what an error of the request means for the call.
    fn unanswered(
        &self,
        guard: &AgentTrustGuard,
        error: AgentTrustError,
        opens: bool,
    ) -> Result<Authorization> {
        if error.is_unreachable() {
            return match opens {
                true => Ok(self.fail_open(guard, &error.to_string())),
                false => Err(self.unavailable(guard, format!("{error}; {AWAY}"))),
            };
        }
        match error {
            AgentTrustError::Network(error) if error.is_of_this_side() => {
                Err(self.unavailable(guard, error.to_string()))
            }
            AgentTrustError::Network(error) => {
                Err(self.unavailable(guard, format!("{error}; {SLOW}")))
            }
            // Of the credentials: there was no token to ask with, or nothing signed for it.
            AgentTrustError::GuardianUnavailable { message } => {
                Err(self.unavailable(guard, message))
            }
            AgentTrustError::Crypto { message } => Err(AgentTrustError::Crypto {
                message: format!("tool {:?} did not run: {message}", self.tool()),
            }),
            error => Err(error.about_call(self.tool(), guard.shared.client.base_url())),
        }
    }

    /// Returns whether this call runs unchecked when the Guardian is not there.
    fn opens(&self, guard: &AgentTrustGuard) -> bool {
        let settings = &guard.shared.settings;
        let open = settings.fail_open
            || self.declared.is_some_and(|effect| settings.fail_open_for.contains(&effect));
        open && !guard.shared.recent_refusals.holds(&guard.subject, self.tool(), self.input())
    }

    /// Returns the permit of a call that runs unchecked.
    fn fail_open(&self, guard: &AgentTrustGuard, why: &str) -> Authorization {
        guard.shared.counts.failed_open.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            agent_id = guard.subject.agent_id,
            tool = self.tool(),
            reason = why,
            "running a call unchecked, because the guard fails open and the Guardian is away"
        );
        self.permit(guard, None, PermitBasis::FailOpen)
    }

    fn unavailable(&self, guard: &AgentTrustGuard, why: impl AsRef<str>) -> AgentTrustError {
        self.not_run(guard, format_args!("could not be asked: {}", why.as_ref()))
    }

    fn undecided(&self, guard: &AgentTrustGuard, undecided: &Undecided) -> AgentTrustError {
        let Undecided { why, after } = undecided;
        match why {
            Why::Late(reason) => self.not_run(
                guard,
                format_args!(
                    "could not decide in time: {}; this is no denial, call it again in a moment or \
                     give the guard a longer `timeout`",
                    reason.as_deref().unwrap_or("it gave no reason")
                ),
            ),
            Why::Busy(error) => self.not_run(
                guard,
                format_args!(
                    "is overloaded: {error}; this is no denial, call it again in {} s",
                    after.as_secs().max(1)
                ),
            ),
        }
    }

    fn not_run(&self, guard: &AgentTrustGuard, why: std::fmt::Arguments<'_>) -> AgentTrustError {
        AgentTrustError::GuardianUnavailable {
            message: format!(
                "tool {:?} did not run, because the Guardian at {} {why}",
                self.tool(),
                guard.shared.client.base_url(),
            ),
        }
    }
}

fn paused(why: Miss) -> &'static str {
    match why {
        Miss::Away => {
            "no connection could be made for the last calls, so it is asked again after a pause; see \
             that it runs, then call again in a moment"
        }
        Miss::Slow => {
            "it did not answer the last calls in time and is given a pause; call again in a moment"
        }
    }
}

/// Returns the right to ask now. A call that would run unchecked waits while another one finds out whether the
/// Guardian is back: the reason of a pause is as old as the pause.
async fn admission(
    guard: &AgentTrustGuard,
    opens: impl Fn() -> bool,
    left: impl Fn() -> Duration,
) -> Result<Admission, NotAsked> {
    loop {
        let paused = match guard.shared.breaker.admit() {
            Ok(admission) => return Ok(admission),
            Err(paused) => paused,
        };
        let why = paused.why;
        if why != Miss::Away || !opens() {
            return Err(NotAsked { why });
        }
        match background::timeout(left(), paused.tried()).await {
            Ok(true) => {}
            Ok(false) => return Err(NotAsked { why }),
            // Still not known, and so as good as slow.
            Err(_) => return Err(NotAsked { why: Miss::Slow }),
        }
    }
}

/// Tells the breaker why a check came back without a decision.
fn record_failure(guard: &AgentTrustGuard, admission: Admission, error: &AgentTrustError) {
    match error {
        // It says nothing of the Guardian.
        AgentTrustError::Network(error) if error.kind() == TransportErrorKind::Exhausted => {}
        AgentTrustError::Network(error) => {
            guard.shared.breaker.missed(admission, Miss::from_error(error))
        }
        // Found wrong here, before anything was sent.
        AgentTrustError::Validation { status: 0, .. } => {}
        _ => guard.shared.breaker.reached(),
    }
}

fn timed_out(error: &AgentTrustError) -> bool {
    matches!(error, AgentTrustError::Network(error) if error.kind() == TransportErrorKind::Timeout)
}

impl Undecided {
    /// Returns how long to wait before asking again: at least what was said, and up to half as much more, so
    /// that the calls of an overload do not all come back at once.
    fn pause(&self, asked: u32) -> Duration {
        let pause = self.after.max(PAUSES.wait(asked));
        let [dice, ..] = uuid::Uuid::new_v4().into_bytes();
        pause.saturating_add(pause / 512 * u32::from(dice))
    }
}
