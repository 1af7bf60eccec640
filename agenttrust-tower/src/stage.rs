//! The way of a call up to the moment it may be made: authorizing, held, readying.

use std::borrow::Cow;
use std::mem;
use std::task::{Context, Poll};

use agenttrust::{AgentTrustError, Permit};
use tower::Service;

use crate::Denial;
use crate::asking::{Asking, TakesLong};

/// A call that may not be made yet.
pub(crate) struct Parked<S, Req, C> {
    pub(crate) service: S,
    pub(crate) request: Req,
    pub(crate) context: C,
}

impl<S: Clone, Req, C> Parked<S, Req, C> {
    /// Drops the ready service for a clone that is not, so that limits inside the guard serve others
    /// for as long as this call waits.
    fn give_back_readiness(&mut self) {
        self.service = self.service.clone();
    }
}

pub(crate) enum Stage<S, Req, C> {
    /// Refused by the extractor: nobody is asked.
    Refused { reason: Cow<'static, str>, context: C },
    /// Asked; the service in `parked` is ready.
    Authorizing { asking: Asking, parked: Parked<S, Req, C> },
    /// Asked, and it takes long; the service in `parked` is not ready.
    Held { asking: Asking, parked: Parked<S, Req, C> },
    /// Permitted after the readiness was given back.
    Readying { permit: Permit, parked: Parked<S, Req, C> },
    /// Decided: the call is made or denied.
    Over,
}

/// What comes after the last stage.
pub(crate) enum Decided<S, Req, C, E> {
    /// Make the call; the service in `ready` is ready.
    Call { permit: Permit, ready: Parked<S, Req, C> },
    /// Do not make it.
    Deny { denial: Denial, context: C },
    /// It was permitted, but the service did not become ready again.
    Unready { permit: Permit, error: E, context: C },
}

impl<S, Req, C> Stage<S, Req, C> {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "Refused",
            Self::Authorizing { .. } => "Authorizing",
            Self::Held { .. } => "Held",
            Self::Readying { .. } => "Readying",
            Self::Over => "Over",
        }
    }

    /// # Panics
    ///
    /// When polled after it was ready, which no executor does.
    pub(crate) fn poll_decided(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Decided<S, Req, C, S::Error>>
    where
        S: Service<Req> + Clone,
    {
        loop {
            // Taken out, so that a panic in here leaves nothing half-used behind.
            match mem::replace(self, Self::Over) {
                Self::Refused { reason, context } => {
                    return Poll::Ready(Decided::Deny { denial: Denial::Refused(reason), context });
                }
                Self::Authorizing { mut asking, mut parked } => {
                    match asking.as_mut().poll_soon(cx) {
                        Poll::Ready(Ok(Ok(permit))) => {
                            return Poll::Ready(Decided::Call { permit, ready: parked });
                        }
                        Poll::Ready(Ok(Err(error))) => return Poll::Ready(blocked(error, parked)),
                        Poll::Ready(Err(TakesLong)) => {
                            parked.give_back_readiness();
                            *self = Self::Held { asking, parked };
                        }
                        Poll::Pending => {
                            *self = Self::Authorizing { asking, parked };
                            return Poll::Pending;
                        }
                    }
                }
                Self::Held { mut asking, parked } => match asking.as_mut().poll_answer(cx) {
                    Poll::Ready(Ok(permit)) => *self = Self::Readying { permit, parked },
                    Poll::Ready(Err(error)) => return Poll::Ready(blocked(error, parked)),
                    Poll::Pending => {
                        *self = Self::Held { asking, parked };
                        return Poll::Pending;
                    }
                },
                Self::Readying { permit, mut parked } => match parked.service.poll_ready(cx) {
                    Poll::Ready(Ok(())) => {
                        return Poll::Ready(Decided::Call { permit, ready: parked });
                    }
                    Poll::Ready(Err(error)) => {
                        let Parked { context, .. } = parked;
                        return Poll::Ready(Decided::Unready { permit, error, context });
                    }
                    Poll::Pending => {
                        *self = Self::Readying { permit, parked };
                        return Poll::Pending;
                    }
                },
                #[expect(clippy::panic, reason = "as `Future` has it: not polled once ready")]
                Self::Over => panic!("a guarded call was polled after it had answered"),
            }
        }
    }
}

fn blocked<S, Req, C, E>(
    error: AgentTrustError,
    parked: Parked<S, Req, C>,
) -> Decided<S, Req, C, E> {
    Decided::Deny { denial: Denial::Blocked(error), context: parked.context }
}
