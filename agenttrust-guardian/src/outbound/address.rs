//! Which addresses may be reached: the public ones, by a list of what is public and not of what is not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether this address may be reached: a public one, or where `private_too`, one of this machine or
/// of the networks of one's own. Never one that is only good for reaching what nobody meant to offer:
/// link-local ones, where clouds keep their secrets, multicast, and what stands for another address.
pub(super) fn is_allowed(address: IpAddr, private_too: bool) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address) || (private_too && is_own_v4(address)),
        IpAddr::V6(address) => is_public_v6(address) || (private_too && is_own_v6(address)),
    }
}

/// Where clouds keep the secrets of their machines, besides 169.254.169.254, which is link-local.
const METADATA_V4: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

fn is_own_v4(address: Ipv4Addr) -> bool {
    address != METADATA_V4 && is_inner_v4(address)
}

fn is_inner_v4(address: Ipv4Addr) -> bool {
    // Between a carrier and its customers.
    let shared = matches!(address.octets(), [100, 64..=127, ..]);
    address.is_loopback() || address.is_private() || shared
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

fn is_own_v6(address: Ipv6Addr) -> bool {
    address != METADATA_V6 && (address.is_loopback() || address.is_unique_local())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Global unicast is 2000::/3; a v4 address in the clothes of a v6 one is outside, but for these.
    matches!(segments, [0x2000..=0x3fff, ..])
        && !matches!(
            segments,
            // Protocols, Teredo among them; documentation; 6to4; documentation.
            [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..]
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(address: &str, private_too: bool) -> bool {
        is_allowed(address.parse().unwrap(), private_too)
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
            "3fff::1",
            "fec0::1",
            "fd00:ec2::254",
            "100.100.100.200",
        ] {
            assert!(!allowed(address, false), "{address}");
            assert!(!allowed(address, true), "{address}");
        }
    }
}
