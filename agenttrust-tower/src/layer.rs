//! The layer: a guard, what a request is, and how to say no.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use agenttrust::{AgentTrustGuard, Effect, OnElevation};
use tower::Layer;

use crate::refine::Refine;
use crate::{AsItComes, DenyAsError, Filter, Guarded, NoExtractor};

/// Puts a guard around a service: every call is checked before it runs and reported after it ran.
///
/// `X` says which action a request is ([`ExtractAction`](crate::ExtractAction)), `D` how a denial
/// reaches the caller ([`DenyWith`](crate::DenyWith)), and `I` whether bodies are read before the Guardian
/// is asked (they are not, unless an approval is to be bound to them:
/// [`bind_body`](GuardLayer::bind_body)). See the [crate documentation](crate) for what
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
pub struct GuardLayer<X, D, I = AsItComes> {
    guard: AgentTrustGuard,
    extract: X,
    deny: D,
    pub(crate) intake: I,
    refine: Arc<Refine>,
}

impl GuardLayer<NoExtractor, DenyAsError> {
    /// Creates a layer that denies with the service's own error, still to be told what a request is:
    /// [`extract`](Self::extract).
    ///
    /// An error that is not made from an [`AgentTrustError`](agenttrust::AgentTrustError) takes
    /// [`deny_with`](Self::deny_with) as well; without it the service has
    /// [no `ready` and no `call`](Guarded#when-the-compiler-finds-no-ready-and-no-call).
    pub fn new(guard: AgentTrustGuard) -> Self {
        Self {
            guard,
            extract: NoExtractor,
            deny: DenyAsError,
            intake: AsItComes,
            refine: Arc::default(),
        }
    }
}

impl<X, D> GuardLayer<X, D> {
    /// Reads requests before it asks about them, as `intake` says.
    #[cfg(feature = "http")]
    pub(crate) fn taking_in<I>(self, intake: I) -> GuardLayer<X, D, I> {
        let Self { guard, extract, deny, refine, .. } = self;
        GuardLayer { guard, extract, deny, intake, refine }
    }
}

impl<X, D, I> GuardLayer<X, D, I> {
    /// Says which action a request is; replaces the extractor so far.
    pub fn extract<X2>(self, extract: X2) -> GuardLayer<X2, D, I> {
        self.map_extract(|_| extract)
    }

    /// Says how a denial reaches the caller; replaces the way so far.
    pub fn deny_with<D2>(self, deny: D2) -> GuardLayer<X, D2, I> {
        let Self { guard, extract, intake, refine, .. } = self;
        GuardLayer { guard, extract, deny, intake, refine }
    }

    /// Guards only the requests that `guarded` picks. **All others pass unchecked and unreported.**
    ///
    /// ```
    /// use agenttrust_tower::GuardLayer;
    ///
    /// # fn example(guard: agenttrust::AgentTrustGuard) {
    /// let layer = GuardLayer::http(guard)
    ///     .filter(|request: &http::Request<String>| request.uri().path() != "/health");
    /// # let _ = layer;
    /// # }
    /// ```
    pub fn filter<P>(self, guarded: P) -> GuardLayer<Filter<X, P>, D, I> {
        self.map_extract(|extract| Filter::new(extract, guarded))
    }

    /// Sets the tool of every call, instead of what the extractor names.
    pub fn tool(self, tool: impl Into<Cow<'static, str>>) -> Self {
        self.refined(|refine| refine.tool = Some(tool.into()))
    }

    /// Sets the effect of every call, instead of what the extractor found. The Guardian may find it stronger.
    pub fn effect(self, effect: Effect) -> Self {
        self.refined(|refine| refine.effect = Some(effect))
    }

    /// Adds scopes that every call needs, beside those that the extractor found. Each is one scope, as
    /// [`Action::scope`](agenttrust::Action::scope) takes it; with any other, no call is made.
    pub fn scopes<T: Into<Cow<'static, str>>>(self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.refined(|refine| refine.scopes.extend(scopes.into_iter().map(Into::into)))
    }

    /// Sets what a call does that is held for approval: fail at once with the approval's id, which is what
    /// extractors say that say nothing, or wait.
    ///
    /// While it waits, the inner service's readiness is given back; a time-out outside the guard bounds
    /// the wait.
    pub fn on_elevation(self, on_elevation: OnElevation) -> Self {
        self.refined(|refine| refine.on_elevation = Some(on_elevation))
    }

    /// Lets one guarded call inside of each call run without asking again.
    ///
    /// Without this, a `#[guarded]` function under a layer asks once more, for itself (as the same agent,
    /// where the layer asked for one that is known by its token). With it, while the inner service
    /// runs, the layer's guard is the current one, and the first call of the same tool by the same
    /// guard for the same agent, of an effect no stronger and with no other scopes, is covered: it runs,
    /// and the layer alone reports. Give both the same name with [`tool`](Self::tool). A task that the
    /// inner service spawns on a runtime is outside of it; whatever is polled inside of the call is not,
    /// tasks of a `LocalSet` that is run in there among them. A layer that passed because the Guardian
    /// was away, or because its guard does not block, covers nothing.
    ///
    /// An approval is then bound to what the *layer* knows of the call, not to the arguments of the
    /// function: over HTTP, [bind the body](GuardLayer::bind_body). Without this, a call that is held takes two
    /// approvals, and the one that the layer used is gone when the function is held; its error says which
    /// approval that was.
    ///
    /// ```
    /// use agenttrust::{AgentTrustError, AgentTrustGuard, Effect, guarded};
    /// use agenttrust_tower::GuardLayer;
    /// use axum::{Router, routing::post};
    ///
    /// #[guarded(tool = "cache_clear", effect = "mutating")]
    /// async fn clear() -> Result<&'static str, AgentTrustError> {
    ///     Ok("cleared")
    /// }
    ///
    /// # fn app(guard: AgentTrustGuard) -> Router {
    /// let layer = GuardLayer::http(guard)
    ///     .tool("cache_clear")
    ///     .effect(Effect::Mutating)
    ///     .covers_inner(true);
    /// Router::new()
    ///     .route("/clear", post(|| async { clear().await.map_err(|error| error.to_string()) }))
    ///     .layer(layer)
    /// # }
    /// ```
    pub fn covers_inner(self, covers: bool) -> Self {
        self.refined(|refine| refine.covers_inner = covers)
    }

    pub(crate) fn map_extract<X2>(self, map: impl FnOnce(X) -> X2) -> GuardLayer<X2, D, I> {
        let Self { guard, extract, deny, intake, refine } = self;
        GuardLayer { guard, extract: map(extract), deny, intake, refine }
    }

    fn refined(mut self, change: impl FnOnce(&mut Refine)) -> Self {
        change(Arc::make_mut(&mut self.refine));
        self
    }
}

impl<S, X, D, I> Layer<S> for GuardLayer<X, D, I>
where
    X: Clone,
    D: Clone,
    I: Clone,
{
    type Service = Guarded<S, X, D, I>;

    fn layer(&self, inner: S) -> Self::Service {
        Guarded {
            inner,
            guard: self.guard.clone(),
            extract: self.extract.clone(),
            deny: self.deny.clone(),
            intake: self.intake.clone(),
            refine: Arc::clone(&self.refine),
        }
    }
}

// Written out, because extractors are mostly closures, which have no `Debug`.
impl<X, D, I> fmt::Debug for GuardLayer<X, D, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardLayer")
            .field("guard", &self.guard)
            .field("refine", &self.refine)
            .finish_non_exhaustive()
    }
}
