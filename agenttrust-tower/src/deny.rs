//! How a denial reaches the caller, and how an answer is judged: what only the protocol knows.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use agenttrust::DenialResponse;
use agenttrust::{AgentTrustError, CallOutcome, Outcome, Permit};

use crate::{Unread, UnreadReason};

/// The reason why the inner service was not called.
#[derive(Debug)]
#[non_exhaustive]
pub enum Denial {
    /// The extractor refused the request: it cannot be read as an action, and no check was made.
    Refused(Cow<'static, str>),
    /// The body of the request was to be read and was not: too long, too late, broken off. No check was made. Only
    /// layers that bind bodies ([`bind_body`](crate::GuardLayer::bind_body)) deny for that.
    Unread(Unread),
    /// The guard gave no permit: denied, held for an approval, or the Guardian did not answer.
    Blocked(AgentTrustError),
}

/// The answer to the maker of the call, the same in every protocol.
impl From<Denial> for DenialResponse {
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Refused(reason) => Self::refused(reason),
            Denial::Unread(unread) => match unread.reason() {
                UnreadReason::TooLong(_) => Self::too_long(unread.to_string()),
                UnreadReason::TooLate(_) => Self::too_late(unread.to_string()),
                UnreadReason::BrokeOff | UnreadReason::NotOneMessage => {
                    Self::refused(unread.to_string())
                }
            },
            Denial::Blocked(error) => Self::from_error(error),
        }
    }
}

impl From<Denial> for AgentTrustError {
    /// Returns the error of the denial. A refusal becomes [`AgentTrustError::ActionDenied`] without a check id, since
    /// no check was made.
    fn from(denial: Denial) -> Self {
        match denial {
            Denial::Refused(reason) => unasked(reason.as_ref()),
            Denial::Unread(unread) => unasked(&unread),
            Denial::Blocked(error) => error,
        }
    }
}

fn unasked(reason: &(impl std::fmt::Display + ?Sized)) -> AgentTrustError {
    AgentTrustError::ActionDenied {
        message: format!("refused without asking the Guardian: {reason}"),
        check_id: None,
    }
}

/// Turns a denial into what the caller of the service receives, and says which answers of the
/// service are failures.
///
/// Any closure `Fn(Denial) -> Result<Res, Err>` is one. Ready ones are [`DenyAsError`] and, for HTTP,
/// [`HttpDeny`](crate::http::HttpDeny).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot turn a denial into a `Result<{Res}, {Err}>`",
    label = "no way to tell the caller of a denial",
    note = "say how with `.deny_with(|denial: Denial| ..)`; `DenyAsError` needs `{Err}: From<AgentTrustError>`, `HttpDeny` an `http::Response` whose body is `From<String>` (or `HttpDeny::new().body_with(..)`)"
)]
pub trait DenyWith<Req, Res, Err> {
    /// The facts that the answer needs from the request, which is gone by the time of the answer: the id of a JSON-RPC
    /// call, say. `()` for protocols that need nothing.
    type Context;

    /// Takes that out of the request. Called once for every request that is guarded or refused.
    fn context(&self, request: &Req) -> Self::Context;

    /// Takes leave of a request whose call is not made, before [`deny`](Self::deny) answers it.
    ///
    /// By default drops it. Over HTTP, what is still to come of a body keeps many a client from reading the answer, so
    /// that [`HttpDeny`](crate::http::HttpDeny) reads it away first.
    fn leave(&self, request: Req, context: Self::Context) -> Left<Self::Context> {
        drop(request);
        Left::Gone(context)
    }

    /// Returns the answer for a call that was not made.
    ///
    /// # Errors
    ///
    /// Answers with an error where that is how the protocol says no.
    fn deny(&self, denial: Denial, context: Self::Context) -> Result<Res, Err>;

    /// Sees every request that is permitted, just before the inner service is called: the place to leave the permit's
    /// [`handle`](Permit::handle) for the service that answers it. By default does nothing.
    fn permitted(&self, request: &mut Req, permit: &mut Permit) {
        let _ = (request, permit);
    }

    /// Hands the outcome of a call that was made to its permit, and the answer to the caller.
    ///
    /// By default at once, with what [`outcome`](Self::outcome) says. An answer that goes on, such as a
    /// streaming body, takes the permit along instead, and finishes it when it ends: see
    /// [`http::FollowBody`](crate::http::FollowBody).
    ///
    /// # Errors
    ///
    /// The error of the inner service, as it is.
    fn finish(
        &self,
        result: Result<Res, Err>,
        permit: Permit,
        context: Self::Context,
    ) -> Result<Res, Err> {
        permit.finish_with(self.outcome(&result, &context));
        result
    }

    /// Returns whether a call that was made worked, for its report.
    ///
    /// By default what [`Outcome`] says of a `Result`: an `Err` is a failure.
    fn outcome(&self, result: &Result<Res, Err>, context: &Self::Context) -> CallOutcome {
        let _ = context;
        result.outcome()
    }
}

/// A request whose call is not made, on its way out: see [`DenyWith::leave`].
pub enum Left<C> {
    /// A body of which nothing is on its way any more, with the context that its answer needs.
    Gone(C),
    /// A body of which something is on its way, for which its answer waits.
    Going(Pin<Box<dyn Future<Output = C> + Send>>),
}

impl<C> Left<C> {
    /// Returns what the answer needs, once it may be given. Polled after that, it stays pending.
    pub(crate) fn poll_gone(left: &mut Option<Self>, cx: &mut Context<'_>) -> Poll<C> {
        match left.take() {
            Some(Self::Gone(context)) => Poll::Ready(context),
            Some(Self::Going(mut going)) => {
                let polled = going.as_mut().poll(cx);
                *left = polled.is_pending().then_some(Self::Going(going));
                polled
            }
            None => Poll::Pending,
        }
    }
}

impl<C> fmt::Debug for Left<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone(_) => "Gone(..)",
            Self::Going(_) => "Going(..)",
        })
    }
}

impl<F, Req, Res, Err> DenyWith<Req, Res, Err> for F
where
    F: Fn(Denial) -> Result<Res, Err>,
{
    type Context = ();

    fn context(&self, _request: &Req) -> Self::Context {}

    fn deny(&self, denial: Denial, _context: Self::Context) -> Result<Res, Err> {
        self(denial)
    }
}

/// Denies with the service's own error: what [`GuardLayer::new`](crate::GuardLayer::new) starts with.
///
/// For services whose error can be made from an [`AgentTrustError`], which every
/// `Box<dyn Error + Send + Sync>` can:
///
/// ```
/// use agenttrust::AgentTrustError;
/// use tower::BoxError;
///
/// fn way_on(error: &BoxError) -> String {
///     match error.downcast_ref() {
///         Some(AgentTrustError::ElevationRequired { approval_id, .. }) => {
///             format!("ask for approval {approval_id}, then call again")
///         }
///         Some(denied) => denied.to_string(),
///         None => format!("the service itself failed: {error}"),
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct DenyAsError;

impl<Req, Res, Err> DenyWith<Req, Res, Err> for DenyAsError
where
    Err: From<AgentTrustError>,
{
    type Context = ();

    fn context(&self, _request: &Req) -> Self::Context {}

    fn deny(&self, denial: Denial, _context: Self::Context) -> Result<Res, Err> {
        Err(AgentTrustError::from(denial).into())
    }
}
