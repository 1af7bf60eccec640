//! Who is calling: the API key in `X-API-Key`, or in `Authorization: Bearer`.

use std::sync::Arc;

use agenttrust::model::headers::API_KEY;
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};

use super::ApiError;
use crate::registry::Key;
use crate::role::{Access, Permission, Role};
use crate::secret::Fingerprint;
use crate::state::State;

/// A caller with a key that works.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) key: Arc<Key>,
}

impl Caller {
    /// How far the caller may go with `permission`; 403 when not at all.
    pub(super) fn need(&self, permission: Permission) -> Result<Access, ApiError> {
        match self.key.role.may(permission) {
            Access::No => Err(ApiError::forbidden(format!(
                "a key of role {} may not {permission}; use one of role {}",
                self.key.role,
                Role::ALL
                    .iter()
                    .filter(|role| role.may(permission) != Access::No)
                    .map(|role| role.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            ))),
            access => Ok(access),
        }
    }

    /// As [`need`](Self::need), for this agent; 403 for an agent that the key is not bound to.
    pub(super) fn need_for(&self, permission: Permission, agent_id: &str) -> Result<(), ApiError> {
        match self.need(permission)? {
            Access::Own if !self.key.is_bound_to(agent_id) => Err(ApiError::not_bound(agent_id)),
            _ => Ok(()),
        }
    }

    /// The caller's organisation.
    pub(super) fn org_id(&self) -> &str {
        &self.key.org_id
    }
}

impl FromRequestParts<Arc<State>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<State>) -> Result<Self, ApiError> {
        const UNKNOWN: &str = "the API key is not known here, or was revoked; use another one";
        let key = presented(&parts.headers).ok_or_else(|| {
            ApiError::unauthenticated("no API key; send one in the X-API-Key header")
        })?;
        let hash = Fingerprint::of(key.ok_or_else(|| ApiError::unauthenticated(UNKNOWN))?);
        match state.key(hash).await {
            Ok(Some(key)) => Ok(Self { key }),
            Ok(None) => Err(ApiError::unauthenticated(UNKNOWN)),
            // Unknown here and nobody to ask: as good as unknown.
            Err(error) => {
                tracing::warn!(%error, "an unknown key could not be looked up");
                Err(ApiError::unauthenticated(UNKNOWN))
            }
        }
    }
}

/// The key as presented; inside, `None` when it cannot be any key.
fn presented(headers: &HeaderMap) -> Option<Option<&str>> {
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

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok().map(str::trim)
}
