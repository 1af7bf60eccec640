//! The hosts under which a Guardian is asked.
//!
//! A web page may turn its own name to the address of this machine (DNS rebinding) and so reach what listens there.
//! What gives it away is the name: a browser sends the one of the page.

#[cfg(feature = "cli")]
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::numbers::digits;

/// The longest name that DNS knows.
const NAME_MAX_BYTES: usize = 253;

/// The name of a machine, as the `Host` header and the authority of a URL have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Host {
    Address(IpAddr),
    /// A name in lower case, without the dot that may end it.
    Name(String),
}

impl Host {
    /// Reads a host, and the port that may follow it. A user, an escape, an IPv6 address without brackets and
    /// whatever else is no plain name are `None`.
    pub(crate) fn parse(authority: &str) -> Option<(Self, Option<u16>)> {
        let (host, after) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (address, after) = rest.split_once(']')?;
                (Self::Address(address.parse::<Ipv6Addr>().ok()?.into()), after)
            }
            None => {
                let end = authority.find(':').unwrap_or(authority.len());
                let (host, after) = authority.split_at_checked(end)?;
                (Self::without_port(host)?, after)
            }
        };
        match after.strip_prefix(':') {
            None if after.is_empty() => Some((host, None)),
            None => None,
            // RFC 3986 lets a port be empty.
            Some("") => Some((host, None)),
            Some(port) => Some((host, Some(digits(port)?.try_into().ok()?))),
        }
    }

    fn without_port(host: &str) -> Option<Self> {
        let host = host.strip_suffix('.').unwrap_or(host);
        if let Ok(address) = host.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_name = !host.is_empty() && host.len() <= NAME_MAX_BYTES && host.bytes().all(plain);
        is_name.then(|| Self::Name(host.to_ascii_lowercase()))
    }
}

/// The hosts under which a listener answers: `localhost`, every address, and the names that it was given. No page of
/// another site can turn either of the first two elsewhere.
#[cfg(feature = "cli")]
#[derive(Clone, Debug)]
pub(crate) struct Hosts(BTreeSet<Host>);

#[cfg(feature = "cli")]
impl Hosts {
    /// Returns `localhost`, every address, and these names.
    pub(crate) fn new(given: impl IntoIterator<Item = Host>) -> Self {
        Self(given.into_iter().chain([Host::Name("localhost".to_owned())]).collect())
    }

    /// Returns whether this is one of them.
    pub(crate) fn have(&self, host: &Host) -> bool {
        matches!(host, Host::Address(_)) || self.0.contains(host)
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    fn passes(authority: &str) -> bool {
        let hosts = Hosts::new([Host::Name("guardian.example".to_owned())]);
        Host::parse(authority).is_some_and(|(host, _)| hosts.have(&host))
    }

    #[test]
    fn localhost_every_address_and_the_given_names_pass_whatever_the_port() {
        for authority in [
            "localhost",
            "localhost:8080",
            "LOCALHOST:1",
            "localhost.",
            "localhost.:8080",
            "localhost:",
            "127.0.0.1",
            "127.0.0.1:65535",
            "10.0.0.7:80",
            "[::1]",
            "[::1]:8080",
            "[2606:4700::1]:443",
            "[::ffff:127.0.0.1]",
            "guardian.example",
            "Guardian.Example.:8443",
        ] {
            assert!(passes(authority), "{authority}");
        }
    }

    #[test]
    fn other_names_and_what_is_no_host_do_not_pass() {
        let long = "a".repeat(254);
        for authority in [
            "",
            ".",
            ":8080",
            "evil.example",
            "evil.example:80",
            "localhost.evil.example",
            "evil.localhost",
            "guardian.example.evil.example",
            "xguardian.example",
            "localhost..",
            "localhost:8080:80",
            "localhost:+80",
            "localhost:65536",
            "localhost:8080@evil.example",
            "evil.example@localhost",
            "localhost@evil.example",
            "localhost, evil.example",
            "localhost evil.example",
            " localhost",
            "localhost/",
            "localhost#",
            "localhost\\evil.example",
            "http://localhost",
            "%6cocalhost",
            "lоcalhost",
            "localhost\0",
            "::1",
            "[::1",
            "::1]",
            "[::1]x",
            "[::1]:x",
            "[localhost]",
            "[127.0.0.1]",
            "[fe80::1%25eth0]",
            "[fe80::1%eth0]",
            "0x7f.1",
            "2130706433",
            "127.1",
            "127.0.0.1.evil.example",
            "0177.0.0.1",
            &long,
        ] {
            assert!(!passes(authority), "{authority:?}");
        }
    }
}
