//! The layer: a guard, what a request is, and how to say no.

use std::fmt;

use agenttrust::AgentTrustGuard;
use tower::Layer;

use crate::{DenyAsError, Guarded, NoExtractor};

/// Puts a guard around a service: every call is checked before it runs and reported after it ran.
///
/// `X` says which action a request is ([`ExtractAction`](crate::ExtractAction)), `D` how a denial
/// reaches the caller ([`DenyWith`](crate::DenyWith)). See the [crate documentation](crate) for what
/// it does to readiness, cancellation and limits.
///
/// ```
/// use agenttrust::{Action, AgentTrustGuard, Effect};
/// use agenttrust_tower::GuardLayer;
/// use tower::{BoxError, ServiceBuilder, service_fn};
///
/// # fn deleting_service(guard: AgentTrustGuard) {
/// let service = ServiceBuilder::new()
///     .layer(GuardLayer::new(guard).extract(|path: &String| {
///         Action::new("delete_file").effect(Effect::Destructive).input(path)
///     }))
///     .service(service_fn(|path: String| async move {
///         std::fs::remove_file(path)?;
///         Ok::<_, BoxError>(())
///     }));
/// # fn is_service<S: tower::Service<String>>(_: S) {}
/// # is_service(service);
/// # }
/// ```
///
/// # Clone
///
/// Cloning is cheap where `X` and `D` are: the guard is shared, its reports and its breaker with it.
#[derive(Clone)]
pub struct GuardLayer<X, D> {
    guard: AgentTrustGuard,
    extract: X,
    deny: D,
}

impl GuardLayer<NoExtractor, DenyAsError> {
    /// A layer that denies with the service's own error, still to be told what a request is:
    /// [`extract`](Self::extract).
    pub fn new(guard: AgentTrustGuard) -> Self {
        Self { guard, extract: NoExtractor, deny: DenyAsError }
    }
}

impl<X, D> GuardLayer<X, D> {
    /// Says which action a request is; replaces the extractor so far.
    pub fn extract<X2>(self, extract: X2) -> GuardLayer<X2, D> {
        GuardLayer { guard: self.guard, extract, deny: self.deny }
    }

    /// Says how a denial reaches the caller; replaces the way so far.
    pub fn deny_with<D2>(self, deny: D2) -> GuardLayer<X, D2> {
        GuardLayer { guard: self.guard, extract: self.extract, deny }
    }

    #[cfg(feature = "http")]
    pub(crate) fn map_extract<X2>(self, map: impl FnOnce(X) -> X2) -> GuardLayer<X2, D> {
        GuardLayer { guard: self.guard, extract: map(self.extract), deny: self.deny }
    }
}

impl<S, X, D> Layer<S> for GuardLayer<X, D>
where
    X: Clone,
    D: Clone,
{
    type Service = Guarded<S, X, D>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded::new(inner, self.guard.clone(), self.extract.clone(), self.deny.clone())
    }
}

// Written out, because extractors are mostly closures, which have no `Debug`.
impl<X, D> fmt::Debug for GuardLayer<X, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardLayer").field("guard", &self.guard).finish_non_exhaustive()
    }
}
