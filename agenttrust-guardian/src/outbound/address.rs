//! Which addresses may be reached: the public ones, by a list of what is public and not of what is not, and
//! those that were opened.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::domain::AddressRange;

/// The addresses that may be reached beside the public ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    private_too: bool,
    ranges: Arc<[AddressRange]>,
}

impl Reach {
    /// Opens `ranges`, and where `private_too`, this machine and the networks of one's own.
    pub(crate) fn new(private_too: bool, ranges: &[AddressRange]) -> Self {
        Self { private_too, ranges: ranges.into() }
    }

    /// Returns whether this address may be reached by TLS: a public one, one that was opened, or where private
    /// ones are, one of this machine or of the networks of one's own. What clouds keep their secrets at has
    /// to be opened by itself; what stands for another address, or for many, never is.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        if is_metadata(address) {
            return self.ranges.iter().any(|range| range.is_only(address));
        }
        is_public(address) || (self.private_too && is_own(address)) || self.opens(address)
    }

    /// Returns whether this address may be reached without TLS as well, under any name or under a local one.
    pub(super) fn allows_plain(&self, address: IpAddr, local_name: bool) -> bool {
        self.opens(address) || (self.private_too && address.is_loopback() && local_name)
    }

    /// Returns whether a name may be called without TLS, as long as nothing is known of its addresses.
    pub(super) fn may_be_plain(&self, local_name: bool) -> bool {
        !self.ranges.is_empty() || (self.private_too && local_name)
    }

    /// Returns whether this machine may be reached under the name that it has for itself.
    pub(super) fn allows_local(&self) -> bool {
        self.allows(Ipv4Addr::LOCALHOST.into()) || self.allows(Ipv6Addr::LOCALHOST.into())
    }

    /// Returns whether this address is in a range that was opened.
    fn opens(&self, address: IpAddr) -> bool {
        !stands_for_others(address)
            && self.ranges.iter().any(|range| {
                if is_metadata(address) { range.is_only(address) } else { range.contains(address) }
            })
    }
}

/// The addresses where clouds keep the secrets of their machines, whatever kind of address each is.
const METADATA_V4: [Ipv4Addr; 7] = [
    Ipv4Addr::new(169, 254, 169, 254),
    // Of containers and pods at Amazon, of machines at Scaleway, Alibaba, Oracle and Azure.
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(169, 254, 42, 42),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];
const METADATA_V6: [Ipv6Addr; 4] = [
    // Of machines and pods at Amazon, of machines at Google and Scaleway.
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => METADATA_V4.contains(&address),
        IpAddr::V6(address) => METADATA_V6.contains(&address),
    }
}

/// Returns whether an address means no single machine: "any", multicast and broadcast, and addresses of IPv4 written
/// as IPv6, by which any of them could be reached.
fn stands_for_others(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            matches!(address.octets(), [0 | 224..=239, ..]) || address.is_broadcast()
        }
        IpAddr::V6(address) => {
            address.is_multicast() || (stands_for_v4(address) && !address.is_loopback())
        }
    }
}

fn stands_for_v4(address: Ipv6Addr) -> bool {
    matches!(
        address.segments(),
        // Compatible, mapped and translated ones; NAT64, Teredo, 6to4; and what ISATAP makes of one.
        [0, 0, 0, 0, 0, 0, ..]
            | [0, 0, 0, 0, 0, 0xffff, ..]
            | [0, 0, 0, 0, 0xffff, 0, ..]
            | [0x64, 0xff9b, ..]
            | [0x2001, 0, ..]
            | [0x2002, ..]
            | [_, _, _, _, 0 | 0x200, 0x5efe, ..]
    )
}

fn is_own(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_inner_v4(address),
        IpAddr::V6(address) => {
            address.is_loopback() || (address.is_unique_local() && !stands_for_v4(address))
        }
    }
}

fn is_inner_v4(address: Ipv4Addr) -> bool {
    // Between a carrier and its customers.
    let shared = matches!(address.octets(), [100, 64..=127, ..]);
    address.is_loopback() || address.is_private() || shared
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let reserved = matches!(
        address.octets(),
        // This network; protocols and documentation; relays; benchmarks; documentation; multicast
        // and all above.
        [0, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [198, 18..=19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [224..=255, ..]
    );
    !reserved && !is_inner_v4(address) && !address.is_link_local()
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Global unicast is 2000::/3; a v4 address in the clothes of a v6 one is outside, but for these.
    matches!(segments, [0x2000..=0x3fff, ..])
        && !stands_for_v4(address)
        && !matches!(
            segments,
            // Protocols; documentation; documentation.
            [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..]
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(private_too: bool, ranges: &[&str]) -> Reach {
        let ranges: Vec<_> = ranges.iter().map(|range| range.parse().unwrap()).collect();
        Reach::new(private_too, &ranges)
    }

    fn allowed(address: &str, private_too: bool) -> bool {
        opened(private_too, &[]).allows(address.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_reached() {
        for address in
            ["1.1.1.1", "8.8.8.8", "100.63.0.1", "100.128.0.1", "172.32.0.1", "2606:4700::1"]
        {
            assert!(allowed(address, false), "{address}");
            assert!(allowed(address, true), "{address}");
        }
    }

    #[test]
    fn addresses_of_ones_own_are_reached_only_where_that_is_allowed() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fc00::1",
            "fd12:3456::1",
        ] {
            assert!(!allowed(address, false), "{address}");
            assert!(allowed(address, true), "{address}");
        }
    }

    #[test]
    fn metadata_multicast_and_addresses_that_stand_for_others_are_never_reached() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:8.8.8.8",
            "::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2606:4700::5efe:7f00:1",
            "3fff::1",
            "fec0::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
        ] {
            assert!(!allowed(address, false), "{address}");
            assert!(!allowed(address, true), "{address}");
        }
    }

    #[test]
    fn range_that_was_opened_is_reached_without_tls_too_and_what_is_beside_it_is_not() {
        let reach = opened(false, &["10.1.0.0/16", "169.254.0.0/16", "fe80::/10", "::1"]);
        for address in ["10.1.2.3", "169.254.1.1", "fe80::1", "::1"] {
            let address = address.parse().unwrap();
            assert!(reach.allows(address) && reach.allows_plain(address, false), "{address}");
        }
        for address in ["10.2.0.1", "127.0.0.1", "192.168.0.1", "fc00::1"] {
            let address = address.parse().unwrap();
            assert!(!reach.allows(address) && !reach.allows_plain(address, true), "{address}");
        }
        let public = "8.8.8.8".parse().unwrap();
        assert!(reach.allows(public) && !reach.allows_plain(public, false));
        assert!(reach.allows_local() && !opened(false, &["10.0.0.0/8"]).allows_local());
    }

    #[test]
    fn place_where_clouds_keep_secrets_is_opened_by_itself_and_by_no_range_that_holds_it() {
        for address in
            METADATA_V4.map(IpAddr::from).into_iter().chain(METADATA_V6.map(IpAddr::from))
        {
            let all = opened(true, &["0.0.0.0/0", "::/0", "169.254.169.254/31"]);
            assert!(!all.allows(address) && !all.allows_plain(address, true), "{address}");
            let itself = opened(false, &[&address.to_string()]);
            assert!(itself.allows(address) && itself.allows_plain(address, false), "{address}");
        }
    }

    #[test]
    fn what_stands_for_others_is_opened_by_no_range() {
        let all =
            opened(true, &["0.0.0.0/0", "::/0", "0.0.0.0", "::", "64:ff9b::/96", "224.0.0.1"]);
        for address in [
            "0.0.0.0",
            "0.0.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "::ffff:0:7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fe80::5efe:a9fe:a9fe",
        ] {
            let address = address.parse().unwrap();
            assert!(!all.allows(address) && !all.allows_plain(address, true), "{address}");
        }
        for address in ["127.0.0.1", "::1", "198.18.0.1", "fec0::1"] {
            assert!(all.allows(address.parse().unwrap()), "{address}");
        }
    }
}
