//! Why a request is not let in, and how it is told (RFC 6750, section 3).

use agenttrust::AgentTrustError;
use agenttrust::DenialResponse;
use agenttrust::background::Elapsed;
use agenttrust::internal::Miss;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Response, StatusCode};

use super::requirements::TokenRequirements;

/// The reason why there is no agent for a request.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// No credentials of this kind: the caller may not know that any are needed.
    Missing,
    /// Credentials in a form that is not the RFC's.
    Malformed(&'static str),
    /// The token does not work: it expired, was revoked, is for another audience or never was.
    Inactive,
    /// The token is bound to a key, or was said to be, and does not work as it came: the error of the RFC, and what is
    /// wrong.
    Bound(&'static str, String),
    /// The token works and does not carry this scope.
    OutOfScope(String),
    /// The Guardian gave no answer, for this reason.
    Away(DenialResponse, Miss),
    /// The Guardian could not be asked, or turned this server away.
    Guardian(DenialResponse),
}

impl Refusal {
    /// Returns the token, which is bound to a key or was said to be, does not work as it came.
    pub(super) fn bound(detail: impl Into<String>) -> Self {
        Self::Bound("invalid_token", detail.into())
    }

    /// Returns the proof that came with the token is not good.
    pub(super) fn proof(detail: String) -> Self {
        Self::Bound("invalid_dpop_proof", detail)
    }

    /// Returns the same, of a token that is bound to a key.
    pub(super) fn of_bound(self) -> Self {
        match self {
            Self::Inactive => Self::bound(
                "the token of the request or its proof does not work here; make a new proof, or have a token issued",
            ),
            other => other,
        }
    }

    /// Refuses a request because so many proofs are remembered that this one cannot be.
    pub(super) fn too_many_proofs() -> Self {
        let detail = "more proofs came than this server can remember at a time; try again later";
        Self::Guardian(DenialResponse::busy(detail))
    }

    /// Refuses a request because so many tokens are being looked into that this one has to wait.
    pub(super) fn busy() -> Self {
        let detail =
            "more tokens are being looked into than this server can at a time; try again later";
        Self::Guardian(DenialResponse::busy(detail))
    }

    /// Refuses a request because the Guardian did not answer a moment ago, and is not asked about another token.
    pub(super) fn away() -> Self {
        let detail = "the Guardian that knows the token of the request did not answer a moment ago; \
                      try again later";
        Self::Guardian(DenialResponse::busy(detail))
    }

    /// Returns what was said of the token may not hold any more.
    pub(super) fn stale() -> Self {
        let detail = "what was known of the token of the request was taken back while the request \
                      waited; try again";
        Self::Guardian(DenialResponse::busy(detail))
    }

    /// Refuses a request because asking came to no answer, as the log says.
    pub(super) fn lost() -> Self {
        let detail = "the token of the request could not be looked into; try again later";
        Self::Guardian(DenialResponse::busy(detail))
    }

    /// Refuses every request, because this server is set up so that no agent can be let in, as the log says.
    pub(super) fn out_of_order() -> Self {
        let detail = "this server is not set up to tell whose a request is; \
                      the call was not made, tell its operator";
        Self::Guardian(DenialResponse::set_up_wrong(detail))
    }

    pub(super) fn late(elapsed: &Elapsed) -> Self {
        let message = format!("the Guardian was asked about a token and gave {elapsed}");
        Self::Away(
            DenialResponse::from_error(AgentTrustError::GuardianUnavailable { message }),
            Miss::Slow,
        )
    }

    pub(super) fn from_error(error: AgentTrustError) -> Self {
        // One that is slow is given a pause as well as one that is not there.
        let miss = match &error {
            AgentTrustError::Network(error) => Some(Miss::from_error(error)),
            _ => None,
        };
        let problem = DenialResponse::from_error(error);
        match miss {
            Some(miss) => Self::Away(problem, miss),
            None => Self::Guardian(problem),
        }
    }

    /// Returns the response; `challenge` is what every challenge begins with.
    pub(super) fn into_response<B>(
        self,
        challenge: &Challenge,
        make_body: impl FnOnce(String) -> B,
    ) -> Response<B> {
        let (problem, challenged) = match self {
            Self::Missing => {
                let detail =
                    "the request carries no token; send one as `Authorization: Bearer at_...`";
                (DenialResponse::unauthenticated(detail), Some(String::new()))
            }
            Self::Malformed(detail) => {
                (DenialResponse::refused(detail), Some(error("invalid_request", detail)))
            }
            Self::Inactive => {
                let detail = "the token of the request does not work here; have one issued";
                (DenialResponse::unauthenticated(detail), Some(error("invalid_token", detail)))
            }
            Self::Bound(code, detail) => {
                let mut response = DenialResponse::unauthenticated(detail)
                    .into_response(DenialResponse::RETRY_AFTER, make_body);
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge.of_bound(Some(code)));
                return response;
            }
            Self::OutOfScope(scope) => {
                let detail = format!("the token of the request does not carry scope {scope:?}");
                let error = error("insufficient_scope", "the token does not carry a scope");
                (
                    DenialResponse::out_of_scope(detail),
                    Some(format!("{error}, scope=\"{}\"", challenge.scope)),
                )
            }
            Self::Away(problem, _) | Self::Guardian(problem) => (problem, None),
        };
        let mut response = problem.into_response(DenialResponse::RETRY_AFTER, make_body);
        if let Some(error) = challenged {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge.with(&error));
            if challenge.takes_bound && response.status() == StatusCode::UNAUTHORIZED {
                response.headers_mut().append(WWW_AUTHENTICATE, challenge.of_bound(None));
            }
        }
        response
    }
}

/// Returns the value of the header for an error. The words are ours and hold no quote.
fn error(code: &str, description: &str) -> String {
    format!("error=\"{code}\", error_description=\"{description}\"")
}

/// The text that asks a caller for a token.
#[derive(Clone, Debug)]
pub(super) struct Challenge {
    /// `Bearer realm="…"`, and where to learn how to get a token.
    base: String,
    /// The scopes that a token has to carry.
    scope: String,
    /// Whether tokens that are bound to a key are taken.
    takes_bound: bool,
}

impl Challenge {
    pub(super) fn new(
        realm: &str,
        resource_metadata: Option<&str>,
        requirements: &TokenRequirements,
    ) -> Self {
        let mut base = format!("Bearer realm=\"{}\"", plain(realm));
        if let Some(url) = resource_metadata {
            base.push_str(&format!(", resource_metadata=\"{}\"", plain(url)));
        }
        let scopes: Vec<String> = requirements.scopes.iter().map(|scope| plain(scope)).collect();
        let takes_bound = !requirements.public_urls.is_empty();
        Self { base, scope: scopes.join(" "), takes_bound }
    }

    /// Returns how callers are asked for a proof (RFC 9449, section 7.1).
    fn of_bound(&self, error: Option<&str>) -> HeaderValue {
        let error = error.map(|code| format!("error=\"{code}\", ")).unwrap_or_default();
        HeaderValue::try_from(format!("DPoP {error}algs=\"EdDSA\""))
            .unwrap_or_else(|_| HeaderValue::from_static("DPoP"))
    }

    fn with(&self, error: &str) -> HeaderValue {
        let separator = if error.is_empty() { "" } else { ", " };
        HeaderValue::try_from(format!("{}{separator}{error}", self.base))
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
    }
}

/// Returns text that may stand between quotes in a header.
fn plain(text: &str) -> String {
    let allowed = |letter: &char| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\');
    text.chars().filter(allowed).collect()
}
