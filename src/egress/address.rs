//! What kind of network an address belongs to.
//!
//! Addresses that carry an IPv4 address inside are what that address is. Metadata services of
//! clouds are never reached, whatever range they lie in.
//!
//! SPEC: IANA special-purpose address registries; RFC 6890, RFC 4291 §2.5.5, RFC 6052, RFC 3056.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of network an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// The internet.
    Public,
    /// This machine.
    Loopback,
    /// A network of the operator's: RFC 1918, RFC 6598, unique local.
    Private,
    /// Never to be reached: link-local, metadata, multicast, unspecified, reserved.
    Never,
}

/// The range of an address.
#[must_use]
pub fn range(address: IpAddr) -> Range {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Range {
    match address.octets() {
        // Metadata of one cloud lies inside the shared range.
        [100, 100, 100, 200] => Range::Never,
        [127, ..] => Range::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Range::Private,
        [0, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18..=19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        | [224..=255, ..] => Range::Never,
        _ => Range::Public,
    }
}

fn v6(address: Ipv6Addr) -> Range {
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    if address == METADATA {
        return Range::Never;
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Range::Loopback,
        [0, 0, 0, 0, 0, 0xffff, high, low] => v4(inside(high, low)),
        // Compatible, translated (RFC 6052) and 6to4 addresses: only ways round to a public one.
        [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, _, _, _, _, _] => {
            match v4(inside(high, low)) {
                Range::Public => Range::Public,
                Range::Loopback | Range::Private | Range::Never => Range::Never,
            }
        }
        [0xfc00..=0xfdff, ..] => Range::Private,
        // The rest of what is not global unicast, and Teredo, documentation and local translation.
        [0x2001, 0 | 0xdb8, ..]
        | [0x64, 0xff9b, 1, ..]
        | [0..=0x63 | 0x65..=0x1fff | 0x4000..=0xfbff | 0xfe00.., ..] => Range::Never,
        _ => Range::Public,
    }
}

fn inside(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t107_internal_addresses_are_told_from_public_ones() {
        for (address, expected) in [
            ("8.8.8.8", Range::Public),
            ("2606:4700::1111", Range::Public),
            ("127.0.0.1", Range::Loopback),
            ("127.255.0.1", Range::Loopback),
            ("::1", Range::Loopback),
            ("::ffff:127.0.0.1", Range::Loopback),
            ("10.0.0.1", Range::Private),
            ("172.16.0.1", Range::Private),
            ("172.31.255.255", Range::Private),
            ("172.32.0.1", Range::Public),
            ("192.168.1.1", Range::Private),
            ("100.64.0.1", Range::Private),
            ("100.128.0.1", Range::Public),
            ("::ffff:10.0.0.1", Range::Private),
            ("fc00::1", Range::Private),
            ("fd12::1", Range::Private),
            ("169.254.169.254", Range::Never),
            ("::ffff:169.254.169.254", Range::Never),
            ("100.100.100.200", Range::Never),
            ("fd00:ec2::254", Range::Never),
            ("fe80::1", Range::Never),
            ("fec0::1", Range::Never),
            ("0.0.0.0", Range::Never),
            ("0.1.2.3", Range::Never),
            ("::", Range::Never),
            ("::ffff:0.0.0.0", Range::Never),
            ("224.0.0.1", Range::Never),
            ("255.255.255.255", Range::Never),
            ("ff02::1", Range::Never),
            ("::127.0.0.1", Range::Never),
            ("64:ff9b::7f00:1", Range::Never),
            ("64:ff9b::a9fe:a9fe", Range::Never),
            ("64:ff9b::808:808", Range::Public),
            ("64:ff9b:1::1", Range::Never),
            ("2002:7f00:1::", Range::Never),
            ("2001::1", Range::Never),
            ("2001:db8::1", Range::Never),
            ("100::1", Range::Never),
        ] {
            assert_eq!(range(address.parse().unwrap()), expected, "{address}");
        }
    }
}
