//! The end of a call over HTTP: at the head, where nothing follows it, else with the body.

use agenttrust::{Outcome, Permit};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Request, Response, StatusCode};

use super::body::{FollowBody, Following};
use crate::judge::Judge;

/// The context of denials over HTTP: the facts about a request that its answer needs.
#[derive(Clone, Copy, Debug)]
pub struct HttpContext {
    /// Whether the answer has a body that anybody reads.
    bodiless: bool,
    /// Whether the connection ends with a denial.
    pub(super) closes: bool,
}

impl HttpContext {
    pub(crate) fn from_request<B>(request: &Request<B>) -> Self {
        let bodiless = matches!(*request.method(), Method::HEAD | Method::CONNECT);
        Self { bodiless, closes: false }
    }

    /// Returns the same, of a request whose connection ends with its denial, or does not.
    pub(super) fn closing(self, closes: bool) -> Self {
        Self { closes, ..self }
    }
}

/// Leaves a permit's handle in the request, for the handler that is about to answer it.
pub(crate) fn hand_over<B>(request: &mut Request<B>, permit: &mut Permit) {
    request.extensions_mut().insert(permit.handle());
}

/// Gives the permit to the answer: its body takes it along, or the head is all there is.
pub(crate) fn finish<B: FollowBody, E>(
    result: Result<Response<B>, E>,
    permit: Permit,
    asked: HttpContext,
    judge: impl FnOnce(&Response<B>) -> Judge,
) -> Result<Response<B>, E> {
    let response = match result {
        Ok(response) => response,
        Err(_) => {
            permit.finish(&result);
            return result;
        }
    };
    let judge = judge(&response);
    // Whoever sends these drops their body unread, or should: to wait for its end would report a
    // cancelled call.
    if asked.bodiless || is_bodiless(response.status()) {
        permit.finish_with(judge.outcome());
        return Ok(response);
    }
    let expected = content_length(response.headers());
    Ok(response.map(|body| body.follow(Following::new(permit, judge, expected))))
}

/// Returns the outcome by the status alone.
pub(crate) fn by_status<B>(response: &Response<B>) -> Judge {
    Judge::Known(response.outcome())
}

fn is_bodiless(status: StatusCode) -> bool {
    status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
