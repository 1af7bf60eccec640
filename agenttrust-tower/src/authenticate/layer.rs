//! The layer: whom to ask, and what a token has to be good for here.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use agenttrust::AgentTrustClient;
use tower::Layer;

use super::refusal::Challenge;
use super::service::Authenticate;
use super::tokens::{CACHED_MOST, Tokens};
use crate::http::StringBody;

/// Makes the agent behind a request's token known: `Authorization: Bearer at_…` becomes an
/// [`AgentIdentity`](agenttrust::AgentIdentity) in the request's extensions, and the guards of this crate
/// for HTTP, gRPC and MCP, inside of this one, check as that agent, in a session of that token. An
/// extractor of your own says so itself, with
/// [`principal_in`](agenttrust::Action::principal_in); a guard made by
/// [`gateway`](agenttrust::AgentTrustGuard::gateway) makes sure that nothing is asked as the server.
///
/// ```
/// use agenttrust::{AgentTrustClient, AgentTrustGuard};
/// use agenttrust_tower::{AuthenticateLayer, GuardLayer};
/// use axum::{Router, routing::get};
///
/// # fn app(client: AgentTrustClient) -> Router {
/// // A client whose key has the role `gateway`: it may ask for every agent whose token it was shown.
/// let guard = AgentTrustGuard::gateway(client.clone()).build();
/// Router::new()
///     .route("/files/{name}", get(|| async { "the text" }))
///     .layer(GuardLayer::http(guard))
///     // Added last, so it runs first.
///     .layer(AuthenticateLayer::new(client).required_scopes(["files:read"]).audience("files"))
/// # }
/// ```
///
/// The token is looked into by the Guardian (introspection, SDK guide section 4) and exchanged for an
/// API session. It goes no further: the header is taken off the request, so that no server behind this
/// one is shown it.
///
/// # Answers
///
/// As an RFC 9457 problem, with `WWW-Authenticate` as RFC 6750 has it:
///
/// | what happened | status | `error` |
/// |---|---|---|
/// | no bearer token | 401 | none |
/// | it expired, was revoked, is for another audience or never was | 401 | `invalid_token` |
/// | more than one `Authorization` header | 400 | `invalid_request` |
/// | it lacks one of the [`required_scopes`](Self::required_scopes) | 403 | `insufficient_scope` |
/// | the Guardian did not answer | 503 | |
/// | the Guardian turned this server away | 500 | |
///
/// # What is remembered
///
/// Whose a token is, for at most 30 seconds and never past its expiry; that one does not work, for 2
/// seconds. A revoked token therefore stops working within that time, and with
/// [`follow_revocations`](Self::follow_revocations) at once. (Every call is also checked in the token's
/// session, which the Guardian ends with the token, so a guarded call stops at once either way.) However
/// many requests come with one token, it is asked about once at a time. No token is kept, only its
/// SHA-256; at most 4,096 good and 1,024 bad ones are known, and 256 are looked into at a time.
///
/// # Readiness
///
/// As for [`GuardLayer`](crate::GuardLayer): see the [crate documentation](crate).
#[derive(Clone)]
pub struct AuthenticateLayer<M = StringBody> {
    client: AgentTrustClient,
    audience: Option<String>,
    required: Vec<String>,
    cached_for: Duration,
    follow_revocations: bool,
    realm: String,
    resource_metadata: Option<String>,
    body: M,
    /// What services of this layer know together: a router makes one for each of its routes.
    shared: Arc<OnceLock<(Arc<Tokens>, Arc<Challenge>)>>,
}

impl AuthenticateLayer {
    /// Asks the Guardian behind `client`, whose key has the role `gateway`; any token that works will
    /// do.
    pub fn new(client: AgentTrustClient) -> Self {
        Self {
            client,
            audience: None,
            required: Vec::new(),
            cached_for: CACHED_MOST,
            follow_revocations: false,
            realm: "agents".to_owned(),
            resource_metadata: None,
            body: StringBody,
            shared: Arc::default(),
        }
    }
}

impl<M> AuthenticateLayer<M> {
    /// Scopes that a token has to carry; one that carries `files:*` carries `files:read`.
    pub fn required_scopes<S: Into<String>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.changed(|layer| layer.required.extend(scopes.into_iter().map(Into::into)))
    }

    /// What a token has to be for. One that was issued for no audience in particular is for any.
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.changed(|layer| layer.audience = Some(audience.into()))
    }

    /// How long it is remembered whose a token is: at most 30 seconds, which it is by default.
    pub fn cached_for(self, cached_for: Duration) -> Self {
        self.changed(|layer| layer.cached_for = cached_for.min(CACHED_MOST))
    }

    /// Follows the Guardian's stream of revocations, so that nothing is remembered of a token or an agent
    /// that was revoked.
    ///
    /// While the stream is down, whatever was remembered before is forgotten once and then remembered as
    /// without it. A gateway that has no such stream is asked again every now and then.
    pub fn follow_revocations(self) -> Self {
        self.changed(|layer| layer.follow_revocations = true)
    }

    /// The realm in `WWW-Authenticate`: `agents` by default.
    pub fn realm(self, realm: impl Into<String>) -> Self {
        self.changed(|layer| layer.realm = realm.into())
    }

    /// Where it is described how to get a token (RFC 9728), as MCP's authorization has it; named in
    /// `WWW-Authenticate`.
    pub fn resource_metadata(self, url: impl Into<String>) -> Self {
        self.changed(|layer| layer.resource_metadata = Some(url.into()))
    }

    fn changed(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        // Services that were made before keep to what was said then.
        self.shared = Arc::default();
        self
    }

    fn start(&self) -> (Arc<Tokens>, Arc<Challenge>) {
        let challenge =
            Challenge::new(&self.realm, self.resource_metadata.as_deref(), &self.required);
        let tokens = Arc::new(Tokens::new(
            self.client.clone(),
            self.audience.clone(),
            self.required.clone(),
            self.cached_for,
        ));
        if self.follow_revocations {
            tokens.follow_revocations();
        }
        (tokens, Arc::new(challenge))
    }

    /// Makes the bodies of refusals with `make`, for body types that are not `From<String>`.
    pub fn body_with<F>(self, make: F) -> AuthenticateLayer<F> {
        AuthenticateLayer {
            client: self.client,
            audience: self.audience,
            required: self.required,
            cached_for: self.cached_for,
            follow_revocations: self.follow_revocations,
            realm: self.realm,
            resource_metadata: self.resource_metadata,
            body: make,
            shared: Arc::default(),
        }
    }
}

impl<S, M: Clone> Layer<S> for AuthenticateLayer<M> {
    type Service = Authenticate<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        let (tokens, challenge) = self.shared.get_or_init(|| self.start());
        Authenticate {
            inner,
            tokens: Arc::clone(tokens),
            challenge: Arc::clone(challenge),
            body: self.body.clone(),
        }
    }
}

impl<M> fmt::Debug for AuthenticateLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticateLayer")
            .field("client", &self.client)
            .field("audience", &self.audience)
            .field("required", &self.required)
            .field("cached_for", &self.cached_for)
            .field("follow_revocations", &self.follow_revocations)
            .finish_non_exhaustive()
    }
}
