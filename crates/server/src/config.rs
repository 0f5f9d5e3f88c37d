//! What an operator can choose. The binary fills it from flags, environment and file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use crate::bus::BusHome;
use crate::{TlsFiles, limits};

/// Settings of one server.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address people type (`https://chat.example.org`), for links and the origin check. `None`:
    /// taken from each request's `Host` and `X-Forwarded-Proto`.
    pub public_url: Option<String>,
    /// Encrypts the server's own port. `None`: plain HTTP, for this machine or behind a proxy.
    pub tls: Option<TlsFiles>,
    /// Whose `X-Forwarded-For` tells the peer's address (for rate limits on sign-in).
    pub trusted_proxies: Vec<AddressRange>,
    /// On a planned stop, how long open connections are waited for; at most `limits::DRAIN_MAX`.
    pub drain: Duration,
    /// Sign-ins of one address per minute.
    pub sign_ins_per_minute: u32,
    /// Commands of one person per second, in the long run.
    pub commands_per_second: u32,
    /// Commands of one person at once.
    pub commands_burst: u32,
    /// Connections open at once; at most `limits::CONNECTIONS`. Each takes a file descriptor.
    pub connections: usize,
    /// Events kept in memory for live delivery.
    pub ring_events: usize,
    /// Pages of history kept encoded, in bytes.
    pub history_cache_bytes: usize,
    /// Where this server meets the others of its workspace.
    pub bus: BusHome,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: None,
            tls: None,
            trusted_proxies: vec![
                AddressRange { address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), prefix: 8 },
                AddressRange { address: IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), prefix: 128 },
            ],
            drain: limits::DRAIN_MAX,
            sign_ins_per_minute: limits::SIGN_INS_PER_MINUTE,
            commands_per_second: limits::COMMANDS_PER_SECOND,
            commands_burst: limits::COMMANDS_BURST,
            connections: limits::CONNECTIONS,
            ring_events: limits::RING_EVENTS,
            history_cache_bytes: limits::HISTORY_CACHE_BYTES,
            bus: BusHome::default(),
        }
    }
}

impl Config {
    /// Whether this peer is a proxy whose forwarding headers are believed.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|range| range.contains(peer))
    }
}

/// A range of addresses: `10.0.0.0/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange {
    /// Its first address, or any in it.
    pub address: IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

/// Why a text is not an [`AddressRange`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address or a range like 10.0.0.0/8")]
pub struct BadAddressRange(String);

impl AddressRange {
    /// Whether `other` lies in it. An IPv4 address in IPv6 clothes counts as IPv4.
    pub fn contains(self, other: IpAddr) -> bool {
        match (self.address.to_canonical(), other.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32_u32.saturating_sub(u32::from(self.prefix));
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128_u32.saturating_sub(u32::from(self.prefix));
                own.to_bits().checked_shr(shift) == other.to_bits().checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for AddressRange {
    type Err = BadAddressRange;

    fn from_str(text: &str) -> Result<Self, BadAddressRange> {
        let bad = || BadAddressRange(text.to_owned());
        let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
        let address: IpAddr = address.trim().parse().map_err(|_| bad())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = if text.contains('/') { prefix.trim().parse().map_err(|_| bad())? } else { most };
        if prefix > most {
            return Err(bad());
        }
        Ok(Self { address, prefix })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        let check = |range: &str, address: &str, inside: bool| {
            let range: AddressRange = range.parse().unwrap();
            assert_eq!(range.contains(address.parse().unwrap()), inside, "{address} in {range:?}");
        };
        check("10.0.0.0/8", "10.200.3.4", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.0.0.0/8", "::ffff:10.1.1.1", true);
        check("192.168.1.7", "192.168.1.7", true);
        check("192.168.1.7", "192.168.1.8", false);
        check("0.0.0.0/0", "8.8.8.8", true);
        check("0.0.0.0/0", "::1", false);
        check("fd00::/8", "fd12::1", true);
        check("::1", "::1", true);
    }

    #[test]
    fn what_is_no_range_is_refused_by_name() {
        for text in ["", "10.0.0.0/33", "10.0.0.0/", "localhost", "10.0.0/8", "::/129"] {
            assert!(text.parse::<AddressRange>().unwrap_err().to_string().contains(text), "{text}");
        }
    }
}
