//! Under which address this Guardian is reached, as far as can be told.

use axum::http::header::HOST;
use axum::http::request::Parts;

use super::admit::InProcess;
use crate::domain::{Base, Peer};
use crate::engine::Engine;

/// The headers that proxies add.
const HANDED_ON: [&str; 5] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// Returns the base of the absolute URLs that are given out: what the operator says, else what was asked for.
pub(super) fn base(engine: &Engine, parts: &Parts) -> Base {
    if let Some(url) = engine.settings.public_url() {
        return Base(url.to_owned());
    }
    asked_for(engine, parts)
}

/// Returns the base that a request was asked under, as far as it says.
pub(super) fn asked_for(engine: &Engine, parts: &Parts) -> Base {
    let host = asked_host(parts).unwrap_or("localhost");
    Base(format!("{}://{host}", engine.settings.scheme))
}

/// Returns whether the base is certain: the operator set it, or the request came to this machine's own address from
/// this machine. Otherwise `Host` is the word of the sender alone.
pub(super) fn is_certain(engine: &Engine, parts: &Parts) -> bool {
    if engine.settings.public_url().is_some() {
        return true;
    }
    // Who comes through a proxy is not from here, wherever the proxy is.
    let is_handed_on = HANDED_ON.iter().any(|name| parts.headers.contains_key(*name));
    let is_from_here = parts.extensions.get::<InProcess>().is_some()
        || parts
            .extensions
            .get::<Peer>()
            .is_some_and(|Peer(peer)| peer.ip().to_canonical().is_loopback());
    is_from_here
        && !is_handed_on
        && asked_host(parts).is_some()
        && asked_for(engine, parts).is_loopback()
}

/// Returns the host that a request names, where it is one.
fn asked_host(parts: &Parts) -> Option<&str> {
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let plain = |host: &&str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte);
        !host.is_empty() && host.len() <= 300 && host.bytes().all(plain)
    };
    authority.or(host).filter(plain)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::http::Request;

    use super::*;
    use crate::harness::open_with;

    #[tokio::test]
    async fn only_who_asks_from_this_machine_is_believed_that_it_is_asked_as_itself() {
        let api = open_with(|builder| builder).await;
        let is_certain = |peer: Option<&str>, headers: &[(&str, &str)]| {
            let mut request = Request::builder().uri("/mcp/mcp_1");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            if let Some(peer) = peer {
                let peer: SocketAddr = peer.parse().unwrap();
                parts.extensions.insert(Peer(peer));
            }
            is_certain(api.guardian.engine(), &parts)
        };
        let here = Some("127.0.0.1:5000");
        for (peer, host) in [
            (here, "localhost:8080"),
            (here, "127.0.0.1"),
            (Some("[::1]:5000"), "[::1]:8080"),
            (Some("[::ffff:127.0.0.1]:5000"), "localhost"),
        ] {
            assert!(is_certain(peer, &[("host", host)]), "{peer:?} {host}");
        }
        for (peer, host) in [
            (Some("192.0.2.1:5000"), "localhost:8080"),
            (Some("[2001:db8::1]:5000"), "127.0.0.1"),
            (None, "localhost"),
            (here, "elsewhere.example"),
            (here, "local host"),
            (here, ""),
        ] {
            assert!(!is_certain(peer, &[("host", host)]), "{peer:?} {host}");
        }
        assert!(!is_certain(here, &[]), "no host is none of this machine");
        for proxy in HANDED_ON {
            assert!(!is_certain(here, &[("host", "localhost"), (proxy, "x")]), "{proxy}");
        }
        let api = open_with(|builder| builder.public_url("https://guardian.example")).await;
        let (parts, ()) = Request::new(()).into_parts();
        assert!(super::is_certain(api.guardian.engine(), &parts), "the operator says it");
    }
}
