//! What a token says, and what it must say. Read only of a token whose signature was verified.

use std::time::Duration;

use agenttrust::Timestamp;
use serde_json::{Map, Value};

use super::refusal::{Excerpt, Refusal};
use super::token::{Unverified, kind};

/// The time by which an issuer's clock may differ from ours.
pub(crate) const SKEW: Duration = Duration::from_secs(60);
/// The largest length of a subject.
pub(super) const SUBJECT_MAX_BYTES: usize = 1024;
/// The time from now within which a token has to expire: one that is good for ever was not meant to be.
const LIFETIME_MOST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// The last second of the calendar that every reader knows.
const LAST_SECOND: f64 = 253_402_300_799.0;

/// The purpose of a token, by the type that its header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typ {
    /// A token of another issuer: no type, `JWT` or `at+jwt`.
    External,
    /// A token of a workload: `wit+jwt`.
    Workload,
    /// A token that binds a request for access to a denial: `access-denial+jwt`.
    Denial,
}

impl Typ {
    /// Checks that the token is of the expected type.
    ///
    /// That the token is of another type: it was made for something else.
    pub(super) fn check(self, typ: Option<&str>) -> Result<(), Refusal> {
        let Some(typ) = typ else {
            return match self {
                Self::External => Ok(()),
                Self::Workload | Self::Denial => Err(Refusal::NoType),
            };
        };
        let folded = typ.to_ascii_lowercase();
        let fits = match self {
            Self::External => {
                let short = folded.strip_prefix("application/").unwrap_or(&folded);
                matches!(short, "jwt" | "at+jwt")
            }
            Self::Workload => folded == "wit+jwt",
            Self::Denial => folded == "access-denial+jwt",
        };
        if fits { Ok(()) } else { Err(Refusal::Type(Excerpt::new(typ))) }
    }
}

/// The claims that a token must have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    /// The issuer, byte for byte.
    pub(crate) issuer: &'a str,
    /// The audiences, one of which the token must name. A workload's token may be for any server, and the server that
    /// verifies one looks at that itself.
    pub(crate) audiences: &'a [String],
    /// The purpose of the token.
    pub(crate) typ: Typ,
    /// The present.
    pub(crate) now: Timestamp,
}

/// The claims of a verified token.
#[derive(Clone, Debug)]
pub(crate) struct Claims {
    /// The subject that the token is about.
    pub(crate) subject: String,
    /// The audiences that the token is for.
    pub(crate) audiences: Vec<String>,
    /// The end of the token; for [`SKEW`] longer it is still taken.
    pub(crate) expires_at: Timestamp,
    /// The words of `scope`, else of `scp`.
    pub(crate) scopes: Vec<String>,
    /// All that it says.
    pub(crate) all: Map<String, Value>,
}

impl Claims {
    /// Holds what a token says against what it must say.
    pub(super) fn check(token: &Unverified<'_>, expected: &Expected<'_>) -> Result<Self, Refusal> {
        let all = &token.claims;
        if token.issuer() != expected.issuer {
            return Err(Refusal::Issuer(Excerpt::new(token.issuer())));
        }
        let subject = subject(all)?;
        let audiences = match expected.typ {
            Typ::Workload if !all.contains_key("aud") => Vec::new(),
            _ => audiences(all)?,
        };
        let is_for_us = audiences.iter().any(|named| expected.audiences.contains(named));
        if !is_for_us && expected.typ != Typ::Workload {
            return Err(Refusal::Audience(Excerpt::new(&audiences.join(", "))));
        }
        let scopes = scopes(all)?;
        // Without the proof of its key, whoever found it could use it.
        if expected.typ == Typ::External && all.contains_key("cnf") {
            return Err(Refusal::KeyBound);
        }
        // The end of a session (OIDC Back-Channel Logout) and other events (RFC 8417) are told in tokens that nobody
        // needs to hold secret.
        if expected.typ == Typ::External && all.contains_key("events") {
            return Err(Refusal::Event);
        }
        let expires_at = time(all, "exp")?.ok_or(Refusal::MissingClaim("exp"))?;
        check_times(all, expires_at, expected.now)?;
        Ok(Self { subject, audiences, expires_at, scopes, all: all.clone() })
    }
}

/// Refuses a token that is not good at the moment. That it has expired is seen last.
fn check_times(
    all: &Map<String, Value>,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), Refusal> {
    let soon = now.saturating_add(SKEW);
    if let Some(not_before) = time(all, "nbf")?.filter(|not_before| *not_before > soon) {
        return Err(Refusal::NotYet(not_before));
    }
    if let Some(issued) = time(all, "iat")?.filter(|issued| *issued > soon) {
        return Err(Refusal::IssuedLater(issued));
    }
    if expires_at > now.saturating_add(LIFETIME_MOST) {
        return Err(Refusal::TooFar(expires_at));
    }
    if expires_at.saturating_add(SKEW) <= now {
        return Err(Refusal::Expired(expires_at));
    }
    Ok(())
}

fn subject(all: &Map<String, Value>) -> Result<String, Refusal> {
    let subject = match all.get("sub").ok_or(Refusal::MissingClaim("sub"))? {
        Value::String(subject) => subject,
        other => return Err(wrong("sub", "a text", other)),
    };
    let fits = (1..=SUBJECT_MAX_BYTES).contains(&subject.len());
    if fits && !subject.chars().any(char::is_control) {
        Ok(subject.clone())
    } else {
        Err(Refusal::Subject)
    }
}

fn audiences(all: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let audiences = match all.get("aud").ok_or(Refusal::MissingClaim("aud"))? {
        Value::String(audience) => vec![audience.clone()],
        Value::Array(listed) => texts(listed, "aud")?,
        other => return Err(wrong("aud", "a text or a list of texts", other)),
    };
    if audiences.is_empty() || audiences.iter().any(String::is_empty) {
        return Err(Refusal::NoAudience);
    }
    Ok(audiences)
}

/// Returns what the token may be used for. One of the wrong type is refused: left out, it would allow more.
fn scopes(all: &Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let words =
        |text: &str| text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let scope: Option<Vec<String>> = match all.get("scope") {
        None => None,
        Some(Value::String(text)) => Some(words(text)),
        Some(other) => return Err(wrong("scope", "a text", other)),
    };
    let scp: Option<Vec<String>> = match all.get("scp") {
        None => None,
        Some(Value::Array(listed)) => Some(texts(listed, "scp")?),
        Some(Value::String(text)) => Some(words(text)),
        Some(other) => return Err(wrong("scp", "a text or a list of texts", other)),
    };
    Ok(scope.or(scp).unwrap_or_default())
}

fn texts(listed: &[Value], name: &'static str) -> Result<Vec<String>, Refusal> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(wrong(name, "a text or a list of texts", other)),
    };
    listed.iter().map(text).collect()
}

/// Returns a point in time: seconds since 1970, with or without a fraction.
fn time(all: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
    let seconds = match all.get(name) {
        None => return Ok(None),
        Some(Value::Number(number)) => number.as_f64().ok_or(Refusal::NoTime(name))?,
        Some(other) => return Err(wrong(name, "a number", other)),
    };
    if !(0.0..=LAST_SECOND).contains(&seconds) {
        return Err(Refusal::NoTime(name));
    }
    // Within what was looked at, seconds are exact to far less than a microsecond's use.
    #[allow(clippy::cast_possible_truncation)]
    let micros = (seconds * 1e6).floor() as i64;
    Timestamp::from_unix_micros(micros).map(Some).ok_or(Refusal::NoTime(name))
}

fn wrong(name: &'static str, wanted: &'static str, found: &Value) -> Refusal {
    Refusal::ClaimType { name, wanted, found: kind(found) }
}
