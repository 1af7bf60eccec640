//! What the macro's expansion calls, and nothing else. No stability between versions.

mod output;

use std::pin::Pin;

pub use ::{core, std};

pub use self::output::*;
pub use crate::capture::*;
pub use crate::error::AgentTrustError;
pub use crate::guard::{Action, AgentTrustGuard, FromDenial, OnElevation, Outcome, Permit};
pub use crate::model::Effect;
pub use crate::tools::registered::*;

/// Authorizes `action` with `guard`, else with the current one; without any, nothing runs.
///
/// Boxed, because asking is large, and the future of a guarded function is kept by its caller.
///
/// # Errors
///
/// Those of [`AgentTrustGuard::authorize`].
pub fn authorize(guard: Option<AgentTrustGuard>, action: Action) -> Asking {
    Box::pin(async move { found(guard, &action)?.authorize(action).await })
}

/// The future of [`authorize`].
pub type Asking = Pin<Box<dyn Future<Output = Result<Permit, AgentTrustError>> + Send>>;

/// Does the same as [`authorize`], from code that is not async.
///
/// # Errors
///
/// Those of [`AgentTrustGuard::authorize_blocking`].
pub fn authorize_blocking(
    guard: Option<AgentTrustGuard>,
    action: Action,
) -> Result<Permit, AgentTrustError> {
    found(guard, &action)?.authorize_blocking(action)
}

fn found(
    guard: Option<AgentTrustGuard>,
    action: &Action,
) -> Result<AgentTrustGuard, AgentTrustError> {
    if guard.is_none()
        && let Some((scoped, of_process)) = crate::guard::conflict()
    {
        return Err(AgentTrustError::invalid(format!(
            "tool {:?} did not run, because it is in the scope of agent {scoped:?}, and this process is agent \
             {of_process:?}, as which anything spawned in there would run: install that guard with \
             `set_global_fallback()` if parts of the program are other agents, and spawn with `guard.spawn(..)`",
            action.tool()
        )));
    }
    guard.or_else(AgentTrustGuard::current).ok_or_else(|| AgentTrustError::GuardianUnavailable {
        message: format!(
            "tool {:?} did not run, because no guard is installed: call `guard.install()` once at \
             start, run the task inside `guard.scope(..)`, or name one with `#[guarded(guard = ..)]`",
            action.tool()
        ),
    })
}
