//! [`ServiceBuilderExt`]: the guard among the methods of tower's `ServiceBuilder`.

use tower::ServiceBuilder;
use tower::layer::util::Stack;

use crate::GuardLayer;

/// The guard as a method of [`tower::ServiceBuilder`].
///
/// ```
/// use std::time::Duration;
///
/// use agenttrust::{Action, AgentTrustGuard};
/// use agenttrust_tower::{GuardLayer, ServiceBuilderExt};
/// use tower::{BoxError, ServiceBuilder, service_fn};
///
/// # fn example(guard: AgentTrustGuard) {
/// let service = ServiceBuilder::new()
///     // Outside of the guard: it bounds the check and a wait for an approval as well.
///     .timeout(Duration::from_secs(30))
///     .guarded(GuardLayer::new(guard).extract(|to: &String| Action::new("send_mail").input(to)))
///     // Inside: calls that wait for an approval take no place of it.
///     .concurrency_limit(8)
///     .service(service_fn(|to: String| async move { Ok::<_, BoxError>(to) }));
/// # fn is_service<S: tower::Service<String>>(_: S) {}
/// # is_service(service);
/// # }
/// ```
pub trait ServiceBuilderExt<L>: sealed::Sealed {
    /// Guards every call that gets here: the same as `.layer(guard_layer)`.
    fn guarded<X, D, I>(
        self,
        guard_layer: GuardLayer<X, D, I>,
    ) -> ServiceBuilder<Stack<GuardLayer<X, D, I>, L>>;

    /// Makes the agent behind each request's token known: the same as `.layer(authenticate_layer)`.
    #[cfg(feature = "http")]
    fn authenticated<M>(
        self,
        authenticate_layer: crate::AuthenticateLayer<M>,
    ) -> ServiceBuilder<Stack<crate::AuthenticateLayer<M>, L>>;
}

impl<L> ServiceBuilderExt<L> for ServiceBuilder<L> {
    fn guarded<X, D, I>(
        self,
        guard_layer: GuardLayer<X, D, I>,
    ) -> ServiceBuilder<Stack<GuardLayer<X, D, I>, L>> {
        self.layer(guard_layer)
    }

    #[cfg(feature = "http")]
    fn authenticated<M>(
        self,
        authenticate_layer: crate::AuthenticateLayer<M>,
    ) -> ServiceBuilder<Stack<crate::AuthenticateLayer<M>, L>> {
        self.layer(authenticate_layer)
    }
}

mod sealed {
    pub trait Sealed {}
    impl<L> Sealed for tower::ServiceBuilder<L> {}
}
