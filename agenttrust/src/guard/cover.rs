//! Covering: a layer asked for a call, and the guarded function inside it need not ask again.
//!
//! Only a layer that was built to do so makes a [`Cover`], and only one guarded call can use it. That is the first one
//! of the same guard, agent, session and tool whose effect is no stronger and whose scopes are among those that were
//! asked for. Everything else asks for itself.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::AgentTrustGuard;
use super::action::Action;
use super::handle::PermitHandle;
use super::permit::{Permit, PermitBasis};
use super::scope;
use crate::model::Effect;

/// The right of one inner call to run under the permit of an outer one.
#[derive(Clone)]
pub struct Cover(Arc<Inner>);

struct Inner {
    guard: AgentTrustGuard,
    tool: Cow<'static, str>,
    effect: Option<Effect>,
    scopes: Vec<Cow<'static, str>>,
    used: AtomicBool,
    /// The outer permit's: what the inner call says of itself is said of the outer one.
    handle: OnceLock<PermitHandle>,
}

impl Cover {
    /// Returns what `guard` is about to be asked, to be handed on once it said yes.
    #[must_use]
    pub fn for_action(guard: &AgentTrustGuard, action: &Action) -> Self {
        Self(Arc::new(Inner {
            guard: guard.acting_as(action),
            tool: action.tool.clone(),
            effect: guard.effect_of(action),
            scopes: action.scopes.clone(),
            used: AtomicBool::new(false),
            handle: OnceLock::new(),
        }))
    }

    /// Returns a cover that covers nothing: a call that runs with it has the guard that was asked, and asks.
    #[must_use]
    pub fn spent(self) -> Self {
        self.0.used.store(true, Ordering::Release);
        self
    }

    /// Marks the cover as under `permit`. A permit without a decision, such as one that was given because the Guardian
    /// was away, covers nothing: what the inner call declares of itself may be more than may run unasked.
    #[must_use]
    pub(super) fn under(self, permit: &mut Permit) -> Self {
        if permit.basis() != PermitBasis::Allowed {
            return self.spent();
        }
        // Set once: a cover is of one call.
        let _ = self.0.handle.set(permit.handle());
        self
    }

    /// Returns the guard that was asked, which is the current one wherever the cover is in hand.
    pub(super) fn guard(&self) -> &AgentTrustGuard {
        &self.0.guard
    }

    fn covers(&self, guard: &AgentTrustGuard, action: &Action) -> bool {
        let Self(outer) = self;
        let no_stronger = match (guard.effect_of(action), outer.effect) {
            // Both go by the name, which is the same; or the outer one was raised above it.
            (None, _) => true,
            (Some(inner), Some(outer)) => inner <= outer,
            (Some(_), None) => false,
        };
        no_stronger
            && outer.guard.is_same(guard)
            && outer.tool == action.tool
            && action.scopes.iter().all(|scope| outer.scopes.contains(scope))
    }

    fn take(&self) -> bool {
        !self.0.used.swap(true, Ordering::AcqRel)
    }
}

/// Returns the permit of a call that an outer one covers, if there is one and no call has taken it yet.
pub(super) fn permit(guard: &AgentTrustGuard, action: &Action) -> Option<Permit> {
    let cover = scope::find_cover(|cover| cover.covers(guard, action) && cover.take())?;
    let handle = cover.0.handle.get().cloned();
    Some(Permit::covered(guard.clone(), action.tool.to_string(), handle))
}

impl fmt::Debug for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cover").field("tool", &self.0.tool).finish_non_exhaustive()
    }
}
