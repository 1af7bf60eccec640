//! What axum's router left in a request: the route it matched and the parameters it found there.

use std::borrow::Cow;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, MatchedPath, OriginalUri, RawPathParams};
use http::Request;
use serde_json::map::Entry;
use serde_json::{Map, Value};

pub(super) fn template<B>(request: &Request<B>) -> Option<&str> {
    let matched = request.extensions().get::<MatchedPath>()?;
    Some(matched.as_str())
}

pub(super) fn original_path<B>(request: &Request<B>) -> Option<&str> {
    let original = request.extensions().get::<OriginalUri>()?;
    Some(original.0.path())
}

/// Returns the path parameters, decoded as the handler will see them; none where no router found
/// any.
pub(super) fn parameters<B>(
    request: &Request<B>,
) -> Result<Option<Map<String, Value>>, Cow<'static, str>> {
    // Every axum router leaves it; without one there is nothing to look for.
    if request.extensions().get::<OriginalUri>().is_none() {
        return Ok(None);
    }
    let parameters = match raw_parameters(request) {
        Poll::Ready(Ok(parameters)) => by_name(&parameters),
        Poll::Ready(Err(RawPathParamsRejection::MissingPathParams(_))) => return Ok(None),
        Poll::Ready(Err(rejection)) => return Err(rejection.body_text().into()),
        // It awaits nothing; should it ever, what it has not read is refused.
        Poll::Pending => return Err("the path parameters of the request cannot be read".into()),
    };
    Ok((!parameters.is_empty()).then_some(parameters))
}

/// Returns a value by its name; all of them where nested routes have several of one name.
fn by_name(parameters: &RawPathParams) -> Map<String, Value> {
    let mut named = Map::new();
    for (name, value) in parameters {
        match named.entry(name) {
            Entry::Vacant(place) => {
                place.insert(value.into());
            }
            Entry::Occupied(mut taken) => match taken.get_mut() {
                Value::Array(values) => values.push(value.into()),
                first => *first = Value::Array(vec![first.take(), value.into()]),
            },
        }
    }
    named
}

/// Returns the raw path parameters. axum hands them out to extractors only, and an extractor takes
/// the whole head: it gets one with the same extensions and nothing else.
fn raw_parameters<B>(request: &Request<B>) -> Poll<Result<RawPathParams, RawPathParamsRejection>> {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.extensions = request.extensions().clone();
    pin!(RawPathParams::from_request_parts(&mut parts, &()))
        .poll(&mut Context::from_waker(Waker::noop()))
}
