//! How often somebody may do something: sign in (by address and by handle), write and search (by person), be
//! shown as typing (by person and room).
//! A token bucket each (governor's GCRA), forgotten again when it is full.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use switchback_core::{RoomId, UserId};

use super::Refusal;
use crate::{Config, limits};

pub(super) struct Limiters {
    sign_ins_by_address: DefaultKeyedRateLimiter<IpAddr>,
    sign_ins_by_handle: DefaultKeyedRateLimiter<String>,
    commands: DefaultKeyedRateLimiter<UserId>,
    searches: DefaultKeyedRateLimiter<UserId>,
    typing: DefaultKeyedRateLimiter<(UserId, RoomId)>,
}

impl Limiters {
    pub(super) fn new(config: &Config) -> Self {
        let by_address = per_minute(config.sign_ins_per_minute, limits::SIGN_INS_BURST);
        let by_handle = per_minute(limits::SIGN_INS_PER_HANDLE_PER_MINUTE, limits::SIGN_INS_PER_HANDLE_BURST);
        let commands = Quota::per_second(at_least_one(config.commands_per_second))
            .allow_burst(at_least_one(config.commands_burst));
        let searches = Quota::per_second(at_least_one(limits::SEARCHES_PER_SECOND))
            .allow_burst(at_least_one(limits::SEARCHES_BURST));
        let typing = every(limits::TYPING_EVERY).allow_burst(at_least_one(limits::TYPING_BURST));
        Self {
            sign_ins_by_address: RateLimiter::keyed(by_address),
            sign_ins_by_handle: RateLimiter::keyed(by_handle),
            commands: RateLimiter::keyed(commands),
            searches: RateLimiter::keyed(searches),
            typing: RateLimiter::keyed(typing),
        }
    }

    /// Somebody tries a secret (password, invitation, set-up link) from this address.
    pub(super) fn sign_in(&self, address: IpAddr, handle: Option<&str>) -> Result<(), Refusal> {
        check(&self.sign_ins_by_address, &network(address), "too many attempts from your address")?;
        match handle {
            Some(handle) => {
                check(&self.sign_ins_by_handle, &handle.to_owned(), "too many attempts for this handle")
            }
            None => Ok(()),
        }
    }

    /// Somebody signed in tries passwords: as bad as from outside.
    pub(super) fn password_change(&self, user: UserId) -> Result<(), Refusal> {
        check(&self.sign_ins_by_handle, &user.to_string(), "too many attempts to change the password")
    }

    /// Somebody writes.
    pub(super) fn command(&self, user: UserId) -> Result<(), Refusal> {
        check(&self.commands, &user, "too many commands in a short time")
    }

    /// Somebody searches.
    pub(super) fn search(&self, user: UserId) -> Result<(), Refusal> {
        check(&self.searches, &user, "too many searches in a short time")
    }

    /// Whether it is worth telling a room once more that somebody types there.
    pub(super) fn is_typing_news(&self, user: UserId, room: RoomId) -> bool {
        check(&self.typing, &(user, room), "").is_ok()
    }

    pub(super) fn tidy(&self) {
        tidy(&self.sign_ins_by_address);
        tidy(&self.sign_ins_by_handle);
        tidy(&self.commands);
        tidy(&self.searches);
        tidy(&self.typing);
    }
}

fn check<K: Hash + Eq + Clone>(
    limiter: &DefaultKeyedRateLimiter<K>,
    key: &K,
    what: &'static str,
) -> Result<(), Refusal> {
    // Between two tidyings an attacker with many addresses must not fill the memory.
    if limiter.len() > limits::RATE_KEYS {
        limiter.retain_recent();
    }
    limiter.check_key(key).map_err(|not_until| {
        let wait = not_until.wait_time_from(DefaultClock::default().now());
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
        Refusal::rate_limited(format!("{what}; try again in {} s", wait_ms.div_ceil(1_000)), wait_ms)
    })
}

fn tidy<K: Hash + Eq + Clone>(limiter: &DefaultKeyedRateLimiter<K>) {
    limiter.retain_recent();
    limiter.shrink_to_fit();
}

fn per_minute(count: u32, burst: u32) -> Quota {
    every(Duration::from_mins(1) / at_least_one(count).get()).allow_burst(at_least_one(burst))
}

fn every(period: Duration) -> Quota {
    // A period of zero is what `with_period` refuses; no limit here is that.
    Quota::with_period(period).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
}

fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

/// One person's IPv6 addresses are as many as they like: their network counts.
fn network(address: IpAddr) -> IpAddr {
    const HOST_BITS: u32 = 64;
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> HOST_BITS << HOST_BITS).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchback_core::wire::ErrorCode;

    #[test]
    fn beyond_the_burst_it_says_how_long_to_wait() {
        let limiters = Limiters::new(&Config { commands_burst: 3, ..Config::default() });
        let user = UserId::from_uuid(uuid::Uuid::nil());
        let outcomes: Vec<_> = (0..4).map(|_| limiters.command(user)).collect();
        assert!(outcomes[..3].iter().all(Result::is_ok));
        let refusal = outcomes[3].clone().err();
        assert_eq!(refusal.as_ref().map(Refusal::code), Some(ErrorCode::RateLimited));
        assert!(refusal.is_some_and(|refusal| refusal.0.retry_after_ms > Some(0) && refusal.0.retry));
    }

    #[test]
    fn typing_is_told_once_in_a_while_for_each_room() {
        let limiters = Limiters::new(&Config::default());
        let user = UserId::from_uuid(uuid::Uuid::nil());
        let [here, there] = [1, 2].map(|id| RoomId::from_uuid(uuid::Uuid::from_u128(id)));
        for _ in 0..limits::TYPING_BURST {
            assert!(limiters.is_typing_news(user, here));
        }
        let told = [here, there, here].map(|room| limiters.is_typing_news(user, room));
        assert_eq!(told, [false, true, false]);
    }

    #[test]
    fn neighbours_in_one_ipv6_network_share_a_limit() {
        let address = |text: &str| text.parse().map(network);
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:2"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:10.0.0.1"), address("10.0.0.1"));
    }
}
