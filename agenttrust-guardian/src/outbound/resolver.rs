//! The lookup of names, without the addresses that may not be reached. The call connects to what is
//! left, so a name that means one address now and another one in a moment does not get past the
//! rules.

use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::Reach;
use super::target::is_local_name;

/// The resolver of names, which gives only addresses that may be reached.
#[derive(Clone, Debug)]
pub(super) struct Guarded {
    pub(super) reach: Reach,
    /// Whether it is for calls without TLS.
    pub(super) plain: bool,
}

impl Guarded {
    /// Returns those of `found` that may be reached under this name.
    fn sift(&self, name: &str, found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
        let local = is_local_name(name);
        let allowed = |address: &SocketAddr| match self.plain {
            true => self.reach.allows_plain(address.ip(), local),
            false => self.reach.allows(address.ip()),
        };
        // A local name may be written without TLS, so it has to be local.
        found.filter(allowed).filter(|address| !local || address.ip().is_loopback()).collect()
    }

    /// Looks up a name, and leaves the addresses that may be reached under it.
    pub(super) async fn addresses(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((name, port)).await?;
        let allowed = self.sift(name, found);
        if allowed.is_empty() {
            return Err(io::Error::other(match self.plain {
                true => "the name stands for no address that may be reached without TLS",
                false => "the name stands for no address that may be reached",
            }));
        }
        Ok(allowed)
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guarded = self.clone();
        Box::pin(async move {
            let allowed = guarded.addresses(name.as_str(), 0).await?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sifted(guarded: &Guarded, name: &str, found: &[&str]) -> Vec<String> {
        let found = found.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0));
        let sifted = guarded.sift(name, found);
        sifted.iter().map(|address| address.ip().to_string()).collect()
    }

    fn guarded(private_too: bool, ranges: &[&str], plain: bool) -> Guarded {
        let ranges: Vec<_> = ranges.iter().map(|range| range.parse().unwrap()).collect();
        Guarded { reach: Reach::new(private_too, &ranges), plain }
    }

    const MIXED: [&str; 5] = ["10.0.0.1", "8.8.8.8", "::1", "169.254.169.254", "::ffff:10.0.0.1"];

    #[test]
    fn name_that_stands_for_public_and_private_addresses_is_reached_only_at_the_public_ones() {
        let (strict, lenient) = (guarded(false, &[], false), guarded(true, &[], false));
        assert_eq!(sifted(&strict, "hooks.example.com", &MIXED), ["8.8.8.8"]);
        assert_eq!(sifted(&lenient, "hooks.example.com", &MIXED), ["10.0.0.1", "8.8.8.8", "::1"]);
        assert_eq!(sifted(&lenient, "localhost", &MIXED), ["::1"]);
        assert!(sifted(&strict, "localhost", &MIXED).is_empty());
    }

    #[test]
    fn name_is_reached_without_tls_only_at_addresses_that_were_opened() {
        let opened = guarded(false, &["10.0.0.0/8", "0.0.0.0/1"], true);
        assert_eq!(sifted(&opened, "tools.example.com", &MIXED), ["10.0.0.1", "8.8.8.8"]);
        let opened = guarded(false, &["10.0.0.0/8"], true);
        assert_eq!(sifted(&opened, "tools.example.com", &MIXED), ["10.0.0.1"]);
        assert!(sifted(&opened, "localhost", &MIXED).is_empty());
        let lenient = guarded(true, &[], true);
        assert!(sifted(&lenient, "tools.example.com", &MIXED).is_empty());
        assert_eq!(sifted(&lenient, "localhost", &MIXED), ["::1"]);
    }

    #[tokio::test]
    async fn name_of_this_machine_resolves_only_where_it_was_opened() {
        let resolve = |guarded: Guarded| guarded.resolve("localhost".parse().unwrap());
        assert!(resolve(guarded(false, &[], false)).await.is_err());
        assert!(resolve(guarded(true, &[], false)).await.is_ok());
        assert!(resolve(guarded(true, &[], true)).await.is_ok());
        assert!(resolve(guarded(false, &["127.0.0.0/8", "::1"], true)).await.is_ok());
    }
}
