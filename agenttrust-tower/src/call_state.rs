//! The states of a call until it may be made: authorizing, waiting, readying.
//!
//! Every layer of this crate that has to wait before it calls its inner service uses these states. The guard waits for
//! a permit, [`AuthenticateLayer`](crate::AuthenticateLayer) for the agent behind a token, the MCP layer for the end of
//! a body.

use std::mem;
use std::task::{Context, Poll};

use tower::Service;

use crate::pending::{PendingAnswer, StillPending};

/// A call that is not made yet, with its service: the answer `T` lets it be made, the answer `E` refuses it.
pub(crate) enum CallState<S, T, E> {
    /// The answer is pending, and the service is ready.
    Authorizing { pending: PendingAnswer<Result<T, E>>, service: S },
    /// The answer is pending for longer than a ready service is kept. The service is not ready, so that limits inside
    /// serve other calls.
    Waiting { pending: PendingAnswer<Result<T, E>>, service: S },
    /// The answer allows the call, and the service is driven ready once more.
    Readying { answer: T, service: S },
    /// The state was taken out, or the call is decided.
    Over,
}

/// The end of the states: what the caller of a [`CallState`] does next.
pub(crate) enum Decided<S, T, E, SE> {
    /// Make the call; the service is ready.
    Call { service: S, answer: T },
    /// Do not make it.
    Refuse(E),
    /// The call may be made, but the service did not become ready again.
    Unready { answer: T, error: SE },
}

impl<S, T, E> CallState<S, T, E> {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Authorizing { .. } => "Authorizing",
            Self::Waiting { .. } => "Waiting",
            Self::Readying { .. } => "Readying",
            Self::Over => "Over",
        }
    }

    /// Polls until the call is decided and the service is ready for it.
    ///
    /// # Panics
    ///
    /// When polled after it was ready, which no executor does.
    pub(crate) fn poll_decided<Req>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Decided<S, T, E, S::Error>>
    where
        S: Service<Req> + Clone,
    {
        loop {
            // Taken out, so that a panic in here leaves nothing half-used behind.
            match mem::replace(self, Self::Over) {
                Self::Authorizing { mut pending, service } => {
                    match pending.as_mut().poll_while_ready(cx) {
                        Poll::Ready(Ok(Ok(answer))) => {
                            return Poll::Ready(Decided::Call { service, answer });
                        }
                        Poll::Ready(Ok(Err(refusal))) => {
                            return Poll::Ready(Decided::Refuse(refusal));
                        }
                        Poll::Ready(Err(StillPending)) => {
                            // The ready one is dropped for a clone that is not.
                            let service = service.clone();
                            *self = Self::Waiting { pending, service };
                        }
                        Poll::Pending => {
                            *self = Self::Authorizing { pending, service };
                            return Poll::Pending;
                        }
                    }
                }
                Self::Waiting { mut pending, service } => match pending.as_mut().poll_answer(cx) {
                    Poll::Ready(Ok(answer)) => *self = Self::Readying { answer, service },
                    Poll::Ready(Err(refusal)) => return Poll::Ready(Decided::Refuse(refusal)),
                    Poll::Pending => {
                        *self = Self::Waiting { pending, service };
                        return Poll::Pending;
                    }
                },
                Self::Readying { answer, mut service } => match service.poll_ready(cx) {
                    Poll::Ready(Ok(())) => return Poll::Ready(Decided::Call { service, answer }),
                    Poll::Ready(Err(error)) => {
                        return Poll::Ready(Decided::Unready { answer, error });
                    }
                    Poll::Pending => {
                        *self = Self::Readying { answer, service };
                        return Poll::Pending;
                    }
                },
                #[expect(clippy::panic, reason = "as `Future` has it: not polled once ready")]
                Self::Over => panic!("a call was polled after it had answered"),
            }
        }
    }
}
