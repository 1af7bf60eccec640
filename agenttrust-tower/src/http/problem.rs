//! A denial as an RFC 9457 problem: what the caller is told, and what stays with the operator.

use agenttrust::AgentTrustError;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::Denial;

/// An answer that is not the service's.
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// Whether the same request may do better in a while.
    pub(super) transient: bool,
    code: &'static str,
    detail: String,
    extension: Option<(&'static str, String)>,
}

impl Problem {
    pub(super) fn of(denial: Denial) -> Self {
        match denial {
            Denial::Refused(reason) => Self {
                status: StatusCode::BAD_REQUEST,
                transient: false,
                code: "REQUEST_REFUSED",
                detail: reason.into_owned(),
                extension: None,
            },
            Denial::Blocked(error) => Self::blocked(error),
        }
    }

    fn blocked(error: AgentTrustError) -> Self {
        match error {
            AgentTrustError::ActionDenied { message, check_id } => {
                Self::forbidden("ACTION_DENIED", message, check_id.map(|id| ("check_id", id)))
            }
            AgentTrustError::ElevationRequired { message, approval_id } => {
                Self::forbidden("ELEVATION_REQUIRED", message, Some(("approval_id", approval_id)))
            }
            AgentTrustError::ApprovalExpired { message, approval_id } => {
                Self::forbidden("APPROVAL_EXPIRED", message, Some(("approval_id", approval_id)))
            }
            AgentTrustError::AgentRevoked { message, .. } => {
                Self::forbidden("AGENT_REVOKED", message, None)
            }
            AgentTrustError::GuardianUnavailable { .. } | AgentTrustError::Network(_) => {
                Self::unavailable()
            }
            other => match other.status() {
                Some(429 | 500..) => Self::unavailable(),
                _ => Self::misconfigured(&other),
            },
        }
    }

    fn forbidden(
        code: &'static str,
        detail: String,
        extension: Option<(&'static str, String)>,
    ) -> Self {
        Self { status: StatusCode::FORBIDDEN, transient: false, code, detail, extension }
    }

    /// The error's own words name hosts inside; the caller needs only to know to come back.
    fn unavailable() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            transient: true,
            code: "GUARDIAN_UNAVAILABLE",
            detail: "the Guardian that has to allow this call did not answer; \
                     nothing was done, try again later"
                .to_owned(),
            extension: None,
        }
    }

    /// The Guardian answered, and it was this server it turned away: its key, its agent, its session.
    /// A 401 or 404 here would send the caller to mend credentials and paths that are in order.
    fn misconfigured(error: &AgentTrustError) -> Self {
        tracing::error!(
            code = error.code(),
            status = error.status(),
            error = %error,
            "the Guardian would not check for this server; mend the guard's key, agent or session"
        );
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            transient: false,
            code: "GUARD_MISCONFIGURED",
            detail: "this server could not have the call checked; \
                     nothing was done, tell its operator"
                .to_owned(),
            extension: None,
        }
    }

    /// `about:blank` and the status' own phrase, as RFC 9457 asks of problems without a page of
    /// their own; programs go by `code`.
    pub(super) fn into_json(self) -> String {
        let mut members = Map::new();
        let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
        set("type", "about:blank".into());
        set("title", self.status.canonical_reason().into());
        set("status", self.status.as_u16().into());
        set("detail", self.detail.into());
        set("code", self.code.into());
        if let Some((name, value)) = self.extension {
            set(name, value.into());
        }
        Value::Object(members).to_string()
    }
}
