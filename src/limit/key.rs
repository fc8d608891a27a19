//! Whose count it is.
//!
//! A key holds nothing that its owner can vary for a fresh budget: an IPv6 address counts by its network
//! of 64 bits, since whoever holds one address holds them all, and an IPv4 address counts the same in
//! each of its forms.

use std::net::{IpAddr, Ipv6Addr};

/// Whose count it is. Keys of different kinds are different, whatever their text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key<'k> {
    /// By [`Key::address`].
    Address(Network),
    /// An OAuth client.
    Client(&'k str),
    /// A user.
    User(&'k str),
    /// A token, by what identifies it without giving it away.
    Token(&'k str),
    /// A server, for all its callers together.
    Server(&'k str),
    /// A tool of a server, for all its callers together.
    Tool(&'k str, &'k str),
    /// Everyone together, where there is nothing to tell them apart by.
    Everyone,
}

/// An IPv4 address, or an IPv6 network of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Key<'_> {
    /// The sender at an address.
    pub fn address(address: IpAddr) -> Self {
        Self::Address(Network(network(address)))
    }
}

/// What one sender holds: an IPv4 address, in whichever form it came, or an IPv6 network of 64 bits.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}
