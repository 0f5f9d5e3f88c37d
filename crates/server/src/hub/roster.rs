//! How everybody is, taken together from this node's devices and what the other nodes say. Pure: the
//! hub holds it and tells the time.
//!
//! A node says how its people are when that changes, and says all of it again now and then: what
//! was lost on the way is made good, and what a dead node said wears off.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use switchback_core::UserId;
use switchback_core::wire::{PresenceChange, PresenceState};
use tokio::time::Instant;
use uuid::Uuid;

use super::presence::Level;

#[derive(Debug, Default)]
pub(super) struct Roster {
    own: HashMap<UserId, Level>,
    others: HashMap<UserId, HashMap<Uuid, Heard>>,
    /// Who is with this node otherwise than the other nodes were last told.
    own_stirred: HashSet<UserId>,
    /// Who is perhaps not as everybody was last told.
    stirred: HashSet<UserId>,
    /// What everybody was last told of those who are not offline.
    shown: HashMap<UserId, PresenceState>,
    /// Counts the changes of `shown`.
    edition: u64,
    /// Of those who are stirred, whose state some were told already.
    given_away: HashSet<UserId>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    level: Level,
    at: Instant,
}

impl Roster {
    /// How somebody's devices on this node are.
    pub(super) fn set_own(&mut self, user: UserId, level: Level) {
        let before = match level {
            Level::Offline => self.own.remove(&user),
            level => self.own.insert(user, level),
        };
        if before.unwrap_or_default() != level {
            self.stirred.insert(user);
            self.own_stirred.insert(user);
        }
    }

    /// Another node says how somebody is there.
    pub(super) fn hear(&mut self, node: Uuid, user: UserId, level: Level, at: Instant) {
        let heard = self.others.entry(user).or_default();
        let before = match level {
            Level::Offline => heard.remove(&node),
            level => heard.insert(node, Heard { level, at }),
        };
        if heard.is_empty() {
            self.others.remove(&user);
        }
        if before.map_or(Level::Offline, |heard| heard.level) != level {
            self.stirred.insert(user);
        }
    }

    /// What other nodes said counts as if said now.
    pub(super) fn renew(&mut self, now: Instant) {
        self.others.values_mut().flat_map(HashMap::values_mut).for_each(|heard| heard.at = now);
    }

    /// Forgets what other nodes have not said again for `grace`.
    pub(super) fn sweep(&mut self, now: Instant, grace: Duration) {
        let Self { others, stirred, .. } = self;
        others.retain(|user, heard| {
            let before = heard.len();
            heard.retain(|_, heard| now.saturating_duration_since(heard.at) < grace);
            if heard.len() < before {
                stirred.insert(*user);
            }
            !heard.is_empty()
        });
    }

    /// Everybody who is with this node.
    pub(super) fn own(&self) -> impl Iterator<Item = (UserId, Level)> + '_ {
        self.own.iter().map(|(user, level)| (*user, *level))
    }

    /// Those with this node whom the other nodes must be told of.
    pub(super) fn own_news(&mut self) -> impl Iterator<Item = (UserId, Level)> + '_ {
        let own = &self.own;
        self.own_stirred.drain().map(|user| (user, own.get(&user).copied().unwrap_or_default()))
    }

    /// Everybody who is not offline, as they are now.
    pub(super) fn present(&self) -> Vec<PresenceChange> {
        let elsewhere = self.others.keys().filter(|user| !self.own.contains_key(user));
        let users = self.own.keys().chain(elsewhere);
        users.map(|user| PresenceChange { user: *user, state: self.state(*user) }).collect()
    }

    /// Everybody who is not offline, as all were last told.
    pub(super) fn shown(&self) -> Vec<PresenceChange> {
        self.shown.iter().map(|(user, state)| PresenceChange { user: *user, state: *state }).collect()
    }

    /// What has changed since, for `user` who comes now; of more than `most` changes, their own alone.
    /// What is given away here is told to all the next time, whatever it is then: who was given a state
    /// that did not last would otherwise keep it.
    pub(super) fn since_shown(&mut self, user: UserId, most: usize) -> Vec<PresenceChange> {
        let stirred: Vec<UserId> = if self.stirred.len() <= most {
            self.stirred.iter().copied().collect()
        } else {
            self.stirred.get(&user).copied().into_iter().collect()
        };
        let now = stirred.into_iter().map(|user| PresenceChange { user, state: self.state(user) });
        let changes: Vec<_> = now.filter(|change| self.told(change.user) != change.state).collect();
        self.given_away.extend(changes.iter().map(|change| change.user));
        changes
    }

    /// Another number whenever [`Roster::shown`] is another list.
    pub(super) const fn edition(&self) -> u64 {
        self.edition
    }

    /// What everybody must be told.
    pub(super) fn news(&mut self) -> Vec<PresenceChange> {
        let (stirred, given_away) = (std::mem::take(&mut self.stirred), std::mem::take(&mut self.given_away));
        let mut changes = Vec::new();
        for user in stirred {
            let state = self.state(user);
            let before = match state {
                PresenceState::Offline => self.shown.remove(&user),
                state => self.shown.insert(user, state),
            };
            if before.unwrap_or(PresenceState::Offline) != state || given_away.contains(&user) {
                changes.push(PresenceChange { user, state });
            }
        }
        if !changes.is_empty() {
            self.edition += 1;
        }
        changes
    }

    /// What everybody was last told of somebody.
    fn told(&self, user: UserId) -> PresenceState {
        self.shown.get(&user).copied().unwrap_or(PresenceState::Offline)
    }

    fn state(&self, user: UserId) -> PresenceState {
        let own = self.own.get(&user).copied();
        let others = self.others.get(&user).into_iter().flat_map(HashMap::values).map(|heard| heard.level);
        own.into_iter().chain(others).max().unwrap_or_default().state()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(40);

    fn user(number: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(number))
    }

    fn told(roster: &mut Roster) -> Vec<(UserId, PresenceState)> {
        let mut news: Vec<_> = roster.news().into_iter().map(|change| (change.user, change.state)).collect();
        news.sort_by_key(|(user, _)| *user);
        news
    }

    #[test]
    fn the_most_of_all_nodes_counts_and_is_told_once() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        let (ada, near, far) = (user(1), Uuid::from_u128(1), Uuid::from_u128(2));
        roster.set_own(ada, Level::Away);
        assert_eq!(roster.own_news().collect::<Vec<_>>(), [(ada, Level::Away)]);
        roster.set_own(ada, Level::Away);
        assert_eq!(roster.own_news().count(), 0);
        assert_eq!(told(&mut roster), [(ada, PresenceState::Away)]);
        roster.hear(near, ada, Level::Online, now);
        assert_eq!(told(&mut roster), [(ada, PresenceState::Online)]);
        roster.hear(far, ada, Level::Online, now);
        roster.set_own(ada, Level::Offline);
        assert_eq!(roster.own_news().collect::<Vec<_>>(), [(ada, Level::Offline)]);
        roster.hear(near, ada, Level::Offline, now);
        assert_eq!(told(&mut roster), [], "still online with the third");
        roster.hear(far, ada, Level::Offline, now);
        assert_eq!(told(&mut roster), [(ada, PresenceState::Offline)]);
        assert!(roster.shown().is_empty());
    }

    #[test]
    fn away_on_a_new_node_outweighs_online_on_the_one_that_was_left() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        roster.set_own(user(1), Level::WasOnline);
        roster.hear(Uuid::nil(), user(1), Level::Away, now);
        assert_eq!(told(&mut roster), [(user(1), PresenceState::Away)]);
    }

    #[test]
    fn who_was_given_what_did_not_last_hears_what_is_true() {
        let (mut roster, ada, bob) = (Roster::default(), user(1), user(2));
        roster.set_own(ada, Level::Online);
        told(&mut roster);
        let edition = roster.edition();
        roster.set_own(ada, Level::Away);
        assert_eq!(roster.shown(), [PresenceChange { user: ada, state: PresenceState::Online }]);
        roster.set_own(ada, Level::Online);
        assert_eq!(told(&mut roster), [], "nobody knows");
        assert_eq!(roster.edition(), edition);
        roster.set_own(ada, Level::Away);
        let away = [PresenceChange { user: ada, state: PresenceState::Away }];
        assert_eq!(roster.since_shown(bob, 8), away);
        roster.set_own(ada, Level::Online);
        assert_eq!(told(&mut roster), [(ada, PresenceState::Online)], "bob takes ada for away");
        assert_eq!(roster.since_shown(bob, 8), []);
        assert_eq!(told(&mut roster), [], "once is enough");
    }

    #[test]
    fn of_many_changes_one_s_own_is_enough() {
        let mut roster = Roster::default();
        for number in 1..=3 {
            roster.set_own(user(number), Level::Online);
        }
        assert_eq!(roster.since_shown(user(3), 3).len(), 3);
        let own = PresenceChange { user: user(3), state: PresenceState::Online };
        assert_eq!(roster.since_shown(user(3), 2), [own]);
        assert_eq!(told(&mut roster).len(), 3);
    }

    #[test]
    fn what_a_dead_node_said_wears_off() {
        let (mut roster, start) = (Roster::default(), Instant::now());
        let (dead, alive) = (Uuid::from_u128(1), Uuid::from_u128(2));
        roster.hear(dead, user(1), Level::Online, start);
        roster.hear(dead, user(2), Level::Online, start);
        roster.hear(alive, user(2), Level::Online, start + GRACE / 2);
        assert_eq!(told(&mut roster).len(), 2);
        roster.sweep(start + GRACE / 2, GRACE);
        assert_eq!(told(&mut roster), []);
        roster.sweep(start + GRACE, GRACE);
        assert_eq!(told(&mut roster), [(user(1), PresenceState::Offline)]);
        assert_eq!(roster.shown().len(), 1);
        roster.renew(start + GRACE * 3);
        roster.sweep(start + GRACE * 3, GRACE);
        assert_eq!(told(&mut roster), [], "nothing was to be heard meanwhile");
    }
}
