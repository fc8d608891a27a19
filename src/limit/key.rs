//! Whose count it is.
//!
//! A key holds nothing that its owner can vary for a fresh budget: an IPv6 address counts by its network
//! of 64 bits, since whoever holds one address holds them all, and an IPv4 address counts the same in
//! each of its forms.

use std::net::{IpAddr, Ipv6Addr};

use crate::{name::ClientId, policy::By, principal::Principal};

/// What is known of a request that may be charged.
#[derive(Debug, Clone, Copy)]
pub struct Payer<'a> {
    /// Where it comes from.
    pub address: IpAddr,
    /// Who asks.
    pub principal: &'a Principal,
    /// Through which client.
    pub client: Option<&'a ClientId>,
    /// What identifies the token without giving it away.
    pub token: Option<&'a str>,
    /// The server that is asked.
    pub server: Option<&'a str>,
    /// The tool that is called.
    pub tool: Option<&'a str>,
}

impl<'a> Payer<'a> {
    /// Nobody known, at an address.
    #[must_use]
    pub const fn at(address: IpAddr) -> Self {
        Self { address, principal: &Principal::Anonymous, client: None, token: None, server: None, tool: None }
    }

    /// Whose count it is in a tier that counts by this. Where there is nobody of that kind, it is who comes
    /// nearest.
    #[must_use]
    pub fn key(&self, by: By) -> Key<'a> {
        let Self { address, principal, client, token, server, tool } = *self;
        let (user, client) = match principal {
            Principal::User(user) => (Some(Key::User(user.as_str())), client),
            Principal::Client(client) => (None, Some(client)),
            Principal::Anonymous => (None, client),
        };
        let client = client.map(|client| Key::Client(client.as_str()));
        match by {
            By::Address => None,
            By::Client => client.or(user),
            By::User => user.or(client),
            By::Token => token.map(Key::Token),
            By::Server => Some(server.map_or(Key::Everyone, Key::Server)),
            By::Tool => Some(server.zip(tool).map_or(Key::Everyone, |(server, tool)| Key::Tool(server, tool))),
        }
        .unwrap_or_else(|| Key::address(address))
    }
}

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
