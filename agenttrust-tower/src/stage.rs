//! The way of a call up to the moment it may be made: asking, held, readying.
//!
//! Every layer of this crate that has to wait for something before it calls its inner service goes
//! this way: the guard for a permit, [`AuthenticateLayer`](crate::AuthenticateLayer) for the agent
//! behind a token, the MCP layer for the end of a body.

use std::mem;
use std::task::{Context, Poll};

use tower::Service;

use crate::asking::{Asking, TakesLong};

/// A service whose call waits for an answer: `T` means call, `E` means do not.
pub(crate) enum Stage<S, T, E> {
    /// Asked; the service is ready.
    Asking { asking: Asking<Result<T, E>>, service: S },
    /// Asked, and it takes long; the service is not ready, so that limits inside serve others.
    Held { asking: Asking<Result<T, E>>, service: S },
    /// Answered after the readiness was given back.
    Readying { answer: T, service: S },
    /// Decided.
    Over,
}

/// What comes after the last stage.
pub(crate) enum Decided<S, T, E, SE> {
    /// Make the call; the service is ready.
    Call { service: S, answer: T },
    /// Do not make it.
    Refuse(E),
    /// It may be made, but the service did not become ready again.
    Unready { answer: T, error: SE },
}

impl<S, T, E> Stage<S, T, E> {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Asking { .. } => "Authorizing",
            Self::Held { .. } => "Held",
            Self::Readying { .. } => "Readying",
            Self::Over => "Over",
        }
    }

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
                Self::Asking { mut asking, service } => match asking.as_mut().poll_soon(cx) {
                    Poll::Ready(Ok(Ok(answer))) => {
                        return Poll::Ready(Decided::Call { service, answer });
                    }
                    Poll::Ready(Ok(Err(refusal))) => {
                        return Poll::Ready(Decided::Refuse(refusal));
                    }
                    Poll::Ready(Err(TakesLong)) => {
                        // The ready one is dropped for a clone that is not.
                        let service = service.clone();
                        *self = Self::Held { asking, service };
                    }
                    Poll::Pending => {
                        *self = Self::Asking { asking, service };
                        return Poll::Pending;
                    }
                },
                Self::Held { mut asking, service } => match asking.as_mut().poll_answer(cx) {
                    Poll::Ready(Ok(answer)) => *self = Self::Readying { answer, service },
                    Poll::Ready(Err(refusal)) => return Poll::Ready(Decided::Refuse(refusal)),
                    Poll::Pending => {
                        *self = Self::Held { asking, service };
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
