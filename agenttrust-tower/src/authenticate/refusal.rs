//! Why a request is not let in, and how it is told (RFC 6750, section 3).

use agenttrust::AgentTrustError;
use agenttrust::DenialResponse;
use agenttrust::background::Elapsed;
use agenttrust::internal::Miss;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Response};

/// Why there is no agent for a request.
#[derive(Clone, Debug)]
pub(super) enum Refusal {
    /// No credentials of this kind: the caller may not know that any are needed.
    Missing,
    /// Credentials in a form that is not the RFC's.
    Malformed(&'static str),
    /// The token does not work: it expired, was revoked, is for somebody else or never was.
    Inactive,
    /// The token works and does not carry this scope.
    OutOfScope(String),
    /// The Guardian gave no answer, for this reason.
    Away(DenialResponse, Miss),
    /// The Guardian could not be asked, or turned this server away.
    Guardian(DenialResponse),
}

impl Refusal {
    /// So many tokens are being looked into that this one has to wait.
    pub(super) fn busy() -> Self {
        let detail =
            "more tokens are being looked into than this server can at a time; try again later";
        Self::Guardian(DenialResponse::busy(detail))
    }

    /// The Guardian did not answer a moment ago, and is not asked for another one.
    pub(super) fn away() -> Self {
        let detail = "the Guardian that knows the token of the request did not answer a moment ago; \
                      try again later";
        Self::Guardian(DenialResponse::busy(detail))
    }

    /// What was said of the token may not hold any more.
    pub(super) fn stale() -> Self {
        let detail = "what was known of the token of the request was taken back while the request \
                      waited; try again";
        Self::Guardian(DenialResponse::busy(detail))
    }

    /// Asking came to no answer, as the log says.
    pub(super) fn lost() -> Self {
        let detail = "the token of the request could not be looked into; try again later";
        Self::Guardian(DenialResponse::busy(detail))
    }

    /// This server is set up so that nobody can be let in, as the log says.
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

    /// The response; `challenge` is what every challenge begins with.
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
        }
        response
    }
}

/// The words are ours and hold no quote.
fn error(code: &str, description: &str) -> String {
    format!("error=\"{code}\", error_description=\"{description}\"")
}

/// How callers are asked for a token.
#[derive(Clone, Debug)]
pub(super) struct Challenge {
    /// `Bearer realm="…"`, and where to learn how to get a token.
    base: String,
    /// What a token has to carry.
    scope: String,
}

impl Challenge {
    pub(super) fn new(realm: &str, resource_metadata: Option<&str>, scopes: &[String]) -> Self {
        let mut base = format!("Bearer realm=\"{}\"", plain(realm));
        if let Some(url) = resource_metadata {
            base.push_str(&format!(", resource_metadata=\"{}\"", plain(url)));
        }
        let scopes: Vec<String> = scopes.iter().map(|scope| plain(scope)).collect();
        Self { base, scope: scopes.join(" ") }
    }

    fn with(&self, error: &str) -> HeaderValue {
        let separator = if error.is_empty() { "" } else { ", " };
        HeaderValue::try_from(format!("{}{separator}{error}", self.base))
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
    }
}

/// Text that may stand between quotes in a header.
fn plain(text: &str) -> String {
    let allowed = |letter: &char| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\');
    text.chars().filter(allowed).collect()
}
