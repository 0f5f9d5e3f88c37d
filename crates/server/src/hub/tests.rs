//! New events on their direct way to an idle connection.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use switchback_core::wire::{Role, RoomKind, Transport};
use switchback_core::{Nonce, RoomId, Seq, Topic, UserId};
use switchback_storage::{
    Audience, Credential, Membership, NewMessage, NewRoom, NewUser, OpenMode, SecretHash, Store,
};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use super::{Hub, Registration, Whom};
use crate::limits;
use crate::log::Entry;

/// Of Ada's token.
pub(crate) const SECRET: SecretHash = [7; 32];

/// A workspace of Ada's, and her token.
pub(crate) async fn workspace() -> (TempDir, Store, UserId, Credential) {
    let dir = TempDir::new().unwrap();
    let store = Store::open(dir.path(), OpenMode::Server).await.unwrap();
    let (handle, name) = ("ada".parse().unwrap(), "Ada".parse().unwrap());
    let new = NewUser { handle, name, role: Role::Owner, password_hash: String::new() };
    let ada = store.create_user(new).await.unwrap().id;
    let token = store.create_token(ada, SECRET, "test".to_owned()).await.unwrap().id;
    (dir, store, ada, Credential::Token(token))
}

/// A connection that has gone is closed within this time.
const CLOSED: Duration = Duration::from_secs(10);

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

/// The other end of a connection that the hub may write to.
async fn lent(hub: &Hub, registration: &Registration) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (far, near) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    let (far, near) = (far.unwrap(), near.unwrap().0);
    near.writable().await.unwrap();
    registration.session().open_lane(Arc::new(near));
    registration.session().lend(hub.ring().head());
    far
}

/// All that was written, once the connection is closed.
async fn heard(registration: Registration, mut far: TcpStream) -> Vec<u8> {
    drop(registration);
    let mut heard = Vec::new();
    let closed = tokio::time::timeout(CLOSED, far.read_to_end(&mut heard)).await;
    assert!(closed.is_ok_and(|read| read.is_ok()), "somebody holds a connection that has gone");
    heard
}

impl Idle {
    async fn new() -> Self {
        let (dir, store, ada, credential) = workspace().await;
        let (name, topic) = ("second".parse().unwrap(), Topic::new("").unwrap());
        let new = NewRoom { creator: ada, kind: RoomKind::Public, name, topic };
        let second = store.create_room(new).await.unwrap().1.room.id;
        let hub = Arc::new(Hub::open(store.clone(), 64).await.unwrap());
        let registration = hub.connect(ada, credential, Transport::Websocket, None).await.unwrap();
        let general = registration.session().viewer.rooms().into_iter().find(|room| *room != second).unwrap();
        let far = lent(&hub, &registration).await;
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
        let Self { registration, far, .. } = self;
        heard(registration, far).await
    }

    /// What becomes of new events, from end to end.
    async fn tells(&self, entries: &[Arc<Entry>]) {
        let direct = self.hub.publish(entries);
        self.hub.deliver(entries, &direct).await;
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
    idle.tells(&later).await;
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
    idle.tells(&entries).await;
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
    idle.tells(&then).await;
    let lent = idle.registration.session().take_back().unwrap();
    assert!(lent.cursor < first[0].seq, "it reads both for itself, in order");
    assert!(idle.heard().await.is_empty());
}

#[tokio::test]
async fn who_listens_to_a_room_is_known_anew_when_somebody_comes_or_goes() {
    let idle = Idle::new().await;
    let [general, second] = idle.rooms;
    let credential = idle.registration.session().credential;
    let listening = |room| idle.hub.state().listening(Audience::Room(room));
    let first = listening(general);
    assert!(Arc::ptr_eq(&first, &listening(general)), "kept while nobody does");
    let again = idle.hub.connect(idle.ada, credential, Transport::Websocket, None).await.unwrap();
    assert_eq!((first.len(), listening(general).len(), listening(second).len()), (1, 2, 2));
    drop(again);
    assert_eq!((listening(general).len(), listening(second).len()), (1, 1));
    idle.sees(&[(second, 1)]);
    assert_eq!((listening(general).len(), listening(second).len()), (0, 1));
    idle.sees(&[(general, 1), (second, 1)]);
    assert_eq!(listening(general).len(), 1);
}

#[tokio::test]
async fn more_connections_than_are_written_to_directly_are_woken() {
    let idle = Idle::new().await;
    let [general, second] = idle.rooms;
    let credential = idle.registration.session().credential;
    let again = idle.hub.connect(idle.ada, credential, Transport::Websocket, None).await.unwrap();
    for (rooms, head) in [(vec![general], 1), (vec![general, second], 2)] {
        let sessions = [&idle.registration, &again].map(|registration| Arc::clone(registration.session()));
        let listening = rooms.iter().map(|room| idle.hub.state().listening(Audience::Room(*room))).collect();
        let whom = Whom::of(listening, head, 1);
        let direct: Vec<_> = (0..whom.len()).filter_map(|index| Some(whom.get(index)?.0.id)).collect();
        assert_eq!(direct.len(), 1, "{rooms:?}");
        for session in sessions {
            let has_rung = poll_fn(|cx| Poll::Ready(session.poll_woken(cx).is_ready())).await;
            assert_ne!(has_rung, direct.contains(&session.id), "one way or the other: {rooms:?}");
        }
    }
}

#[tokio::test]
async fn however_many_there_are_each_is_written_to_once() {
    let idle = Idle::new().await;
    let credential = idle.registration.session().credential;
    let mut others = Vec::new();
    // Not a whole number of looks.
    for _ in 0..=2 * limits::DIRECT_AHEAD {
        let other = idle.hub.connect(idle.ada, credential, Transport::Websocket, None).await.unwrap();
        let far = lent(&idle.hub, &other).await;
        others.push((other, far));
    }
    let entries = idle.posts([idle.rooms[0]]).await;
    idle.tells(&entries).await;
    for (other, far) in others {
        assert_eq!(heard(other, far).await, messages(&entries));
    }
    assert_eq!(idle.heard().await, messages(&entries));
}

#[tokio::test]
async fn events_are_framed_for_event_streams_while_somebody_has_one() {
    let idle = Idle::new().await;
    let credential = idle.registration.session().credential;
    for (transport, expected) in [
        (Transport::Websocket, false),
        (Transport::Sse, true),
        (Transport::Batch, true),
        (Transport::Websocket, false),
    ] {
        let registration = idle.hub.connect(idle.ada, credential, transport, None).await.unwrap();
        let entries = idle.posts([idle.rooms[0]]).await;
        idle.hub.publish(&entries);
        assert_eq!(entries[0].frame.is_streamed(), expected, "{transport:?}");
        drop(registration);
    }
}
