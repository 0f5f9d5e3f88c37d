//! The database that every run begins with: one team, made once and copied.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use switchback_core::wire::{Role, RoomKind, RoomView};
use switchback_core::{Cursor, RoomId, UserId};
use switchback_server::secrets;
use switchback_storage::simulation::read_over_one_connection;
use switchback_storage::{NewRoom, NewUser, OpenMode, Store};
use tempfile::TempDir;

const FILE: &str = "switchback.db";
pub(crate) const PEOPLE: [&str; 3] = ["ada", "bob", "carol"];

/// Somebody of the team.
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) token: String,
    /// Their rooms before anything happened.
    pub(crate) rooms: Vec<RoomView>,
}

pub(crate) struct Site {
    database: Vec<u8>,
    pub(crate) people: Vec<Person>,
    /// Where everybody is.
    pub(crate) general: RoomId,
    /// Where only ada is, and where she lets the others in and out.
    pub(crate) secret: RoomId,
    pub(crate) cursor: Cursor,
}

/// In memory, if the machine has such a place: a run commits often.
fn place() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    made.or_else(|_| TempDir::new()).unwrap()
}

/// The one site of this process.
pub(crate) fn site() -> &'static Site {
    static SITE: OnceLock<Site> = OnceLock::new();
    SITE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(make())
    })
}

async fn make() -> Site {
    let dir = place();
    let store = Store::open(dir.path(), OpenMode::Server).await.unwrap();
    let mut people = Vec::new();
    for handle in PEOPLE {
        let role = if people.is_empty() { Role::Owner } else { Role::Member };
        let (handle, name) = (handle.parse().unwrap(), handle.parse().unwrap());
        let new = NewUser { handle, name, role, password_hash: String::new() };
        let id = store.create_user(new).await.unwrap().id;
        let secret = secrets::new_secret();
        store.create_token(id, secret.hash, "simulation".to_owned()).await.unwrap();
        people.push(Person { id, token: secret.text, rooms: Vec::new() });
    }
    let (kind, topic) = (RoomKind::Private, String::new().parse().unwrap());
    let new = NewRoom { creator: people[0].id, kind, name: "secret".parse().unwrap(), topic };
    let secret = store.create_room(new).await.unwrap().1.room.id;
    for person in &mut people {
        person.rooms = store.snapshot(person.id).await.unwrap().rooms;
    }
    let general = people[0].rooms[0].room.id;
    let cursor = Cursor { epoch: store.epoch(), seq: store.head().await.unwrap() };
    store.close().await;
    let database = std::fs::read(dir.path().join(FILE)).unwrap();
    Site { database, people, general, secret, cursor }
}

impl Site {
    /// A copy of its own, and two stores on it, as two nodes have.
    pub(crate) async fn open(&self) -> (TempDir, [Store; 2]) {
        let dir = place();
        let file: PathBuf = dir.path().join(FILE);
        std::fs::write(file, &self.database).unwrap();
        read_over_one_connection();
        let one = Store::open(dir.path(), OpenMode::Server).await.unwrap();
        let other = Store::open(dir.path(), OpenMode::Admin).await.unwrap();
        (dir, [one, other])
    }
}
