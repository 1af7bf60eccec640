//! A place for every request with a key that works, before anything is done for it. What a caller has no
//! place for is answered 429 or 503 at once, never left waiting.
//!
//! The place belongs to the work: this middleware is inside of `finish`, so it goes along when a request is
//! finished after its caller hung up.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::App;
use super::auth::{Identified, identify};
use crate::domain::Error;
use crate::domain::Key;
use crate::domain::limits::{Full, Limits, Share, Shares};

/// The mark of a request from the program that the Guardian is embedded in. What it has under way is its own affair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InProcess;

/// The class of a request, by which the limits on what is under way apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// A request that needs no place: it is small, without a key, or not there at all.
    Open,
    /// A request that takes something back, or tells how things are. It is answered while others flood.
    TakingBack,
    Ordinary,
}

impl Class {
    fn from_request(request: &Request) -> Self {
        let Some(path) = request.extensions().get::<MatchedPath>() else { return Self::Open };
        // A program may have nested the router: then its prefix stands in front.
        let is_one_of = |routes: &[&str]| routes.iter().any(|route| path.as_str().ends_with(route));
        let takes_back = match *request.method() {
            Method::POST => is_one_of(&[
                "/api/v1/agents/{id}/revoke",
                "/api/v1/agents/{id}/suspend",
                "/api/v1/agent-tokens/revoke",
                "/api/v1/agent-tokens/{id}/revoke",
                "/api/v1/federation/tokens/revoke",
                "/api/v1/sessions/{id}/revoke",
            ]),
            Method::DELETE => is_one_of(&[
                "/api/v1/keys/{id}",
                "/api/v1/delegations/{id}",
                "/api/v1/federation/providers/{id}",
                "/api/v1/agents/{id}/card/publish",
            ]),
            _ => false,
        };
        if is_one_of(&[
            "/health",
            "/openapi.json",
            "/.well-known/oauth-protected-resource/mcp/{server_id}",
            "/.well-known/oauth-protected-resource/a2a/agents/{id}",
            "/a2a/agents/{id}/agent.json",
            "/a2a/agents/{id}/.well-known/agent-card.json",
            "/.well-known/jwks.json",
            "/.well-known/authzen-configuration",
        ]) {
            Self::Open
        } else if takes_back || is_one_of(&["/metrics"]) {
            Self::TakingBack
        } else {
            Self::Ordinary
        }
    }
}

/// Returns the middleware.
pub(super) async fn admit(engine: App, mut request: Request, next: Next) -> Response {
    let class = Class::from_request(&request);
    if class == Class::Open {
        return next.run(request).await;
    }
    let identified = identify(&engine, request.headers()).await;
    // Without a key that works it is refused by its handler, which reads no body before.
    let admission = match &identified {
        Ok((key, _)) if request.extensions().get::<InProcess>().is_none() => {
            match Admission::new(&engine.limits, key, class) {
                Ok(admission) => Some(Arc::new(admission)),
                Err(full) => return Error::from(full).into_response(),
            }
        }
        _ => None,
    };
    request.extensions_mut().insert(Identified(identified));
    if let Some(admission) = &admission {
        request.extensions_mut().insert(Arc::clone(admission));
    }
    let response = next.run(request).await;
    drop(admission);
    response
}

/// The place of one request, and what it holds beside.
#[derive(Debug)]
pub(super) struct Admission {
    key: Arc<Key>,
    waiting: Arc<Shares>,
    bytes_of: Arc<Shares>,
    place: Mutex<Option<Share>>,
    bytes: Mutex<Option<Share>>,
}

impl Admission {
    /// Returns the place of an ordinary request that is made for this key, and not with it.
    pub(super) fn of_ordinary(limits: &Limits, key: &Arc<Key>) -> Result<Self, Full> {
        Self::new(limits, key, Class::Ordinary)
    }

    fn new(limits: &Limits, key: &Arc<Key>, class: Class) -> Result<Self, Full> {
        let (places, bytes) = match class {
            Class::TakingBack => (&limits.taking_back, &limits.bytes_taking_back),
            Class::Open | Class::Ordinary => (&limits.requests, &limits.bytes),
        };
        Ok(Self {
            key: Arc::clone(key),
            waiting: Arc::clone(&limits.waiting),
            bytes_of: Arc::clone(bytes),
            place: Mutex::new(Some(places.take(key, 1)?)),
            bytes: Mutex::new(None),
        })
    }

    /// Takes so many more bytes of a body, until the request is done: what is read lives on in what it is
    /// read into.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), Error> {
        let mut held = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *held {
            Some(share) => share.grow(bytes)?,
            None => *held = Some(self.bytes_of.take(&self.key, bytes)?),
        }
        Ok(())
    }
}

/// The place of the request, where it has one.
#[derive(Debug)]
pub(super) struct Place(Option<Arc<Admission>>);

impl Place {
    /// Exchanges the place among the requests for one among the requests that wait. It is given back with the answer.
    pub(super) fn wait(&self) -> Result<Option<Share>, Error> {
        let Some(admission) = &self.0 else { return Ok(None) };
        let share = admission.waiting.take(&admission.key, 1)?;
        *admission.place.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(Some(share))
    }

    /// Takes the place from the request: it is held for as long as this is, also after the answer.
    pub(super) fn take(&self) -> Option<Arc<Share>> {
        let admission = self.0.as_ref()?;
        let share = admission.place.lock().unwrap_or_else(PoisonError::into_inner).take();
        share.map(Arc::new)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Place {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Arc<Admission>>().cloned()))
    }
}
