//! One document of an issuer, read by the one client for calls that leave.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

use super::{DOCUMENT_MAX_BYTES, ISSUER_READ_TIMEOUT};
use crate::outbound::{Error, Outbound, Outgoing};

/// The type that is asked for.
const JSON: HeaderValue = HeaderValue::from_static("application/json, application/jwk-set+json");

/// The reason why a document of an issuer could not be read: the end of a sentence that names it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unread(Arc<str>);

impl Unread {
    pub(crate) fn new(why: impl AsRef<str>) -> Self {
        Self(why.as_ref().into())
    }
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::new(error.to_string())
    }
}

/// Returns the document at this URL.
///
/// # Errors
///
/// Unread where the URL may not be called, and where there is no answer, or one that is too long, too slow or no
/// success.
pub(super) async fn document(outbound: &Outbound, url: &str) -> Result<Bytes, Unread> {
    let begun = Instant::now();
    let target = outbound.target(url)?;
    let asked = Outgoing {
        method: Method::GET,
        target,
        headers: HeaderMap::from_iter([(ACCEPT, JSON)]),
        body: Bytes::new(),
        first_byte_within: ISSUER_READ_TIMEOUT,
    };
    let answer = outbound.send(asked).await?;
    if answer.status != StatusCode::OK {
        return Err(Unread::new(format!("it was answered {}", answer.status)));
    }
    let left = ISSUER_READ_TIMEOUT.saturating_sub(begun.elapsed());
    Ok(answer.whole(DOCUMENT_MAX_BYTES, left).await?)
}
