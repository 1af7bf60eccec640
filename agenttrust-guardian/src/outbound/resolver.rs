//! Looking up names, and forgetting the addresses that may not be reached. What is left is what is
//! connected to, so a name that means one address now and another one in a moment helps nobody.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::is_allowed;
use super::target::is_local_name;

/// Resolves names to addresses that may be reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guarded {
    pub(super) private_too: bool,
}

impl Guarded {
    /// Those of `found` that may be reached under this name.
    fn sift(self, name: &str, found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
        let local = is_local_name(name);
        found
            .filter(|address| is_allowed(address.ip(), self.private_too))
            // A local name may be written without TLS, so it has to be local.
            .filter(|address| !local || address.ip().is_loopback())
            .collect()
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guarded = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = guarded.sift(name.as_str(), found);
            if allowed.is_empty() {
                return Err("the name stands for no address that may be reached".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sifted(name: &str, private_too: bool, found: &[&str]) -> Vec<String> {
        let found = found.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 0));
        let sifted = Guarded { private_too }.sift(name, found);
        sifted.iter().map(|address| address.ip().to_string()).collect()
    }

    #[test]
    fn name_that_stands_for_public_and_private_addresses_is_reached_only_at_the_public_ones() {
        let mixed = ["10.0.0.1", "8.8.8.8", "::1", "169.254.169.254", "::ffff:10.0.0.1"];
        assert_eq!(sifted("hooks.example.com", false, &mixed), ["8.8.8.8"]);
        assert_eq!(sifted("hooks.example.com", true, &mixed), ["10.0.0.1", "8.8.8.8", "::1"]);
        assert_eq!(sifted("localhost", true, &mixed), ["::1"]);
        assert!(sifted("localhost", false, &mixed).is_empty());
    }

    #[tokio::test]
    async fn name_of_this_machine_resolves_only_where_private_targets_are_allowed() {
        let resolve = |private_too| Guarded { private_too }.resolve("localhost".parse().unwrap());
        assert!(resolve(false).await.is_err());
        assert!(resolve(true).await.is_ok());
    }
}
