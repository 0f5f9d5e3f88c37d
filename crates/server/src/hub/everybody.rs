//! Everybody's presence as every connection begins with it: encoded once for all who come between
//! two changes. After a restart thousands come within seconds, and each is told of all the others.

use std::sync::{Arc, Mutex, PoisonError};

use switchback_core::wire::{PresenceChange, ServerFrame};

use crate::limits;
use crate::log::Frame;

/// The list that was last asked for.
#[derive(Debug, Default)]
pub(super) struct Everybody(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// Which list it is; `None`: nobody asked yet.
    edition: Option<u64>,
    frames: Vec<Arc<Frame>>,
}

impl Everybody {
    /// The frames of the list that counts now; none for an empty one. `now` is told which one is at
    /// hand, and says from which position on it is true, and which one counts if it is another.
    pub(super) fn frames(
        &self,
        now: impl FnOnce(Option<u64>) -> (u64, Option<(u64, Vec<PresenceChange>)>),
    ) -> (u64, Vec<Arc<Frame>>) {
        // Held while the list is encoded: whoever else asks would encode the same.
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (position, other) = now(told.edition);
        if let Some((edition, changes)) = other {
            let frames = if changes.is_empty() { Vec::new() } else { encoded(&changes, true) };
            *told = Told { edition: Some(edition), frames };
        }
        (position, told.frames.clone())
    }
}

/// A list in frames of a bounded size; of one that is `full` the first says so.
pub(super) fn encoded(changes: &[PresenceChange], full: bool) -> Vec<Arc<Frame>> {
    let frame = |full, changes: &[PresenceChange]| {
        Frame::server(&ServerFrame::Presence { full, changes: changes.to_vec() })
    };
    if changes.is_empty() {
        return vec![frame(full, &[])];
    }
    let pieces = changes.chunks(limits::PRESENCE_CHANGES).enumerate();
    pieces.map(|(number, changes)| frame(full && number == 0, changes)).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use switchback_core::UserId;
    use switchback_core::wire::{Role, Transport};
    use switchback_storage::{Credential, NewUser, OpenMode, Store};
    use tempfile::TempDir;

    use super::super::{Hub, Registration};
    use super::*;
    use crate::log::Read;

    async fn hub(ring_events: usize) -> (Arc<Hub>, TempDir) {
        let dir = TempDir::new().unwrap();
        let store = Store::open(dir.path(), OpenMode::Server).await.unwrap();
        for number in 0..3 {
            let (handle, name) = (format!("user{number}").parse().unwrap(), "Somebody".parse().unwrap());
            let new = NewUser { handle, name, role: Role::Owner, password_hash: String::new() };
            store.create_user(new).await.unwrap();
        }
        (Arc::new(Hub::open(store, ring_events).await.unwrap()), dir)
    }

    /// The account of that number, connected.
    async fn come(hub: &Arc<Hub>, number: u8) -> Registration {
        let handle = format!("user{number}").parse().unwrap();
        let user = hub.store().account(&handle).await.unwrap().unwrap().user.id;
        let token = hub.store().create_token(user, [number; 32], "test".to_owned()).await.unwrap().id;
        hub.connect(user, Credential::Token(token), Transport::Sse, None).await.unwrap()
    }

    fn says(frames: &[Arc<Frame>], user: UserId) -> bool {
        frames.iter().any(|frame| frame.json.as_str().contains(&user.to_string()))
    }

    #[tokio::test]
    async fn whoever_comes_between_two_changes_shares_one_list_and_is_told_what_follows_it() {
        let (hub, _dir) = hub(8).await;
        let (ada, cleo) = (come(&hub, 0).await, UserId::from_uuid(uuid::Uuid::nil()));
        let ada = &ada.session().viewer;
        let (_, early) = hub.presence_frames(cleo);
        assert!(early.len() == 1 && says(&early, ada.user), "not yet told to all, and true");
        hub.tick();
        let (_, first) = hub.presence_frames(cleo);
        assert!(first.len() == 1 && says(&first, ada.user));
        let bob = come(&hub, 1).await;
        let bob = &bob.session().viewer;
        hub.typing(bob.user, bob.rooms()[0]);
        let (position, second) = hub.presence_frames(cleo);
        assert!(Arc::ptr_eq(&first[0], &second[0]), "nothing was told in between");
        assert!(says(&second[1..], bob.user) && second.len() == 2);
        assert_eq!(hub.ephemeral_after(ada, position).1.unwrap().len(), 0, "what is over is not told again");
        hub.tick();
        let news = hub.ephemeral_after(ada, position).1.unwrap();
        assert!(says(&news, bob.user));
        let (_, third) = hub.presence_frames(cleo);
        assert!(third.len() == 1 && says(&third, ada.user) && says(&third, bob.user));
    }

    #[tokio::test]
    async fn the_log_s_end_is_in_memory_from_the_start() {
        let (hub, _dir) = hub(3).await;
        let head = hub.store().head().await.unwrap();
        let mut seen = Vec::new();
        let everything = |_, _| true;
        let read = hub.ring().read(head - 3, everything, |entry| {
            seen.push(entry.seq);
            true
        });
        assert_eq!((read, seen), (Read::Through { seq: head, more: false }, vec![head - 2, head - 1, head]));
        assert_eq!(hub.ring().read(head - 4, everything, |_| true), Read::Fallen, "no more than it may hold");
    }

    #[test]
    fn a_long_list_begins_once() {
        let someone = |number| PresenceChange {
            user: UserId::from_uuid(uuid::Uuid::from_u128(number)),
            state: switchback_core::wire::PresenceState::Online,
        };
        let changes = (0..=u128::try_from(limits::PRESENCE_CHANGES).unwrap()).map(someone);
        let frames = encoded(&changes.collect::<Vec<_>>(), true);
        let full: Vec<bool> =
            frames.iter().map(|frame| frame.json.as_str().contains("\"full\":true")).collect();
        assert_eq!(full, [true, false]);
        assert_eq!(encoded(&[], true).len(), 1, "nobody is there: also that is said");
    }
}
