//! The layer: whom to ask, and what a token has to be good for here.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use agenttrust::AgentTrustClient;
use tower::Layer;

use super::introspector::{CACHED_MOST, TokenIntrospector};
use super::refusal::Challenge;
use super::requirements::TokenRequirements;
use super::service::Authenticate;
use super::tokens::Tokens;
use crate::http::StringBody;

/// The time that finding out about a token may take by default.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A layer that makes the agent behind a request's token known: `Authorization: Bearer at_…` becomes an
/// [`AgentIdentity`](agenttrust::AgentIdentity) in the request's extensions, and the guards of this crate for HTTP,
/// gRPC and MCP, inside of this one, check as that agent, in a session of that token. An extractor of your own says so
/// itself, with [`principal_in`](agenttrust::Action::principal_in); a guard made by
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
/// With a [`public_url`](Self::public_url), the layer also accepts workload tokens that are bound to their agent's key,
/// each with a proof that the sender has that key.
///
/// # Answers
///
/// As an RFC 9457 problem, with `WWW-Authenticate` as RFC 6750 has it:
///
/// | what happened | status | `error` |
/// |---|---|---|
/// | no bearer token | 401 | none |
/// | it expired, was revoked, is for another audience or never was | 401 | `invalid_token` |
/// | it is bound to a key and came as bearer token, or where none is taken that is | 401 | `invalid_token` |
/// | its proof is missing, is not good or was used before | 401 | `invalid_dpop_proof` |
/// | more than one `Authorization` header | 400 | `invalid_request` |
/// | it lacks one of the [`required_scopes`](Self::required_scopes) | 403 | `insufficient_scope` |
/// | the Guardian did not answer in [time](Self::timeout), or not a moment ago | 503 | |
/// | what was said of the token may not hold any more, or more of them or of proofs come than can be looked into | 503 | |
/// | the Guardian turned this server away | 500 | |
/// | the layer is set up so that it can let no agent in | 500 | |
///
/// The last is for an empty [`audience`](Self::audience), for a public URL that this server cannot be called by,
/// for a required scope that no token can carry, and for a request that a guard has already permitted: a
/// [`GuardLayer`](crate::GuardLayer) outside of this layer did not ask for the agent of the token. A line at `ERROR`
/// says what to mend, once.
///
/// After a question without an answer, tokens that have to be asked about are turned away for half a second, and for up
/// to 5 seconds where the trial after it goes the same way. Who is known is let in meanwhile.
///
/// A body that was not read for that is read away as for [`HttpDeny`](crate::http::HttpDeny).
///
/// # Browsers
///
/// Before a page calls another origin with a token, its browser asks whether it may: a preflight, which carries no
/// token and no body. The layer lets one pass ([`is_preflight`](crate::http::is_preflight)) unless that is switched off
/// ([`preflights`](Self::preflights)), without an agent in its extensions, so that whatever inside answers preflights
/// can. **Anyone can send one**: a handler that runs for `OPTIONS` (axum's `any`) has to see that an agent is known,
/// and a [`GuardLayer::http`](crate::GuardLayer::http) inside refuses preflights unless it leaves them out.
///
/// With tower-http, put its `CorsLayer` outside of both: it answers preflights before they get here, and has the page
/// read what the layers refuse as well.
///
/// ```
/// use agenttrust::{AgentTrustClient, AgentTrustGuard};
/// use agenttrust_tower::{AuthenticateLayer, GuardLayer};
/// use axum::{Router, routing::get};
/// use http::{Method, header};
/// use tower_http::cors::CorsLayer;
///
/// # fn app(client: AgentTrustClient) -> Result<Router, Box<dyn std::error::Error>> {
/// let cors = CorsLayer::new()
///     .allow_origin(["https://page.example".parse::<http::HeaderValue>()?])
///     .allow_methods([Method::GET])
///     .allow_headers([header::AUTHORIZATION])
///     .expose_headers([header::WWW_AUTHENTICATE]);
/// let app = Router::new()
///     .route("/files/{name}", get(|| async { "the text" }))
///     .layer(GuardLayer::http(AgentTrustGuard::gateway(client.clone()).build()))
///     .layer(AuthenticateLayer::new(client))
///     // Added last, so it runs first.
///     .layer(cors);
/// # Ok(app)
/// # }
/// ```
///
/// # What is remembered
///
/// Whose a token is, for at most 30 seconds and never past its expiry; that one does not work, for 2
/// seconds. A revoked token therefore stops working within that time, and with
/// [`follow_revocations`](Self::follow_revocations) at once. (Every call is also checked in the token's
/// session, which the Guardian ends with the token, so a guarded call stops at once either way.) A
/// request that has to wait, for the answer or for the service inside, is let in by no answer that was
/// taken back meanwhile or is older than 30 seconds.
///
/// However many requests come with one token, it is asked about once at a time, and in one session for as long as it is
/// known: where an operator revokes that session by its id, guarded calls with this token are denied here until the
/// agent comes with another one. No token is kept, only its SHA-256; at most 4,096 good and 1,024 bad ones are known,
/// 256 of them of one agent, and 256 that are not known are looked into at a time: one that worked before is asked
/// about however many made-up ones there are.
///
/// # Readiness
///
/// As for [`GuardLayer`](crate::GuardLayer): see the [crate documentation](crate).
#[derive(Clone)]
pub struct AuthenticateLayer<M = StringBody> {
    client: AgentTrustClient,
    requirements: TokenRequirements,
    cache_ttl: Duration,
    timeout: Duration,
    follow_revocations: bool,
    preflights: bool,
    realm: String,
    resource_metadata: Option<String>,
    body: M,
    /// The tokens and the challenge that services of this layer share: a router makes a service for each of its routes.
    shared: Arc<OnceLock<(Arc<Tokens>, Arc<Challenge>)>>,
}

impl AuthenticateLayer {
    /// Asks the Guardian behind `client`, whose key has the role `gateway`; any token that works will
    /// do.
    pub fn new(client: AgentTrustClient) -> Self {
        Self {
            client,
            requirements: TokenRequirements::default(),
            cache_ttl: CACHED_MOST,
            timeout: TIMEOUT,
            follow_revocations: false,
            preflights: true,
            realm: "agents".to_owned(),
            resource_metadata: None,
            body: StringBody,
            shared: Arc::default(),
        }
    }
}

impl<M> AuthenticateLayer<M> {
    /// Adds scopes that a token has to carry; one that carries `files:*` carries `files:read`. With a text that is not
    /// a scope (empty, or with a `*` in the middle) no agent is let in, and the log says so.
    pub fn required_scopes<S: Into<String>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.changed(|layer| layer.requirements.scopes.extend(scopes.into_iter().map(Into::into)))
    }

    /// Sets what a token has to be for. One that was issued for no audience in particular is for any.
    ///
    /// By default, a token with an audience is accepted only where the audience names the gateway that the client's key
    /// belongs to.
    ///
    /// With an empty audience no agent is let in, and the log says so: it is a setting that was forgotten.
    pub fn audience(self, audience: impl Into<String>) -> Self {
        self.changed(|layer| layer.requirements.audience = Some(audience.into()))
    }

    /// Sets a URL that this server is called by, without the path of a request: it may be said several times. Tokens
    /// that are bound to a key are taken from then on, as `Authorization: DPoP` with a proof in the header `DPoP` (RFC
    /// 9449): a proof is for the URL that its caller used, which only you know where a proxy stands in between.
    ///
    /// The Guardian looks at the first proof of a token, and the layer at each one itself: that it is made with the key
    /// of the token, for this method and URL and for this token, within 60 seconds, and used once. It remembers 262,144
    /// of them for two minutes, 65,536 of one key, and takes none that it could not remember. Several servers do not
    /// know of each other's: a proof that was stolen on its way could be used at another one of the same URL meanwhile.
    ///
    /// ```
    /// use agenttrust::AgentTrustClient;
    /// use agenttrust_tower::AuthenticateLayer;
    ///
    /// # fn layer(client: AgentTrustClient) -> AuthenticateLayer {
    /// AuthenticateLayer::new(client).audience("files").public_url("https://files.example.com")
    /// # }
    /// ```
    pub fn public_url(self, url: impl Into<String>) -> Self {
        self.changed(|layer| layer.requirements.public_urls.push(url.into()))
    }

    /// Sets how long it is remembered whose a token is: at most 30 seconds, which it is by default.
    pub fn cache_ttl(self, cache_ttl: Duration) -> Self {
        self.changed(|layer| layer.cache_ttl = cache_ttl.min(CACHED_MOST))
    }

    /// Sets how long finding out about a token may take, its session included: 5 seconds by default.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.changed(|layer| layer.timeout = timeout)
    }

    /// Sets whether the Guardian's stream of revocations is followed, so that nothing is remembered of a token or
    /// an agent that was revoked; it is not by default.
    ///
    /// While the stream is down, whatever was remembered before is forgotten once and then remembered as
    /// without it. A gateway that has no such stream is asked again every now and then. Our Guardian
    /// holds four streams open for one key: a layer takes one, so give each server a key of its own.
    pub fn follow_revocations(self, follow: bool) -> Self {
        self.changed(|layer| layer.follow_revocations = follow)
    }

    /// Sets whether preflights pass without a token, which they do by default: see [Browsers](Self#browsers).
    pub fn preflights(self, pass: bool) -> Self {
        self.changed(|layer| layer.preflights = pass)
    }

    /// Sets the realm in `WWW-Authenticate`: `agents` by default. Quotes, backslashes and whatever is not
    /// printable ASCII are left out of it.
    pub fn realm(self, realm: impl Into<String>) -> Self {
        self.changed(|layer| layer.realm = realm.into())
    }

    /// Sets where it is described how to get a token (RFC 9728), as MCP's authorization has it; named in
    /// `WWW-Authenticate`. Give it as a URL is written, percent-encoded: quotes, backslashes and whatever
    /// is not printable ASCII are left out of it.
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
            Challenge::new(&self.realm, self.resource_metadata.as_deref(), &self.requirements);
        let introspector = TokenIntrospector {
            client: self.client.clone(),
            requirements: self.requirements.clone(),
            cache_ttl: self.cache_ttl,
        };
        let tokens = Arc::new(Tokens::new(introspector, self.timeout));
        if self.follow_revocations {
            tokens.follow_revocations();
        }
        (tokens, Arc::new(challenge))
    }

    /// Makes the bodies of refusals with `make`, for body types that are not `From<String>`.
    pub fn body_with<F>(self, make: F) -> AuthenticateLayer<F> {
        AuthenticateLayer {
            client: self.client,
            requirements: self.requirements,
            cache_ttl: self.cache_ttl,
            timeout: self.timeout,
            follow_revocations: self.follow_revocations,
            preflights: self.preflights,
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
            preflights: self.preflights,
            body: self.body.clone(),
        }
    }
}

impl<M> fmt::Debug for AuthenticateLayer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthenticateLayer")
            .field("client", &self.client)
            .field("audience", &self.requirements.audience)
            .field("required", &self.requirements.scopes)
            .field("cache_ttl", &self.cache_ttl)
            .field("timeout", &self.timeout)
            .field("follow_revocations", &self.follow_revocations)
            .field("preflights", &self.preflights)
            .finish_non_exhaustive()
    }
}
