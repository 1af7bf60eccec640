//! Ranges of addresses, as `10.0.0.0/8` or `fd00::/8` name them; one address is a range as well.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The text is no range of addresses; what is wrong with it, as the rest of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidRange {
    #[error("no range of addresses; write one such as 10.1.0.0/16, fd00::/8 or 10.1.2.3")]
    Unreadable,
    #[error(
        "longer than an address is: there are at most 32 bits after the / of IPv4 and 128 of IPv6"
    )]
    TooLong,
    #[error(
        "an address within a range and not where one begins; end it with zeros, such as 10.1.0.0/16, or leave out the /"
    )]
    NotItsBeginning,
    #[error(
        "a range of IPv4 in the clothes of IPv6, which is never called; write it as IPv4, such as 10.1.0.0/16"
    )]
    Disguised,
}

/// A range of addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct AddressRange {
    first: IpAddr,
    bits: u8,
}

impl AddressRange {
    /// Returns whether this address is in it. One of IPv4 is in no range of IPv6.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => begin_v4(address, self.bits) == first,
            (IpAddr::V6(first), IpAddr::V6(address)) => begin_v6(address, self.bits) == first,
            _ => false,
        }
    }

    /// Returns whether it is this address and no other.
    pub(crate) fn is_only(&self, address: IpAddr) -> bool {
        self.first == address && self.bits == width(address)
    }
}

impl FromStr for AddressRange {
    type Err = InvalidRange;

    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let (first, bits) = match text.split_once('/') {
            Some((first, bits)) => (first, Some(bits)),
            None => (text, None),
        };
        let first: IpAddr = first.parse().map_err(|_| InvalidRange::Unreadable)?;
        if matches!(first, IpAddr::V6(first) if first.to_ipv4_mapped().is_some()) {
            return Err(InvalidRange::Disguised);
        }
        let bits = match bits {
            None => width(first),
            // Neither a sign nor leading zeros: others read these as something else.
            Some(bits) if bits.len() > 3 || !bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(InvalidRange::Unreadable);
            }
            Some(bits) if bits.len() > 1 && bits.starts_with('0') => {
                return Err(InvalidRange::Unreadable);
            }
            Some(bits) => bits
                .parse::<u16>()
                .map_err(|_| InvalidRange::Unreadable)
                .and_then(|bits| u8::try_from(bits).map_err(|_| InvalidRange::TooLong))?,
        };
        if bits > width(first) {
            return Err(InvalidRange::TooLong);
        }
        let range = Self { first, bits };
        if range.contains(first) { Ok(range) } else { Err(InvalidRange::NotItsBeginning) }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

impl fmt::Debug for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn begin_v4(address: Ipv4Addr, bits: u8) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() & mask)
}

fn begin_v6(address: Ipv6Addr, bits: u8) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<AddressRange, InvalidRange> {
        text.parse()
    }

    #[test]
    fn range_holds_what_begins_as_it_does_and_nothing_else() {
        for (range, inside, outside) in [
            (
                "10.1.0.0/16",
                &["10.1.0.0", "10.1.255.255"][..],
                &["10.0.255.255", "10.2.0.0", "::1"][..],
            ),
            ("10.1.2.3", &["10.1.2.3"], &["10.1.2.2", "10.1.2.4"]),
            ("10.1.2.3/32", &["10.1.2.3"], &["10.1.2.4"]),
            ("0.0.0.0/0", &["0.0.0.0", "8.8.8.8", "255.255.255.255"], &["::", "::ffff:8.8.8.8"]),
            ("127.0.0.0/9", &["127.127.0.1"], &["127.128.0.1"]),
            ("fd00::/8", &["fd00::1", "fdff::1"], &["fc00::1", "fe00::1", "10.0.0.1"]),
            ("::/0", &["::1", "2606::1"], &["1.1.1.1"]),
            ("::1", &["::1"], &["::", "::2"]),
        ] {
            let range = read(range).unwrap();
            for address in inside {
                assert!(range.contains(address.parse().unwrap()), "{range} {address}");
            }
            for address in outside {
                assert!(!range.contains(address.parse().unwrap()), "{range} {address}");
            }
        }
        assert!(read("10.1.2.3").unwrap().is_only("10.1.2.3".parse().unwrap()));
        assert!(!read("10.1.2.2/31").unwrap().is_only("10.1.2.2".parse().unwrap()));
        assert!(read("fd00::/128").unwrap().is_only("fd00::".parse().unwrap()));
    }

    #[test]
    fn what_is_no_range_is_refused_with_what_is_wrong() {
        for text in [
            "",
            "/",
            "10",
            "10.0.0.0/",
            "10.0.0.0/x",
            "10.0.0.0/+8",
            "10.0.0.0/-8",
            "10.0.0.0/08",
            "10.0.0.0/8/8",
            "/8",
            "10.0.0/8",
            "010.0.0.0/8",
            "0x7f.0.0.1",
            "localhost",
            "fd00::/9999",
            "[::1]",
            "fe80::1%eth0",
            " 10.0.0.0/8",
        ] {
            assert_eq!(read(text), Err(InvalidRange::Unreadable), "{text}");
        }
        for text in ["10.0.0.0/33", "10.0.0.0/256", "10.0.0.0/999", "fd00::/129"] {
            assert_eq!(read(text), Err(InvalidRange::TooLong), "{text}");
        }
        for text in ["10.0.0.1/8", "fd00::1/8", "1.0.0.0/0"] {
            assert_eq!(read(text), Err(InvalidRange::NotItsBeginning), "{text}");
        }
        for text in ["::ffff:10.0.0.0/104", "::ffff:127.0.0.1"] {
            assert_eq!(read(text), Err(InvalidRange::Disguised), "{text}");
        }
    }
}
