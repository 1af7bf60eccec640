//! The refusal of requests under a name that is not one of this Guardian's, where a listener knows its names.
//!
//! For `agenttrust serve` alone: a router that a program serves or nests itself is asked under whatever name that
//! program likes.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::http::header::{HOST, ORIGIN};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::counting;
use crate::domain::Error;
use crate::domain::host::{Host, Hosts};
use crate::engine::Engine;

/// The number of characters of what a caller sent that an answer repeats.
const SHOWN_MAX_CHARS: usize = 100;
/// The paths that any name may be used for: they tell nothing of any organisation, and monitors that know no names ask
/// for them.
const EXEMPT: [&str; 2] = ["/health", "/metrics"];

/// The state of the middleware: the engine, and the names that this Guardian is asked under.
pub(super) type HostState = State<(Arc<Engine>, Arc<Hosts>)>;

/// Returns the middleware that refuses.
pub(super) async fn refuse_others(
    State((engine, hosts)): HostState,
    request: Request,
    next: Next,
) -> Response {
    match check(&hosts, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => {
            let method = counting::word(request.method());
            let why = error.message().to_owned();
            let response = error.into_response();
            let status = response.status().as_u16();
            tracing::debug!(method, status, why, "answered");
            engine.metrics.requests.count(method, "none".to_owned(), status);
            response
        }
    }
}

/// Looks at the host that a request is for, and at the page that it comes from, if there is one.
fn check(hosts: &Hosts, request: &Request) -> Result<(), Error> {
    if EXEMPT.contains(&request.uri().path()) {
        return Ok(());
    }
    let host = asked_host(request)?;
    let known = Host::parse(host).is_some_and(|(host, _)| hosts.have(&host));
    if !known {
        return Err(unknown("asked for as", host));
    }
    match only(request, &ORIGIN)? {
        Some(origin) if !is_page_of(hosts, origin) => {
            let error = unknown("asked by a page of", origin);
            // MCP has a status of its own for that.
            Err(if is_mcp(request) { Error::forbidden(error.message().to_owned()) } else { error })
        }
        Some(_) | None => Ok(()),
    }
}

/// Returns whether a request is for an MCP server behind the Guardian.
fn is_mcp(request: &Request) -> bool {
    let below = request.uri().path().strip_prefix("/mcp/");
    below.is_some_and(|id| !matches!(id, "" | "servers" | "approvals") && !id.contains('/'))
}

/// Returns the host that a request names: in its target (`:authority` of HTTP/2), in its header `Host`, or in both
/// alike.
fn asked_host(request: &Request) -> Result<&str, Error> {
    let target = request.uri().authority().map(|authority| authority.as_str());
    let header = only(request, &HOST)?;
    match (target, header) {
        (Some(target), Some(header)) if !is_same(target, header) => {
            Err(Error::misdirected(format!(
                "the request is for {} and its header Host says {}; send one of them, or both alike",
                shown(target),
                shown(header)
            )))
        }
        (Some(host), _) | (None, Some(host)) => Ok(host),
        (None, None) => Err(Error::misdirected(
            "the request names no host; send the header Host, such as localhost",
        )),
    }
}

/// Returns this header, which may be there once.
fn only<'a>(request: &'a Request, name: &HeaderName) -> Result<Option<&'a str>, Error> {
    let mut values = request.headers().get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::misdirected(format!(
            "the header {name} is there more than once; send it once"
        )));
    }
    let text = value.to_str().map_err(|_| {
        Error::misdirected(format!(
            "the header {name} is {}, which is no ASCII; send a name as DNS has it",
            shown(&String::from_utf8_lossy(value.as_bytes()))
        ))
    })?;
    Ok(Some(text))
}

/// Returns whether both name the same host, and no two ports.
fn is_same(one: &str, other: &str) -> bool {
    match (Host::parse(one), Host::parse(other)) {
        (Some((one, port)), Some((other, other_port))) => {
            one == other && (port == other_port || port.is_none() || other_port.is_none())
        }
        _ => false,
    }
}

/// Returns whether an `Origin` is a page of one of the hosts. `null`, which a sandboxed page sends, is not one.
fn is_page_of(hosts: &Hosts, origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    let web = ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
    web && Host::parse(host).is_some_and(|(host, _)| hosts.have(&host))
}

fn unknown(how: &str, name: &str) -> Error {
    Error::misdirected(format!(
        "this Guardian is {how} {}, which is not one of its names; use localhost or its address, or start it with \
         --public-url and a URL of that name, if the name is yours",
        shown(name)
    ))
}

/// Returns what a caller sent, as it may be repeated: quoted, without control characters, and not without end.
fn shown(text: &str) -> String {
    let mut start: String = text.chars().take(SHOWN_MAX_CHARS).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("{start:?}")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;
    use crate::domain::ErrorKind;

    fn asked(target: &str, headers: &[(&str, &[u8])]) -> Result<(), Error> {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let hosts = Hosts::new([Host::Name("guardian.example".to_owned())]);
        check(&hosts, &request.body(Body::empty()).unwrap())
    }

    #[test]
    fn target_and_header_name_one_host_and_not_two() {
        for (target, host) in [
            ("http://localhost:8080/a", "localhost:8080"),
            ("http://localhost:8080/a", "LocalHost"),
            ("http://localhost/a", "localhost:8080"),
            ("http://guardian.example/a", "guardian.example"),
        ] {
            asked(target, &[("host", host.as_bytes())]).unwrap();
            asked(target, &[]).unwrap();
        }
        for (target, host) in [
            ("http://localhost/a", "evil.example"),
            ("http://evil.example/a", "localhost"),
            ("http://localhost:1/a", "localhost:2"),
            ("http://localhost/a", "127.0.0.1"),
            ("http://localhost/a", ""),
            ("http://evil.example/a", "evil.example"),
            ("http://localhost@evil.example/a", "evil.example"),
            ("/a", "evil.example"),
            ("/a", ""),
        ] {
            assert!(asked(target, &[("host", host.as_bytes())]).is_err(), "{target} {host}");
        }
        assert!(asked("/a", &[]).unwrap_err().message().contains("names no host"));
        let twice = [("host", b"localhost".as_slice()), ("host", b"localhost")];
        assert!(asked("/a", &twice).unwrap_err().message().contains("more than once"));
    }

    #[test]
    fn page_is_of_one_of_the_hosts_or_nothing_is_answered() {
        let from = |origin: &str| {
            let headers = [("host", b"localhost".as_slice()), ("origin", origin.as_bytes())];
            asked("/a", &headers)
        };
        for origin in [
            "http://localhost:3000",
            "https://guardian.example",
            "HTTPS://GUARDIAN.EXAMPLE:444",
            "http://[::1]:1",
            "http://127.0.0.1",
        ] {
            from(origin).unwrap();
        }
        for origin in [
            "",
            "null",
            "localhost",
            "http://evil.example",
            "http://localhost.evil.example",
            "http://localhost@evil.example",
            "http://localhost, http://evil.example",
            "http://localhost/a",
            "file://localhost",
            "chrome-extension://localhost",
        ] {
            assert!(from(origin).is_err(), "{origin:?}");
        }
    }

    #[test]
    fn page_that_asks_an_mcp_server_is_forbidden_as_mcp_has_it() {
        let headers = [("host", b"localhost".as_slice()), ("origin", b"http://evil.example")];
        let kind = |target: &str| asked(target, &headers).unwrap_err().kind();
        assert_eq!(kind("/mcp/mcp_1"), ErrorKind::Forbidden);
        for path in ["/mcp/servers", "/mcp/approvals", "/mcp/servers/mcp_1", "/mcp/", "/api/v1/x"] {
            assert_eq!(kind(path), ErrorKind::Misdirected, "{path}");
        }
        let other = [("host", b"evil.example".as_slice())];
        assert_eq!(asked("/mcp/mcp_1", &other).unwrap_err().kind(), ErrorKind::Misdirected);
    }

    #[test]
    fn host_is_repeated_in_part_and_without_what_acts_on_a_terminal() {
        let long = "x".repeat(5_000);
        let error = asked("/a", &[("host", long.as_bytes())]).unwrap_err();
        assert!(error.message().len() < 500, "{}", error.message());
        let error = asked("/a", &[("host", b"evil\xff\xe2\x80\xae.example")]).unwrap_err();
        assert!(error.message().contains("is no ASCII"), "{}", error.message());
        assert!(error.message().contains("\\u{202e}"), "{}", error.message());
    }

    #[test]
    fn health_and_metrics_are_answered_under_any_name() {
        for path in EXEMPT {
            asked(path, &[("host", b"evil.example"), ("origin", b"null")]).unwrap();
            asked(&format!("http://evil.example{path}?a=b"), &[]).unwrap();
        }
        for path in ["/health/", "//health", "/healthy", "/api/v1/agents"] {
            assert!(asked(path, &[("host", b"evil.example")]).is_err(), "{path}");
        }
    }
}
