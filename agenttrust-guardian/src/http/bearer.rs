//! A token in `Authorization`: one that was issued here, or one that an issuer outside has signed. The caller that
//! comes with one is not known before it was looked at.

use std::sync::Arc;

use agenttrust::model::headers::API_KEY;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::admit::{Admission, InProcess};
use super::auth::{Identified, is_signed};
use super::base::is_certain;
use super::params::header;
use crate::domain::{Error, Key};
use crate::engine::Engine;
use crate::mcp::TOKEN_PREFIX;
use crate::services::federation::{Arrived, recognise};

/// A token that came without a key.
#[derive(Debug)]
pub(super) enum Bearer {
    /// A token that the Guardian issued to an agent.
    Ours(String),
    /// A token that looks like one that an issuer signed.
    Signed(String),
}

impl Bearer {
    /// Finds the token in `Authorization`, where what stands there is no key.
    ///
    /// # Errors
    ///
    /// Invalid for one of ours beside a key.
    pub(super) fn of(parts: &Parts) -> Result<Option<Self>, Error> {
        let Some(token) = presented(&parts.headers)? else { return Ok(None) };
        if token.starts_with(TOKEN_PREFIX) {
            if header(&parts.headers, API_KEY)?.is_some() {
                return Err(Error::invalid(
                    API_KEY,
                    "came together with a token in Authorization; send one of them, so that it is clear who calls",
                ));
            }
            return Ok(Some(Self::Ours(token.to_owned())));
        }
        Self::signed(parts).map(|token| token.map(Self::Signed))
    }

    /// Finds the token of an issuer in `Authorization`, where there is no key.
    ///
    /// # Errors
    ///
    /// Invalid for a header that is there twice, or is no text.
    pub(super) fn signed(parts: &Parts) -> Result<Option<String>, Error> {
        let token = presented(&parts.headers)?.filter(|token| is_signed(token));
        let beside_key = header(&parts.headers, API_KEY)?.is_some();
        // A key may look like anything, and whoever comes with one is known by that.
        let is_key = matches!(parts.extensions.get::<Identified>(), Some(Identified(Ok(_))));
        Ok(token.filter(|_| !beside_key && !is_key).map(str::to_owned))
    }

    /// Refuses a session that is named beside a token: a call is made in one session, and what another one forbids is
    /// not forgotten in silence.
    ///
    /// # Errors
    ///
    /// Invalid.
    pub(super) fn need_no_session(headers: &HeaderMap) -> Result<(), Error> {
        if header(headers, "X-Session-ID")?.is_some_and(|named| !named.is_empty()) {
            return Err(Error::invalid(
                "X-Session-ID",
                "came together with a token in Authorization, which has a session of its own; leave it out, or come \
                 with the key of the agent instead of the token",
            ));
        }
        Ok(())
    }
}

fn presented(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(value) = header(headers, AUTHORIZATION.as_str())? else { return Ok(None) };
    let bearer = value.split_once(' ').filter(|(how, _)| how.eq_ignore_ascii_case("bearer"));
    Ok(bearer.map(|(_, token)| token.trim()))
}

/// Refuses a token of an issuer while only its sender says under which address this Guardian is reached. A token that
/// is meant for another place would be good here, if only that place's address is sent along as `Host`.
///
/// # Errors
///
/// Unauthenticated.
pub(super) fn need_certain(engine: &Engine, parts: &Parts) -> Result<(), Error> {
    if is_certain(engine, parts) {
        return Ok(());
    }
    Err(Error::unauthenticated(
        "this Guardian was not told under which address it is reached, so it cannot tell for whom the token of an issuer \
         is meant; start it with --public-url, or give GuardianBuilder::public_url",
    ))
}

/// Lets a caller in. While it is found out who it is, it is counted as `first`, and from then on as itself: what one
/// caller has under way takes nothing from another.
///
/// # Errors
///
/// Those of `found`, and where there is no place.
pub(super) async fn admitted<T>(
    engine: &Engine,
    parts: &mut Parts,
    first: &Arc<Key>,
    found: impl Future<Output = Result<T, Error>>,
    counted: impl FnOnce(&T) -> Arc<Key>,
) -> Result<T, Error> {
    let place = place(engine, parts, first)?;
    let found = found.await?;
    drop(place);
    keep_place(engine, parts, &counted(&found))?;
    Ok(found)
}

/// Lets in the sender of an issuer's token to what an organisation has at `address`, into the session with `server_id`
/// that the token is good for. It is counted as itself once it is recognised, and has no place before: what any
/// program may send without a key takes no place from others.
///
/// # Errors
///
/// Those of [`recognise`] and of its `enter`, and where there is no place.
pub(super) async fn arrived(
    engine: &Engine,
    parts: &mut Parts,
    (org_id, token): (&str, &str),
    (address, server_id): (&str, &str),
) -> Result<Arrived, Error> {
    let recognised = recognise(engine, org_id, token, address).await?;
    keep_place(engine, parts, &recognised.counted)?;
    recognised.enter(engine, server_id).await
}

/// Returns a place for a request that is made for this key; a program needs none in its own Guardian.
fn place(engine: &Engine, parts: &Parts, key: &Arc<Key>) -> Result<Option<Admission>, Error> {
    if parts.extensions.get::<InProcess>().is_some() {
        return Ok(None);
    }
    Ok(Some(Admission::of_ordinary(&engine.limits, key)?))
}

/// Keeps a place for this key while the request is under way.
fn keep_place(engine: &Engine, parts: &mut Parts, key: &Arc<Key>) -> Result<(), Error> {
    if let Some(place) = place(engine, parts, key)? {
        parts.extensions.insert(Arc::new(place));
    }
    Ok(())
}
