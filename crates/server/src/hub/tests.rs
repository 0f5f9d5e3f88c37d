//! New events on their direct way to an idle connection.

use std::sync::Arc;

use switchback_core::wire::{Role, RoomKind, Transport};
use switchback_core::{Nonce, RoomId, Seq, Topic, UserId};
use switchback_storage::{Credential, Membership, NewMessage, NewRoom, NewUser, OpenMode, Store};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::{Hub, Registration};
use crate::log::Entry;

/// Ada, whose connection is idle and who is in two rooms.
struct Idle {
    hub: Arc<Hub>,
    store: Store,
    ada: UserId,
    rooms: [RoomId; 2],
    registration: Registration,
    far: TcpStream,
    _dir: TempDir,
}

impl Idle {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let store = Store::open(dir.path(), OpenMode::Server).await.unwrap();
        let (handle, name) = ("ada".parse().unwrap(), "Ada".parse().unwrap());
        let new = NewUser { handle, name, role: Role::Owner, password_hash: String::new() };
        let ada = store.create_user(new).await.unwrap().id;
        let token = store.create_token(ada, [7; 32], "test".to_owned()).await.unwrap().id;
        let (name, topic) = ("second".parse().unwrap(), Topic::new("").unwrap());
        let new = NewRoom { creator: ada, kind: RoomKind::Public, name, topic };
        let second = store.create_room(new).await.unwrap().1.room.id;
        let hub = Arc::new(Hub::open(store.clone(), 64).await.unwrap());
        let registration =
            hub.connect(ada, Credential::Token(token), Transport::Websocket, None).await.unwrap();
        let general = registration.session().viewer.rooms().into_iter().find(|room| *room != second).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (far, near) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let (far, near) = (far.unwrap(), near.unwrap().0);
        near.writable().await.unwrap();
        registration.session().open_lane(Arc::new(near));
        registration.session().lend(hub.ring().head());
        Self { hub, store, ada, rooms: [general, second], registration, far, _dir: dir }
    }

    /// Posts to each of these rooms.
    async fn posts(&self, rooms: impl IntoIterator<Item = RoomId>) -> Vec<Arc<Entry>> {
        let before = self.hub.ring().head();
        for room in rooms {
            let new = NewMessage {
                author: self.ada,
                room,
                nonce: Nonce::from_uuid(Uuid::now_v7()),
                body: "a post".parse().unwrap(),
                html: "<p>a post</p>".to_owned(),
                reply_to: None,
                mentions: Vec::new(),
                mentions_room: false,
            };
            self.store.post_message(new).await.unwrap();
        }
        let page = self.store.events_after(before, 64).await.unwrap();
        page.events.into_iter().map(|event| Arc::new(Entry::new(event, self.hub.epoch()))).collect()
    }

    /// What Ada may see as it is read from now on: rooms with the first event of each.
    fn sees(&self, rooms: &[(RoomId, Seq)]) {
        let memberships: Vec<_> =
            rooms.iter().map(|&(room, joined_seq)| Membership { room, joined_seq }).collect();
        self.hub.install(&self.registration.session().viewer, Seq::MAX, &memberships);
    }

    /// All that was written, once the connection is closed.
    async fn heard(self) -> Vec<u8> {
        let Self { registration, mut far, .. } = self;
        drop(registration);
        let mut heard = Vec::new();
        far.read_to_end(&mut heard).await.unwrap();
        heard
    }
}

fn messages<'e>(entries: impl IntoIterator<Item = &'e Arc<Entry>>) -> Vec<u8> {
    entries.into_iter().flat_map(|entry| entry.frame.message.to_vec()).collect()
}

#[tokio::test]
async fn events_of_several_rooms_go_out_together_in_order_and_once() {
    let idle = Idle::new().await;
    let [general, second] = idle.rooms;
    let entries = idle.posts([general, second, general]).await;
    let direct = idle.hub.publish(&entries);
    idle.hub.deliver(&entries, &direct).await;
    // Who comes after them finds nothing to do.
    idle.hub.deliver(&entries, &direct).await;
    drop(direct);
    let later = idle.posts([second]).await;
    let direct = idle.hub.publish(&later);
    idle.hub.deliver(&later, &direct).await;
    drop(direct);
    assert_eq!(idle.registration.session().take_back().unwrap().cursor, later[0].seq);
    assert_eq!(idle.heard().await, messages(entries.iter().chain(&later)));
}

#[tokio::test]
async fn who_has_left_meanwhile_is_not_shown_what_is_under_way() {
    let idle = Idle::new().await;
    let [general, second] = idle.rooms;
    let entries = idle.posts([general, second]).await;
    let direct = idle.hub.publish(&entries);
    idle.sees(&[(second, 1)]);
    idle.hub.deliver(&entries, &direct).await;
    drop(direct);
    assert_eq!(idle.heard().await, messages(&entries[1..]));
}

#[tokio::test]
async fn who_has_joined_later_is_not_shown_what_was_before() {
    let idle = Idle::new().await;
    let [general, second] = idle.rooms;
    let entries = idle.posts([general, second]).await;
    // Memberships can be read before the events that lie between are in memory.
    idle.sees(&[(general, entries[1].seq + 1), (second, 1)]);
    let direct = idle.hub.publish(&entries);
    idle.hub.deliver(&entries, &direct).await;
    drop(direct);
    assert_eq!(idle.heard().await, messages(&entries[1..]));
}

#[tokio::test]
async fn who_was_woken_and_has_not_looked_is_not_written_to() {
    let idle = Idle::new().await;
    let [general, second] = idle.rooms;
    let first = idle.posts([general]).await;
    idle.hub.publish(&first);
    idle.registration.session().wake();
    let then = idle.posts([second]).await;
    let direct = idle.hub.publish(&then);
    idle.hub.deliver(&then, &direct).await;
    drop(direct);
    let lent = idle.registration.session().take_back().unwrap();
    assert!(lent.cursor < first[0].seq, "it reads both for itself, in order");
    assert!(idle.heard().await.is_empty());
}
