//! The one error of this crate, with the guide's variants and fields.

use std::borrow::Cow;
use std::io;

use serde_json::{Value, json};

use crate::background::BlockError;
use crate::model::{AccessProblem, ErrorBody};
use crate::transport::TransportError;

/// The result of every fallible function of this crate.
pub type Result<T, E = AgentTrustError> = std::result::Result<T, E>;

/// The reason why a call did not happen, or a request to the Guardian failed (SDK guide, section 12).
///
/// ```
/// use agenttrust::AgentTrustError;
///
/// let error = AgentTrustError::ElevationRequired {
///     message: "tool \"db_delete\" needs approval".to_string(),
///     approval_id: "apr_1".to_string(),
/// };
/// assert_eq!(error.code(), "ELEVATION_REQUIRED");
/// assert_eq!(error.details()["approval_id"], "apr_1");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentTrustError {
    /// The Guardian denied the action.
    #[error("{message}")]
    ActionDenied {
        /// The reason for the denial, and the way on.
        message: String,
        /// Names the check in the audit trail.
        check_id: Option<String>,
    },
    /// The action is held until an approver approves it; retry it then.
    #[error("{message}")]
    ElevationRequired {
        /// The reason why the action is held.
        message: String,
        /// The approval that is waited for.
        approval_id: String,
    },
    /// No approver decided in time, which is no denial: ask again and a new approval is opened.
    #[error("{message}")]
    ApprovalExpired {
        /// The sentence about what expired.
        message: String,
        /// The approval that no approver decided.
        approval_id: String,
    },
    /// The Guardian could not be asked, or could not decide in time, so the action did not run. This is
    /// no denial: call again.
    #[error("{message}")]
    GuardianUnavailable {
        /// The request that was tried, and why it failed.
        message: String,
    },
    /// The API key is missing or wrong (HTTP 401).
    #[error("{message}")]
    Authentication {
        /// The gateway's message.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// The token has expired (HTTP 401, code `TOKEN_EXPIRED`).
    #[error("{message}")]
    TokenExpired {
        /// The gateway's message.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// The API key may not do this (HTTP 403).
    #[error("{message}")]
    Authorization {
        /// The gateway's message.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// The agent was revoked (HTTP 403, code `AGENT_REVOKED`).
    #[error("{message}")]
    AgentRevoked {
        /// The gateway's message.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// The request is not well-formed: found by the gateway (HTTP 400), or here before it was sent
    /// (status 0).
    #[error("{message}")]
    Validation {
        /// The fault, and its place.
        message: String,
        /// The HTTP status, 0 when nothing was sent.
        status: u16,
    },
    /// The thing that was asked for does not exist (HTTP 404).
    #[error("{message}")]
    NotFound {
        /// The gateway's message.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// The request got no answer.
    #[error(transparent)]
    Network(#[from] TransportError),
    /// The gateway answered with any other status.
    #[error("{message}")]
    Api {
        /// The gateway's message.
        message: String,
        /// The gateway's code, or `HTTP_<status>`. A 502, 503 or 504 of the Guardian itself is never
        /// called that: where it names no code, `GUARDIAN_<status>`.
        code: String,
        /// The HTTP status.
        status: u16,
    },
    /// A key cannot be used: it is not a key, its store does not hand it out, or nothing can be signed with it.
    #[error("{message}")]
    Crypto {
        /// The fault of which key, and the way on.
        message: String,
    },
    /// An answer that cannot be read, or a request that cannot be written.
    #[error("the message is not the JSON that the protocol says: {0}")]
    Json(#[source] serde_json::Error),
}

impl AgentTrustError {
    /// Returns a code for programs, as the guide lists them.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::ActionDenied { .. } => "ACTION_DENIED",
            Self::ElevationRequired { .. } => "ELEVATION_REQUIRED",
            Self::ApprovalExpired { .. } => "APPROVAL_EXPIRED",
            Self::GuardianUnavailable { .. } => "GUARDIAN_UNAVAILABLE",
            Self::Authentication { .. } => "AUTH_FAILED",
            Self::TokenExpired { .. } => "TOKEN_EXPIRED",
            Self::Authorization { .. } => "AUTH_DENIED",
            Self::AgentRevoked { .. } => "AGENT_REVOKED",
            Self::Validation { .. } => "VALIDATION_ERROR",
            Self::NotFound { .. } => "NOT_FOUND",
            Self::Network(_) => "NETWORK_ERROR",
            Self::Api { code, .. } => code,
            Self::Crypto { .. } => "CRYPTO_ERROR",
            Self::Json(_) => "JSON_ERROR",
        }
    }

    /// Returns the sentence for the person who must act.
    #[must_use]
    pub fn message(&self) -> Cow<'_, str> {
        match self {
            Self::ActionDenied { message, .. }
            | Self::ElevationRequired { message, .. }
            | Self::ApprovalExpired { message, .. }
            | Self::GuardianUnavailable { message }
            | Self::Authentication { message, .. }
            | Self::TokenExpired { message, .. }
            | Self::Authorization { message, .. }
            | Self::AgentRevoked { message, .. }
            | Self::Validation { message, .. }
            | Self::NotFound { message, .. }
            | Self::Api { message, .. }
            | Self::Crypto { message } => Cow::Borrowed(message),
            Self::Network(_) | Self::Json(_) => Cow::Owned(self.to_string()),
        }
    }

    /// Returns the HTTP status behind this error, if an answer with one came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Authentication { status, .. }
            | Self::TokenExpired { status, .. }
            | Self::Authorization { status, .. }
            | Self::AgentRevoked { status, .. }
            | Self::Validation { status, .. }
            | Self::NotFound { status, .. }
            | Self::Api { status, .. } => Some(*status).filter(|status| *status != 0),
            Self::ActionDenied { .. }
            | Self::ElevationRequired { .. }
            | Self::ApprovalExpired { .. }
            | Self::GuardianUnavailable { .. }
            | Self::Network(_)
            | Self::Crypto { .. }
            | Self::Json(_) => None,
        }
    }

    /// Returns more for programs: `{"approval_id": …}` or `{"check_id": …}` where there is one, else `{}`.
    #[must_use]
    pub fn details(&self) -> Value {
        match self {
            Self::ElevationRequired { approval_id, .. }
            | Self::ApprovalExpired { approval_id, .. } => json!({ "approval_id": approval_id }),
            Self::ActionDenied { check_id: Some(check_id), .. } => json!({ "check_id": check_id }),
            _ => json!({}),
        }
    }

    /// Returns whether the Guardian could not be reached: no connection could be made, or something in
    /// between answered with 502, 503 or 504 in its place.
    ///
    /// A time-out, and a connection that broke, are not: the request may have been sent. Nor is a 502,
    /// 503 or 504 that carries the header `AgentTrust-Guardian` or the protocol's error body, which only
    /// a Guardian sends.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Network(error) => error.is_unreachable(),
            Self::Api { status, code, .. } => {
                is_of_a_gateway(*status) && *code == http_code(*status)
            }
            _ => false,
        }
    }

    /// Returns whether asking again may work: there was no answer, too many asked, or the gateway is in
    /// trouble.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Network(_) | Self::Api { status: 408 | 429 | 500.., .. })
    }

    /// Returns something found wrong here, before anything was sent.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Validation { message: message.into(), status: 0 }
    }

    /// Returns something wrong with a key.
    pub(crate) fn crypto(message: impl Into<String>) -> Self {
        Self::Crypto { message: message.into() }
    }

    /// Returns the same error once more, for another one who waited for what failed.
    pub(crate) fn copied(&self) -> Self {
        match self {
            Self::ActionDenied { message, check_id } => {
                Self::ActionDenied { message: message.clone(), check_id: check_id.clone() }
            }
            Self::ElevationRequired { message, approval_id } => Self::ElevationRequired {
                message: message.clone(),
                approval_id: approval_id.clone(),
            },
            Self::ApprovalExpired { message, approval_id } => {
                Self::ApprovalExpired { message: message.clone(), approval_id: approval_id.clone() }
            }
            Self::GuardianUnavailable { message } => {
                Self::GuardianUnavailable { message: message.clone() }
            }
            Self::Authentication { message, status } => {
                Self::Authentication { message: message.clone(), status: *status }
            }
            Self::TokenExpired { message, status } => {
                Self::TokenExpired { message: message.clone(), status: *status }
            }
            Self::Authorization { message, status } => {
                Self::Authorization { message: message.clone(), status: *status }
            }
            Self::AgentRevoked { message, status } => {
                Self::AgentRevoked { message: message.clone(), status: *status }
            }
            Self::Validation { message, status } => {
                Self::Validation { message: message.clone(), status: *status }
            }
            Self::NotFound { message, status } => {
                Self::NotFound { message: message.clone(), status: *status }
            }
            Self::Network(error) => Self::Network(error.copied()),
            Self::Api { message, code, status } => {
                Self::Api { message: message.clone(), code: code.clone(), status: *status }
            }
            Self::Crypto { message } => Self::Crypto { message: message.clone() },
            Self::Json(error) => Self::Json(serde::de::Error::custom(error)),
        }
    }

    /// Adds what is wrong on this side to what the gateway said.
    pub(crate) fn with_hint(mut self, hint: Option<&str>) -> Self {
        if let (Some(hint), Self::Authentication { message, .. } | Self::NotFound { message, .. }) =
            (hint, &mut self)
        {
            message.push_str("; ");
            message.push_str(hint);
        }
        self
    }

    /// Says of what the Guardian at `url` answered that `tool` did not run for it.
    pub(crate) fn about_call(mut self, tool: &str, url: &str) -> Self {
        if let Self::Authentication { message, .. }
        | Self::TokenExpired { message, .. }
        | Self::Authorization { message, .. }
        | Self::AgentRevoked { message, .. }
        | Self::Validation { message, status: 1.. }
        | Self::NotFound { message, .. }
        | Self::Api { message, .. } = &mut self
        {
            *message = format!(
                "tool {tool:?} did not run, because the Guardian at {url} answered: {message}"
            );
        }
        self
    }

    /// Returns the error that an answer of `status` with `body` stands for; `signed` is whether it has the
    /// header of our Guardian.
    pub(crate) fn from_answer(status: u16, body: &[u8], signed: bool) -> Self {
        let said: ErrorBody = serde_json::from_slice(body).unwrap_or_else(|_| of_json_rpc(body));
        let is_silent = said.error.is_empty() && said.message.is_empty();
        let ErrorBody { error: code, message, details } =
            if is_silent { of_problem(body) } else { said };
        let message = if message.is_empty() { said_nothing(status, &code) } else { message };
        match status {
            400 => Self::Validation { message, status },
            401 if code == "TOKEN_EXPIRED" => Self::TokenExpired { message, status },
            401 => Self::Authentication { message, status },
            403 if code == "AGENT_REVOKED" => Self::AgentRevoked { message, status },
            403 => Self::Authorization { message, status },
            404 => Self::NotFound { message, status },
            409 if code == "ELEVATION_REQUIRED" => match approval_of(details) {
                Some(approval_id) => Self::ElevationRequired { message, approval_id },
                None => Self::Api { message, code, status },
            },
            _ => {
                let code = if is_of_a_gateway(status) {
                    spoken_code(status, code, signed || is_of_the_protocol(body))
                } else if code.is_empty() {
                    http_code(status)
                } else {
                    code
                };
                Self::Api { message, code, status }
            }
        }
    }
}

/// Returns what an answer says that is an error of JSON-RPC, as those to requests of MCP are; nothing for any other.
fn of_json_rpc(body: &[u8]) -> ErrorBody {
    #[derive(Default, serde::Deserialize)]
    struct Answer {
        error: Fault,
    }
    #[derive(Default, serde::Deserialize)]
    struct Fault {
        message: String,
    }
    let Answer { error: Fault { message } } = serde_json::from_slice(body).unwrap_or_default();
    ErrorBody { message, ..ErrorBody::default() }
}

/// Returns what an answer says that is a problem of RFC 9457, as those to requests for access are; nothing for any
/// other.
fn of_problem(body: &[u8]) -> ErrorBody {
    let AccessProblem { kind, title, detail, .. } =
        serde_json::from_slice(body).unwrap_or_default();
    let message = if detail.is_empty() { title } else { detail };
    ErrorBody { error: kind, message, ..ErrorBody::default() }
}

/// Returns the approval that a change waits for, as the details of its refusal name it.
fn approval_of(details: Option<Value>) -> Option<String> {
    let id = details?.get("approval_id")?.as_str().map(str::to_owned);
    id.filter(|id| !id.is_empty())
}

/// Returns whether a gateway or proxy says by this status that it does not reach the Guardian.
fn is_of_a_gateway(status: u16) -> bool {
    matches!(status, 502..=504)
}

fn http_code(status: u16) -> String {
    format!("HTTP_{status}")
}

/// Returns the code by which [`is_unreachable`](AgentTrustError::is_unreachable) goes later on, when the answer
/// is gone: `HTTP_<status>` is the word of something in between, and of nothing else.
fn spoken_code(status: u16, code: String, by_the_guardian: bool) -> String {
    let http_code = http_code(status);
    match by_the_guardian {
        false => http_code,
        true if code.is_empty() || code == http_code => format!("GUARDIAN_{status}"),
        true => code,
    }
}

/// Returns whether `body` is the protocol's error body, with both of its members.
fn is_of_the_protocol(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Spoken {
        error: String,
        #[serde(rename = "message")]
        _message: String,
    }
    serde_json::from_slice::<Spoken>(body).is_ok_and(|spoken| !spoken.error.is_empty())
}

fn said_nothing(status: u16, code: &str) -> String {
    if code.is_empty() {
        format!(
            "the gateway answered with status {status} and no explanation; see that this is the address of a Guardian"
        )
    } else {
        format!("the gateway answered with status {status}: {code}")
    }
}

impl From<BlockError> for AgentTrustError {
    fn from(error: BlockError) -> Self {
        Self::GuardianUnavailable { message: error.to_string() }
    }
}

/// Tools that return `io::Result` can carry a denial.
impl From<AgentTrustError> for io::Error {
    fn from(error: AgentTrustError) -> Self {
        let kind = match error {
            AgentTrustError::GuardianUnavailable { .. } | AgentTrustError::Network(_) => {
                io::ErrorKind::NotConnected
            }
            AgentTrustError::Validation { .. } => io::ErrorKind::InvalidInput,
            _ => io::ErrorKind::PermissionDenied,
        };
        Self::new(kind, error)
    }
}
