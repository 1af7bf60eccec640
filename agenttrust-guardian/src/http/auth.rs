//! The caller: the API key in `X-API-Key`, or in `Authorization: Bearer`. A caller that names an agent in `X-Agent-ID`
//! speaks for that agent and no other.

use std::sync::Arc;

use agenttrust::model::headers::API_KEY;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use crate::domain::Error;
use crate::domain::names::check_name;
use crate::domain::role::Access;
use crate::domain::{DEFAULT_ORG, Fingerprint, Key, Permission, Reach, Role};
use crate::engine::Engine;
use crate::mcp::TOKEN_PREFIX;

pub(super) const UNKNOWN: &str = "the API key is not known here, or was revoked; use another one";

/// The header that may name the agent.
const AGENT_ID: &str = "X-Agent-ID";

/// A caller with a key that works.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) key: Arc<Key>,
    /// The secret by which the key was presented: of a rotated key, one of two.
    pub(super) secret: Fingerprint,
    /// The agent that `X-Agent-ID` names; one that the key may name.
    pub(super) named: Option<String>,
}

impl Caller {
    /// Returns how far the caller may go with `permission`; 403 when not at all.
    pub(super) fn need(&self, permission: Permission) -> Result<Access, Error> {
        self.key.need(permission)
    }

    /// Checks a permission as [`need`](Self::need) does, and returns the key with how far the caller may go.
    pub(super) fn reach(&self, permission: Permission) -> Result<Reach<'_>, Error> {
        let named = self.named.as_deref();
        Ok(Reach { access: self.need(permission)?, key: &self.key, named })
    }

    /// Checks that the caller may do this for the agent; 403 for an agent that the key is not bound to, and for
    /// another one than `X-Agent-ID` names.
    pub(super) fn need_for(&self, permission: Permission, agent_id: &str) -> Result<(), Error> {
        self.reach(permission)?.need(agent_id)
    }

    /// Returns the agents that the key is bound to; the one of them that `X-Agent-ID` names, if it names one.
    pub(super) fn agents(&self) -> impl Iterator<Item = &str> {
        let spoken_for = |id: &&String| self.named.as_ref().is_none_or(|named| named == *id);
        self.key.agents.iter().filter(spoken_for).map(String::as_str)
    }

    /// Refuses a caller of another organisation than the Guardian's own with 403. `because` is the first half of the
    /// sentence that says why.
    pub(super) fn need_own_organisation(&self, because: &str) -> Result<(), Error> {
        if self.org_id() == DEFAULT_ORG {
            return Ok(());
        }
        let role = self.key.role;
        Err(Error::forbidden(format!("{because}; use a key of role {role} of {DEFAULT_ORG:?}")))
    }

    /// Returns the caller's organisation.
    pub(super) fn org_id(&self) -> &str {
        &self.key.org_id
    }
}

/// The key that a request came with, looked up before the request had a place, or the reason why none of them works.
#[derive(Clone)]
pub(super) struct Identified(pub(super) Result<(Arc<Key>, Fingerprint), Error>);

/// Returns the key that the headers present, and the secret by which they do.
pub(super) async fn identify(
    engine: &Engine,
    headers: &HeaderMap,
) -> Result<(Arc<Key>, Fingerprint), Error> {
    let key = presented(headers)
        .ok_or_else(|| Error::unauthenticated("no API key; send one in the X-API-Key header"))?;
    let key = key.ok_or_else(|| Error::unauthenticated(UNKNOWN))?;
    let hash = Fingerprint::from_text(key);
    if is_token(key) {
        let known = engine.registry.keys.get(&hash, engine.clock.now());
        return known.map(|key| (key, hash)).ok_or_else(|| Error::unauthenticated(UNKNOWN));
    }
    match engine.key(hash).await {
        Ok(Some(key)) => Ok((key, hash)),
        Ok(None) => Err(Error::unauthenticated(UNKNOWN)),
        // Unknown here and nobody to ask: as good as unknown.
        Err(error) => {
            tracing::warn!(%error, "an unknown key could not be looked up");
            Err(Error::unauthenticated(UNKNOWN))
        }
    }
}

impl FromRequestParts<Arc<Engine>> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, engine: &Arc<Engine>) -> Result<Self, Error> {
        let (key, hash) = match parts.extensions.get::<Identified>() {
            Some(Identified(identified)) => identified.clone()?,
            None => identify(engine, &parts.headers).await?,
        };
        // For the body, which may arrive much later.
        parts.extensions.insert(hash);
        let named = named(&parts.headers)?;
        if let Some(agent_id) = &named
            && key.role == Role::Agent
            && !key.is_bound_to(agent_id)
        {
            return Err(Error::not_bound(agent_id));
        }
        Ok(Self { key, secret: hash, named })
    }
}

/// Returns the agent that `X-Agent-ID` names.
fn named(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let mut values = headers.get_all(AGENT_ID).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::invalid(AGENT_ID, "is there more than once; send it once"));
    }
    let Some(agent_id) = text(value) else {
        return Err(Error::invalid(AGENT_ID, "holds more than printable ASCII characters"));
    };
    if agent_id.is_empty() {
        return Ok(None);
    }
    check_name(AGENT_ID, agent_id)?;
    Ok(Some(agent_id.to_owned()))
}

/// Returns the key as presented; inside, `None` when it cannot be any key.
pub(super) fn presented(headers: &HeaderMap) -> Option<Option<&str>> {
    // Of two keys, whoever is in between may have looked at the other one.
    if [API_KEY, AUTHORIZATION.as_str()]
        .iter()
        .any(|name| headers.get_all(*name).iter().nth(1).is_some())
    {
        return Some(None);
    }
    if let Some(value) = headers.get(API_KEY) {
        let key = text(value);
        if key != Some("") {
            return Some(key);
        }
    }
    let bearer = text(headers.get(AUTHORIZATION)?).and_then(|value| value.split_once(' '));
    Some(bearer.and_then(|(scheme, key)| {
        let key = key.trim();
        (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
    }))
}

/// Returns whether a text looks like a token and not like a key that was made here: it is looked for in memory alone,
/// so that those who come with tokens use up nothing that new keys are looked up by.
fn is_token(text: &str) -> bool {
    text.starts_with(TOKEN_PREFIX) || is_signed(text)
}

/// Returns whether a text looks like a JSON Web Token: parts between dots, of which the first is an object in
/// base64url.
pub(super) fn is_signed(text: &str) -> bool {
    text.starts_with("ey") && text.contains('.')
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_token_is_none_of_the_keys_that_are_made_here() {
        let header = "eyJhbGciOiJSUzI1NiJ9";
        for token in ["at_x", &format!("{header}.e30.c2ln"), &format!("{header}."), "eyA.e30.c"] {
            assert!(is_token(token), "{token}");
        }
        for key in ["sk_live_x", header, "", "my.own.key", "at"] {
            assert!(!is_token(key), "{key}");
        }
    }
}
