//! Under which address this Guardian is reached, as far as can be told.

use axum::http::header::HOST;
use axum::http::request::Parts;

use crate::domain::Base;
use crate::engine::Engine;

/// The base of the absolute URLs that are given out: what the operator says, else what was asked for.
pub(super) fn base(engine: &Engine, parts: &Parts) -> Base {
    if let Some(url) = engine.settings.public_url() {
        return Base(url.to_owned());
    }
    asked_for(engine, parts)
}

/// The base that a request was asked under, as far as it says.
pub(super) fn asked_for(engine: &Engine, parts: &Parts) -> Base {
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let plain = |host: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte);
        !host.is_empty() && host.len() <= 300 && host.bytes().all(plain)
    };
    let host = authority.or(host).filter(plain).unwrap_or("localhost");
    Base(format!("{}://{host}", engine.settings.scheme))
}
