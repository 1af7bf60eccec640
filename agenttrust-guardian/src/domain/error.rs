//! What was asked and is not done: a kind for programs and a sentence for people.

use std::borrow::Cow;
use std::time::Duration;

use agenttrust::model::CapabilityError;
use serde_json::{Value, json};

use super::GuardianError;
use super::limits::{Full, Kind, Whose};

/// The kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    Invalid,
    Unauthenticated,
    TokenExpired,
    /// The workload token of the request, which does not serve here.
    WorkloadToken,
    /// The proof of the request, which does not serve here (RFC 9449).
    Proof,
    /// A proof that needs a nonce, which its details name.
    NonceNeeded,
    Forbidden,
    AgentRevoked,
    NotFound,
    WrongMethod,
    Conflict,
    /// The request waits for an approval.
    Held,
    #[cfg(feature = "cli")]
    Misdirected,
    TooSlow,
    TooLarge,
    TooMany,
    Unavailable,
}

impl ErrorKind {
    /// Returns what is asked for in the place of the token or the proof that a request came with (RFC 9449, 7.1).
    pub(crate) const fn challenge(self) -> Option<&'static str> {
        match self {
            Self::WorkloadToken => Some(r#"DPoP error="invalid_token", algs="EdDSA""#),
            Self::Proof => Some(r#"DPoP error="invalid_dpop_proof", algs="EdDSA""#),
            Self::NonceNeeded => Some(r#"DPoP error="use_dpop_nonce", algs="EdDSA""#),
            _ => None,
        }
    }
}

/// The reason why something was not done.
#[derive(Clone, Debug)]
pub(crate) struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
    details: Option<Value>,
    /// Whether the same request may well be answered in a moment.
    passing: bool,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), details: None, passing: false }
    }

    /// Adds what a program may want to read.
    pub(crate) fn with(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// Returns the error for a `field` with this `problem`; the sentence is both, one after the other.
    pub(crate) fn invalid(field: &str, problem: impl AsRef<str>) -> Self {
        let message = format!("{field} {}", problem.as_ref());
        Self::new(ErrorKind::Invalid, message).with(json!({ "field": field }))
    }

    /// Returns the error for an invalid list, or a conflict where two names of the list stand in each other's way.
    pub(crate) fn capability(field: &str, error: &CapabilityError) -> Self {
        let details = json!({ "field": field, "name": error.name() });
        let message = format!("{field}: {error}");
        if error.is_conflict() {
            Self::new(ErrorKind::Conflict, message).with(details)
        } else {
            Self::new(ErrorKind::Invalid, message).with(details)
        }
    }

    /// Returns the error for a request without a key that works.
    pub(crate) fn unauthenticated(message: &'static str) -> Self {
        Self::new(ErrorKind::Unauthenticated, message)
    }

    /// Returns the error for a token that was good once.
    pub(crate) fn token_expired() -> Self {
        let message = "the token has expired; have another one issued";
        Self::new(ErrorKind::TokenExpired, message)
    }

    /// Refuses the workload token that a request came with.
    pub(crate) fn workload_token(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::WorkloadToken, message)
    }

    /// Refuses the proof that a request came with.
    pub(crate) fn proof(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Proof, message)
    }

    /// Asks for a proof that holds this nonce.
    pub(crate) fn nonce_needed(nonce: &str) -> Self {
        let message = "the proof holds no nonce of this Guardian that works; make one with the nonce in DPoP-Nonce";
        Self::new(ErrorKind::NonceNeeded, message).with(json!({ "nonce": nonce }))
    }

    /// Refuses what this caller may not do.
    pub(crate) fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Forbidden, message)
    }

    /// Returns the error for a key that is bound to other agents.
    pub(crate) fn not_bound(agent_id: &str) -> Self {
        let hint = if agent_id.starts_with("agt_") {
            "use that agent's own"
        } else {
            "use that agent's own, and its id, which `agenttrust agents list` shows: an id begins with agt_"
        };
        Self::forbidden(format!("this key is not bound to agent {agent_id:?}; {hint}"))
    }

    /// Returns the error for a caller that speaks for another agent than the request is about.
    pub(crate) fn not_named(named: &str, agent_id: &str) -> Self {
        Self::forbidden(format!(
            "X-Agent-ID names agent {named:?} and the request is about {agent_id:?}; \
             name the same agent in both, or leave the header out"
        ))
    }

    /// Returns the error for an agent that is revoked.
    pub(crate) fn agent_revoked(agent_id: &str) -> Self {
        let message =
            format!("agent {agent_id:?} is revoked, which is for good; register another one");
        Self::new(ErrorKind::AgentRevoked, message)
    }

    /// Names what is not there.
    pub(crate) fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// Returns the error for a `thing` that is not here.
    pub(crate) fn unknown(thing: &str, id: &str) -> Self {
        Self::not_found(format!("there is no {thing} {id:?}"))
    }

    /// Returns the error for a body of which only so much arrived in this time.
    pub(crate) fn too_slow(arrived: usize, within: Duration) -> Self {
        let message = format!(
            "the body is too slow: {arrived} bytes of it arrived within {} seconds; send it again, as one",
            within.as_secs()
        );
        Self::new(ErrorKind::TooSlow, message)
    }

    /// Names what stands in the way.
    pub(crate) fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    /// Names the most that a body may take.
    pub(crate) fn too_large(limit: usize) -> Self {
        let message =
            format!("the body is larger than {limit} bytes, which is the most; send less");
        Self::new(ErrorKind::TooLarge, message)
    }

    /// Names the host that was asked for, which is not this one.
    #[cfg(feature = "cli")]
    pub(crate) fn misdirected(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Misdirected, message)
    }

    /// Returns the error for something bounded that is full.
    pub(crate) fn too_many(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::TooMany, message)
    }

    /// Returns the error for a database or an audit log that is away.
    pub(crate) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// Returns the error for a part that is busy, and may well not be in a second.
    pub(crate) fn busy(message: &'static str) -> Self {
        Self::unavailable(message).passing()
    }

    /// Returns the sentence for people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns what went wrong, for programs.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the sentence for people, and what a program may want to read beside it.
    pub(crate) fn into_parts(self) -> (Cow<'static, str>, Option<Value>) {
        (self.message, self.details)
    }

    /// Returns whether the same request may well be answered in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        self.passing
    }

    /// Returns the same, where that is so.
    pub(crate) fn passing(self) -> Self {
        Self { passing: true, ..self }
    }
}

impl From<Full> for Error {
    /// Returns "too many" where a key or its organisation holds too much, and "unavailable" where all together do.
    fn from(full: Full) -> Self {
        let Full { kind, whose, most } = full;
        let what = match kind {
            Kind::Requests => "requests under way",
            Kind::TakingBack => "requests under way that take something back",
            Kind::Bytes | Kind::BytesTakingBack => "bytes of request bodies on the way",
            Kind::Waiting => "requests that wait for an approval",
            Kind::Streams => "streams of revocations open",
            Kind::McpStreams => "streams of MCP servers open",
            Kind::McpBytes => "bytes of answers of MCP servers on the way",
            Kind::TaskStreams => "streams of tasks open",
            Kind::TaskBytes => "bytes of tasks on the way",
            Kind::Exports => "exports of the audit on the way",
            Kind::Beside => "evaluations of lists under way",
        };
        let refused = match whose {
            Whose::Key if kind == Kind::Streams => Self::too_many(format!(
                "this key has {most} {what}, which is the most; close one, or give each server a key of \
                 its own"
            )),
            Whose::Key => Self::too_many(format!(
                "this key has {most} {what}, which is the most, or would with this one; have fewer at \
                 once, and try again in a second"
            )),
            Whose::Organisation => Self::too_many(format!(
                "this organisation has {most} {what}, and the rest is kept for others; have fewer at \
                 once, and try again in a second"
            )),
            Whose::All => Self::unavailable(format!(
                "there are {most} {what}, which is the most, or would be with this one; try again in a \
                 second"
            )),
        };
        refused.passing()
    }
}

impl From<GuardianError> for Error {
    fn from(error: GuardianError) -> Self {
        match error {
            GuardianError::Invalid(message) => Self::new(ErrorKind::Invalid, message),
            other => {
                tracing::error!(error = %other, "a request could not be served");
                Self::unavailable("the Guardian cannot do this at present; try again later")
            }
        }
    }
}

impl From<getrandom::Error> for Error {
    fn from(error: getrandom::Error) -> Self {
        tracing::error!(%error, "the operating system gave no random bits");
        Self::unavailable("the Guardian has no random bits at present; try again later")
    }
}
