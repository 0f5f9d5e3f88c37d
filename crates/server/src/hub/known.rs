//! What is known of somebody before they register, so that letting them in takes one question.

use std::sync::Arc;

use switchback_core::Seq;
use switchback_storage::Membership;

use super::Recognized;

/// What was read of somebody before they registered. It holds if the hub was not told of anything since
/// before the reading that would have concerned them: what it is told later finds them registered.
#[derive(Debug)]
pub(crate) struct Known {
    /// [`Hub::stirred`], before anything was read.
    pub stirred: u64,
    /// Who they are, and by what they come.
    pub recognized: Arc<Recognized>,
    /// The head of the log at the reading.
    pub as_of: Seq,
    /// Their rooms.
    pub memberships: Vec<Membership>,
}

impl Known {
    pub(super) fn still_holds(&self, stirred: u64) -> bool {
        #[cfg(feature = "simulation")]
        if crate::simulation::trusts_what_was_read() {
            return true;
        }
        self.stirred == stirred
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use switchback_core::wire::{ByeReason, RoomKind, Transport};
    use switchback_core::{SessionId, Topic, UserId};
    use switchback_storage::{Admission, Credential, NewRoom, Store};
    use tempfile::TempDir;

    use super::super::tests::{SECRET, workspace};
    use super::super::{Hub, NotConnected, Registration};
    use super::*;

    struct Coming {
        hub: Arc<Hub>,
        store: Store,
        user: UserId,
        credential: Credential,
        known: Known,
        _dir: TempDir,
    }

    impl Coming {
        /// Ada, who has been read and has not registered.
        async fn new() -> Self {
            let (dir, store, user, credential) = workspace().await;
            let hub = Arc::new(Hub::open(store.clone(), 8).await.unwrap());
            let stirred = hub.stirred();
            let Admission { identity, as_of, memberships } = store.admit(SECRET).await.unwrap().unwrap();
            assert_eq!((identity.user.id, identity.credential, memberships.len()), (user, credential, 1));
            let recognized = Arc::new(Recognized { secret: SECRET, identity });
            let known = Known { stirred, recognized, as_of, memberships };
            Self { hub, store, user, credential, known, _dir: dir }
        }

        async fn registers(self) -> Result<Registration, NotConnected> {
            let Self { hub, user, credential, known, .. } = self;
            hub.connect(user, credential, Transport::Sse, Some(known)).await
        }
    }

    #[tokio::test]
    async fn where_nothing_has_happened_nothing_is_read_again() {
        let coming = Coming::new().await;
        coming.store.close().await;
        let (room, hub) = (coming.known.memberships[0].room, Arc::clone(&coming.hub));
        let (user, registration) = (coming.user, coming.registers().await.unwrap());
        assert!(hub.is_member(user, room) && registration.session().viewer.is_member(room));
    }

    #[tokio::test]
    async fn whose_credential_ended_in_between_is_not_let_in() {
        let coming = Coming::new().await;
        let Credential::Token(token) = coming.credential else { unreachable!() };
        assert!(coming.store.end_token(coming.user, token).await.unwrap());
        coming.hub.revoked(coming.user, coming.credential);
        match coming.registers().await {
            Err(NotConnected::Refused(goodbye)) => assert_eq!(goodbye.reason, ByeReason::SignedOut),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_a_look_at_all_who_are_here_cannot_see_is_read_again() {
        let coming = Coming::new().await;
        let Credential::Token(token) = coming.credential else { unreachable!() };
        assert!(coming.store.end_token(coming.user, token).await.unwrap());
        // By another process, so that nobody says it: the look is all there is.
        assert_eq!(coming.hub.ended(None).await.unwrap(), []);
        assert!(coming.registers().await.is_err());
    }

    #[tokio::test]
    async fn a_room_that_was_joined_in_between_is_known() {
        let coming = Coming::new().await;
        let (name, topic) = ("new".parse().unwrap(), Topic::new("").unwrap());
        let new = NewRoom { creator: coming.user, kind: RoomKind::Public, name, topic };
        let (_, view) = coming.store.create_room(new).await.unwrap();
        // As the log's reader does, who finds nobody.
        assert!(coming.hub.viewer(coming.user).is_none());
        // Not a wait for that reader, who is not here.
        coming.hub.remember(coming.store.head().await.unwrap()).await.unwrap();
        let registration = coming.registers().await.unwrap();
        assert!(registration.session().viewer.is_member(view.room.id));
    }

    /// Lets Ada in, and closes the connection.
    async fn came_and_went(coming: Coming) -> (Arc<Hub>, Store, UserId, Credential, TempDir) {
        let Coming { hub, store, user, credential, known, _dir: dir } = coming;
        drop(hub.connect(user, credential, Transport::Sse, Some(known)).await.unwrap());
        (hub, store, user, credential, dir)
    }

    #[tokio::test]
    async fn who_comes_back_soon_is_not_asked_for() {
        let coming = Coming::new().await;
        assert!(coming.hub.reconnect(&SECRET, Transport::Sse).await.is_none(), "a stranger");
        let room = coming.known.memberships[0].room;
        let (hub, store, user, _, _dir) = came_and_went(coming).await;
        store.close().await;
        let (recognized, registration) = hub.reconnect(&SECRET, Transport::Sse).await.unwrap();
        assert_eq!(recognized.identity.user.id, user);
        assert!(hub.is_member(user, room) && registration.session().viewer.is_member(room));
        assert_eq!(hub.recognize(&SECRET).unwrap().identity.user.id, user);
        assert!(hub.recognize(&[8; 32]).is_none());
    }

    #[tokio::test]
    async fn who_has_signed_out_meanwhile_is_asked_for() {
        let (hub, _, user, credential, _dir) = came_and_went(Coming::new().await).await;
        hub.revoked(user, Credential::Session(SessionId::from_uuid(uuid::Uuid::nil())));
        assert!(hub.recognize(&SECRET).is_some(), "that was another one");
        hub.revoked(user, credential);
        assert!(hub.recognize(&SECRET).is_none());
        assert!(hub.reconnect(&SECRET, Transport::Sse).await.is_none());
    }

    #[tokio::test]
    async fn whose_credential_another_process_has_ended_is_found_by_a_look_at_all() {
        let (hub, store, user, credential, _dir) = came_and_went(Coming::new().await).await;
        let Credential::Token(token) = credential else { unreachable!() };
        assert!(store.end_token(user, token).await.unwrap());
        assert_eq!(hub.ended(None).await.unwrap(), [(user, credential)]);
    }

    #[tokio::test]
    async fn whose_account_has_changed_is_read_again() {
        let (hub, _, user, _, _dir) = came_and_went(Coming::new().await).await;
        hub.unrecognize(&[UserId::from_uuid(uuid::Uuid::nil())]);
        assert!(hub.recognize(&SECRET).is_some());
        hub.unrecognize(&[user]);
        assert!(hub.recognize(&SECRET).is_none());
    }

    #[tokio::test]
    async fn whose_account_changes_while_they_come_is_not_kept() {
        let coming = Coming::new().await;
        coming.hub.unrecognize(&[coming.user]);
        let (hub, ..) = came_and_went(coming).await;
        assert!(hub.recognize(&SECRET).is_none());
    }

    #[tokio::test]
    async fn it_is_forgotten_with_the_device() {
        let (hub, _, _, _, _dir) = came_and_went(Coming::new().await).await;
        // Not before: the database's threads do not know of it.
        tokio::time::pause();
        tokio::time::advance(crate::limits::OFFLINE_AFTER).await;
        assert!(hub.recognize(&SECRET).is_some());
        hub.tick();
        assert!(hub.recognize(&SECRET).is_none());
    }

    #[tokio::test]
    async fn who_leaves_by_two_devices_is_forgotten_with_the_later_one() {
        let (hub, store, user, _, _dir) = came_and_went(Coming::new().await).await;
        let other = store.create_token(user, [8; 32], "another".to_owned()).await.unwrap();
        let other = Credential::Token(other.id);
        let registration = hub.connect(user, other, Transport::Sse, None).await.unwrap();
        let half = crate::limits::OFFLINE_AFTER / 2;
        tokio::time::pause();
        tokio::time::advance(half).await;
        drop(registration);
        tokio::time::advance(half).await;
        hub.tick();
        assert!(hub.recognize(&SECRET).is_none() && hub.viewer(user).is_some());
        tokio::time::advance(half).await;
        hub.tick();
        assert!(hub.viewer(user).is_none());
    }
}
