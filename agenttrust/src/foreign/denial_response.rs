//! A denial as the maker of the call sees it: what they may know, and what stays with the operator.

use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};

use crate::error::AgentTrustError;

/// Tells the maker of a call why it was not made: in a sentence, a code, and a status of HTTP.
///
/// What only the operator may know, such as hosts inside, is logged and left out. The layers answer by this, and so
/// can an adapter of your own:
///
/// ```
/// use agenttrust::{AgentTrustError, DenialReason, DenialResponse};
///
/// let denial = AgentTrustError::ElevationRequired {
///     message: "tool \"db_delete\" needs approval apr_1".to_owned(),
///     approval_id: "apr_1".to_owned(),
/// };
/// let response = DenialResponse::from_error(denial);
/// assert_eq!(response.reason(), DenialReason::Held);
/// assert_eq!(response.reason().code(), "ELEVATION_REQUIRED");
/// assert_eq!(response.to_data()["approval_id"], "apr_1");
/// let answer = response.into_response(DenialResponse::RETRY_AFTER, String::into_bytes);
/// assert_eq!(answer.status(), 403);
/// ```
#[derive(Clone, Debug)]
pub struct DenialResponse {
    reason: DenialReason,
    detail: String,
    /// The id of the check or of the approval, whichever the reason goes with.
    id: Option<String>,
}

/// Says why a call was not made.
///
/// | reason | [`status`](Self::status) | [`code`](Self::code) |
/// |---|---|---|
/// | `Refused` | 400 | `REQUEST_REFUSED` |
/// | `TooLong` | 413 | `BODY_TOO_LONG` |
/// | `TooLate` | 408 | `BODY_TIMEOUT` |
/// | `Unauthenticated` | 401 | `AUTH_FAILED` |
/// | `OutOfScope` | 403 | `INSUFFICIENT_SCOPE` |
/// | `Denied` | 403 | `ACTION_DENIED` |
/// | `Held` | 403 | `ELEVATION_REQUIRED` |
/// | `Expired` | 403 | `APPROVAL_EXPIRED` |
/// | `Revoked` | 403 | `AGENT_REVOKED` |
/// | `Unavailable` | 503 | `GUARDIAN_UNAVAILABLE` |
/// | `Misconfigured` | 500 | `GUARD_MISCONFIGURED` |
///
/// Further reasons may come; programs go by the status and the code of those that they do not know:
///
/// ```
/// use agenttrust::DenialReason;
///
/// fn come_back(reason: DenialReason) -> bool {
///     match reason {
///         DenialReason::Unavailable => true,
///         other => other.status().is_server_error(),
///     }
/// }
/// assert!(come_back(DenialReason::Unavailable) && !come_back(DenialReason::Denied));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenialReason {
    /// The request cannot be read as an action, and no check was made.
    Refused,
    /// The request's body is longer than may be read.
    TooLong,
    /// The request's body did not come in time.
    TooLate,
    /// The caller did not say who it is, or not in a way that works.
    Unauthenticated,
    /// The caller's token does not carry a scope that is required.
    OutOfScope,
    /// The Guardian said no.
    Denied,
    /// The call needs an approval.
    Held,
    /// No approver decided in time.
    Expired,
    /// The agent was revoked.
    Revoked,
    /// No Guardian could be asked.
    Unavailable,
    /// The Guardian turned this server away.
    Misconfigured,
}

impl DenialResponse {
    /// The key in `_meta` of a tool's result that holds the code and the id of a denial, for programs.
    ///
    /// It is not in `structuredContent`: that has to match the tool's own `outputSchema`. Clients throw away a whole
    /// result whose structured content is anything else, the model's text included.
    pub const META: &str = "agenttrust/denial";

    /// The time that callers are asked to stay away when the Guardian did not answer, by default.
    pub const RETRY_AFTER: Duration = Duration::from_secs(5);

    /// Returns the answer to a request that cannot be read as an action: the Guardian was not asked.
    #[must_use]
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::new(DenialReason::Refused, reason.into(), None)
    }

    /// Returns the answer to a request whose body is longer than may be read: the Guardian was not asked.
    #[must_use]
    pub fn too_long(detail: impl Into<String>) -> Self {
        Self::new(DenialReason::TooLong, detail.into(), None)
    }

    /// Returns the answer to a request whose body did not come in time: the Guardian was not asked.
    #[must_use]
    pub fn too_late(detail: impl Into<String>) -> Self {
        Self::new(DenialReason::TooLate, detail.into(), None)
    }

    /// Returns the answer to a call without credentials that are known here.
    #[must_use]
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(DenialReason::Unauthenticated, detail.into(), None)
    }

    /// Returns the answer to a call with a token that does not reach as far.
    #[must_use]
    pub fn out_of_scope(detail: impl Into<String>) -> Self {
        Self::new(DenialReason::OutOfScope, detail.into(), None)
    }

    /// Returns the answer to a call that came at a moment when this server has too much to do; `detail` says with what.
    #[must_use]
    pub fn busy(detail: impl Into<String>) -> Self {
        Self::new(DenialReason::Unavailable, detail.into(), None)
    }

    /// Returns the answer to a call that this server cannot let through because of how it is set up; `detail` is for
    /// the caller, who can only tell the server's operator. What is to be mended belongs in the log.
    #[must_use]
    pub fn set_up_wrong(detail: impl Into<String>) -> Self {
        Self::new(DenialReason::Misconfigured, detail.into(), None)
    }

    /// Returns the answer to a call for which the guard gave no permit.
    #[must_use]
    pub fn from_error(denial: AgentTrustError) -> Self {
        match denial {
            AgentTrustError::ActionDenied { message, check_id } => {
                Self::new(DenialReason::Denied, message, check_id)
            }
            AgentTrustError::ElevationRequired { message, approval_id } => {
                Self::new(DenialReason::Held, message, Some(approval_id))
            }
            AgentTrustError::ApprovalExpired { message, approval_id } => {
                Self::new(DenialReason::Expired, message, Some(approval_id))
            }
            AgentTrustError::AgentRevoked { message, .. } => {
                Self::new(DenialReason::Revoked, message, None)
            }
            AgentTrustError::GuardianUnavailable { .. } | AgentTrustError::Network(_) => {
                Self::unavailable(&denial)
            }
            other => match other.status() {
                Some(429 | 500..) => Self::unavailable(&other),
                _ => Self::misconfigured(&other),
            },
        }
    }

    /// Returns the answer to a call that the Guardian did not decide. The error's own words name hosts inside; the
    /// caller needs only to know to come back.
    fn unavailable(error: &AgentTrustError) -> Self {
        tracing::warn!(error = %error, "a call was not made, because no Guardian could be asked");
        let detail = "the Guardian that has to allow this call did not answer, or did not decide in \
                      time; the call was not made, try again later";
        Self::new(DenialReason::Unavailable, detail.to_owned(), None)
    }

    /// Returns the answer to a call for which the Guardian turned this server away: its key, its agent or its session.
    /// A 401 or 404 here would send the caller to mend credentials and paths that are in order.
    fn misconfigured(error: &AgentTrustError) -> Self {
        tracing::error!(
            code = error.code(),
            status = error.status(),
            error = %error,
            "the Guardian would not check for this server; mend the guard's key, agent or session"
        );
        let detail = "this server could not have the call checked; \
                      the call was not made, tell its operator";
        Self::new(DenialReason::Misconfigured, detail.to_owned(), None)
    }

    fn new(reason: DenialReason, detail: String, id: Option<String>) -> Self {
        Self { reason, detail, id }
    }

    /// Writes the answer as an RFC 9457 problem, with a body made from its JSON text.
    pub fn into_response<B>(
        self,
        retry_after: Duration,
        make_body: impl FnOnce(String) -> B,
    ) -> Response<B> {
        let status = self.reason.status();
        let mut response = Response::new(make_body(self.into_json()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // The next decision may be another one.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, retry_after.as_secs().into());
        }
        response
    }

    /// Returns `about:blank` and the status' own phrase, as RFC 9457 asks of problems without a page of
    /// their own; programs go by `code`.
    fn into_json(self) -> String {
        let status = self.reason.status();
        let to_data = self.to_data();
        let mut members = Map::new();
        let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
        set("type", "about:blank".into());
        set("title", status.canonical_reason().into());
        set("status", status.as_u16().into());
        set("detail", self.detail.into());
        members.extend(to_data);
        Value::Object(members).to_string()
    }

    /// Returns the code, and the id of the check or the approval.
    #[must_use]
    pub fn to_data(&self) -> Map<String, Value> {
        let id_name = match self.reason {
            DenialReason::Held | DenialReason::Expired => "approval_id",
            _ => "check_id",
        };
        let id = self.id.iter().map(|id| (id_name.to_owned(), Value::from(id.as_str())));
        let code = ("code".to_owned(), Value::from(self.reason.code()));
        std::iter::once(code).chain(id).collect()
    }

    /// Returns what happened, and how to go on. A model that is told only "no" tries again.
    #[must_use]
    pub fn to_model_text(&self) -> String {
        let how_to_go_on = match self.reason {
            DenialReason::Refused | DenialReason::TooLong | DenialReason::TooLate => {
                "This call was not made. Do not repeat it as it is; mend what is wrong with it."
            }
            DenialReason::Unauthenticated | DenialReason::OutOfScope => {
                "This call was not made. Do not repeat it; tell the person you work for."
            }
            DenialReason::Denied => {
                "This call was not made. Do not repeat it and do not look for a way around; go on \
                 without it, or tell the person you work for."
            }
            DenialReason::Held => {
                "This call was not made. A person has to approve it first: do not retry until it is \
                 approved, then repeat the call with exactly the same arguments."
            }
            DenialReason::Expired => {
                "This call was not made, because no approver decided in time. Ask the person you work for \
                 whether it is still wanted before you repeat the call: that opens a new approval."
            }
            DenialReason::Revoked => {
                "This call was not made. Do not call any tool; tell the person you work for."
            }
            DenialReason::Unavailable => {
                "Do not repeat the call at once; tell the person you work for if it goes on like this."
            }
            DenialReason::Misconfigured => "Do not repeat the call.",
        };
        format!("{}. {how_to_go_on}", self.detail)
    }

    /// Returns what happened to the call.
    #[must_use]
    pub fn reason(&self) -> DenialReason {
        self.reason
    }

    /// Returns what happened, in words for the maker of the call.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl DenialReason {
    /// Returns the status of HTTP.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Refused => StatusCode::BAD_REQUEST,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooLate => StatusCode::REQUEST_TIMEOUT,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::OutOfScope | Self::Denied | Self::Held | Self::Expired | Self::Revoked => {
                StatusCode::FORBIDDEN
            }
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Misconfigured => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns a code for programs, such as `ACTION_DENIED`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refused => "REQUEST_REFUSED",
            Self::TooLong => "BODY_TOO_LONG",
            Self::TooLate => "BODY_TIMEOUT",
            Self::Unauthenticated => "AUTH_FAILED",
            Self::OutOfScope => "INSUFFICIENT_SCOPE",
            Self::Denied => "ACTION_DENIED",
            Self::Held => "ELEVATION_REQUIRED",
            Self::Expired => "APPROVAL_EXPIRED",
            Self::Revoked => "AGENT_REVOKED",
            Self::Unavailable => "GUARDIAN_UNAVAILABLE",
            Self::Misconfigured => "GUARD_MISCONFIGURED",
        }
    }
}
