//! The one error of this crate, with the guide's variants and fields.

use std::borrow::Cow;
use std::io;

use serde_json::{Value, json};

use crate::model::ErrorBody;
use crate::private::background::BlockError;
use crate::transport::TransportError;

/// What every fallible function of this crate returns.
pub type Result<T, E = AgentTrustError> = std::result::Result<T, E>;

/// Why a call did not happen, or a request to the Guardian failed (SDK guide, section 12).
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
        /// Why, and what to do about it.
        message: String,
        /// Names the check in the audit trail.
        check_id: Option<String>,
    },
    /// The action is held until somebody approves it; retry it then.
    #[error("{message}")]
    ElevationRequired {
        /// Why it is held.
        message: String,
        /// The approval that is waited for.
        approval_id: String,
    },
    /// Nobody decided in time, which is no denial: ask again and a new approval is opened.
    #[error("{message}")]
    ApprovalExpired {
        /// What expired.
        message: String,
        /// The approval that nobody decided.
        approval_id: String,
    },
    /// The Guardian could not be asked, so the action did not run.
    #[error("{message}")]
    GuardianUnavailable {
        /// What was tried and why it failed.
        message: String,
    },
    /// The API key is missing or wrong (HTTP 401).
    #[error("{message}")]
    Authentication {
        /// What the gateway said.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// The token has expired (HTTP 401, code `TOKEN_EXPIRED`).
    #[error("{message}")]
    TokenExpired {
        /// What the gateway said.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// The API key may not do this (HTTP 403).
    #[error("{message}")]
    Authorization {
        /// What the gateway said.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// The agent was revoked (HTTP 403, code `AGENT_REVOKED`).
    #[error("{message}")]
    AgentRevoked {
        /// What the gateway said.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// The request is not well-formed: found by the gateway (HTTP 400), or here before it was sent
    /// (status 0).
    #[error("{message}")]
    Validation {
        /// What is wrong, and where.
        message: String,
        /// The HTTP status, 0 when nothing was sent.
        status: u16,
    },
    /// There is no such thing (HTTP 404).
    #[error("{message}")]
    NotFound {
        /// What the gateway said.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// The request got no answer.
    #[error(transparent)]
    Network(#[from] TransportError),
    /// Any other status.
    #[error("{message}")]
    Api {
        /// What the gateway said.
        message: String,
        /// The gateway's code, or `HTTP_<status>`.
        code: String,
        /// The HTTP status.
        status: u16,
    },
    /// An answer that cannot be read, or a request that cannot be written.
    #[error("the message is not the JSON that the protocol says: {0}")]
    Json(#[from] serde_json::Error),
}

impl AgentTrustError {
    /// A code for programs, as the guide lists them.
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
            Self::Json(_) => "JSON_ERROR",
        }
    }

    /// The sentence for the person who must act.
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
            | Self::Api { message, .. } => Cow::Borrowed(message),
            Self::Network(_) | Self::Json(_) => Cow::Owned(self.to_string()),
        }
    }

    /// The HTTP status behind this error, if an answer with one came.
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
            | Self::Json(_) => None,
        }
    }

    /// More for programs: `{"approval_id": …}` or `{"check_id": …}` where there is one, else `{}`.
    #[must_use]
    pub fn details(&self) -> Value {
        match self {
            Self::ElevationRequired { approval_id, .. }
            | Self::ApprovalExpired { approval_id, .. } => json!({ "approval_id": approval_id }),
            Self::ActionDenied { check_id: Some(check_id), .. } => json!({ "check_id": check_id }),
            _ => json!({}),
        }
    }

    /// Whether nobody was there to answer: no connection, no answer in time, or a proxy in between that
    /// said so (502, 503, 504). One of these with a code of the protocol came from the Guardian itself.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Network(error) => error.is_unreachable(),
            Self::Api { status, code, .. } => {
                matches!(status, 502..=504) && code.starts_with("HTTP_")
            }
            _ => false,
        }
    }

    /// Something found wrong here, before anything was sent.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Validation { message: message.into(), status: 0 }
    }

    /// The error that an answer of `status` with `body` stands for.
    pub(crate) fn from_answer(status: u16, body: &[u8]) -> Self {
        let ErrorBody { error: code, message, .. } =
            serde_json::from_slice(body).unwrap_or_default();
        let message = if message.is_empty() { said_nothing(status, &code) } else { message };
        match status {
            400 => Self::Validation { message, status },
            401 if code == "TOKEN_EXPIRED" => Self::TokenExpired { message, status },
            401 => Self::Authentication { message, status },
            403 if code == "AGENT_REVOKED" => Self::AgentRevoked { message, status },
            403 => Self::Authorization { message, status },
            404 => Self::NotFound { message, status },
            _ => {
                let code = if code.is_empty() { format!("HTTP_{status}") } else { code };
                Self::Api { message, code, status }
            }
        }
    }
}

fn said_nothing(status: u16, code: &str) -> String {
    if code.is_empty() {
        format!("the gateway answered with status {status} and no explanation")
    } else {
        format!("the gateway answered with status {status}: {code}")
    }
}

impl From<BlockError> for AgentTrustError {
    fn from(error: BlockError) -> Self {
        Self::GuardianUnavailable { message: error.to_string() }
    }
}

/// So that tools which return `Result<_, String>` can carry a denial.
impl From<AgentTrustError> for String {
    fn from(error: AgentTrustError) -> Self {
        error.to_string()
    }
}

/// So that tools which return `io::Result` can carry a denial.
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
