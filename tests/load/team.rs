//! Thousands of people in rooms, written into a database before the server opens it: by way of
//! sign-in each password would cost a processor for tens of milliseconds.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use switchback_core::wire::{Role, RoomKind};
use switchback_core::{Nonce, RoomId, Seq, UserId};
use switchback_storage::{Database, NewMessage, NewRoom, NewUser, OpenMode, Store};
use uuid::Uuid;

use crate::limits;
use crate::line::Target;

/// Somebody with a token.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user: UserId,
    pub(crate) target: Target,
    /// The room of their team; everybody is in `general` besides.
    pub(crate) room: RoomId,
}

#[derive(Debug, Clone)]
pub(crate) struct Team {
    pub(crate) people: Vec<Person>,
    pub(crate) general: RoomId,
    /// Where the log stands before anybody comes.
    pub(crate) head: Seq,
}

/// How large a team.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) people: usize,
    pub(crate) rooms: usize,
    /// Messages that are there already.
    pub(crate) history: usize,
}

/// Makes the accounts, the rooms and who is in which, each person in one room.
pub(crate) async fn seed(data_dir: &Path, address: SocketAddr, size: Size) -> Result<Team> {
    seed_database(&Database::Directory(data_dir.to_owned()), address, size).await
}

/// [`seed`] for a database of either kind.
pub(crate) async fn seed_database(database: &Database, address: SocketAddr, size: Size) -> Result<Team> {
    let store = Store::open_database(database, OpenMode::Server).await?;
    let owner = account(&store, 0, Role::Owner).await?;
    let general = store.rooms(owner).await?.into_iter().find(|view| view.room.general);
    let general = general.context("there is no room of all")?.room.id;
    let mut teams = Vec::new();
    for number in 0..size.rooms {
        let name = format!("team {number}").parse()?;
        let new = NewRoom { creator: owner, kind: RoomKind::Public, name, topic: "".parse()? };
        teams.push(store.create_room(new).await?.1.room.id);
    }
    let (store_of_all, teams) = (&store, &teams);
    let people: Vec<Person> = stream::iter(1..=size.people)
        .map(async |number| {
            let store = store_of_all;
            let user = account(store, number, Role::Member).await?;
            let room = teams[number % teams.len()];
            store.add_member(user, room, user).await?;
            let token = format!("load-{}", Uuid::now_v7().simple());
            let hash = Sha256::digest(token.as_bytes()).into();
            store.create_token(user, hash, "load".to_owned()).await?;
            anyhow::Ok(Person { user, target: Target { address, token }, room })
        })
        .buffer_unordered(limits::SEEDED_AT_ONCE)
        .try_collect()
        .await?;
    post(&store, &people, size.history, |_| TEXT.to_owned()).await?;
    let head = store.head().await?;
    store.close().await;
    Ok(Team { people, general, head })
}

/// Has them say more while no server runs, each message with a word of its own (see [`rare_word`]), the first
/// one's number being `from`; where the log then stands.
pub(crate) async fn talk(data_dir: &Path, team: &Team, from: usize, messages: usize) -> Result<Seq> {
    let store = Store::open_database(&Database::Directory(data_dir.to_owned()), OpenMode::Server).await?;
    post(&store, &team.people, messages, |number| format!("{TEXT} {}", rare_word(from + number))).await?;
    let head = store.head().await?;
    store.close().await;
    Ok(head)
}

/// Everybody in turn, each in their room.
async fn post(
    store: &Store,
    people: &[Person],
    messages: usize,
    body: impl Fn(usize) -> String,
) -> Result<()> {
    let body = &body;
    let posting = stream::iter(people.iter().cycle().take(messages).enumerate());
    posting
        .map(async |(number, person)| {
            store.post_message(message(person, &body(number))?).await.map_err(anyhow::Error::from)
        })
        .buffer_unordered(limits::SEEDED_AT_ONCE)
        .try_for_each(async |_| Ok(()))
        .await
}

async fn account(store: &Store, number: usize, role: Role) -> Result<UserId> {
    let (handle, name) = (format!("p{number}").parse()?, format!("Person {number}").parse()?);
    Ok(store.create_user(NewUser { handle, name, role, password_hash: String::new() }).await?.id)
}

/// What everybody says.
const TEXT: &str = "The quick brown fox jumps over the lazy dog.";
/// In each of their messages.
pub(crate) const COMMON_WORD: &str = "quick";
/// How it begins.
pub(crate) const COMMON_BEGINNING: &str = "quic";

/// A word that stands in one message alone.
pub(crate) fn rare_word(number: impl std::fmt::Display) -> String {
    format!("w{number}")
}

fn message(person: &Person, body: &str) -> Result<NewMessage> {
    Ok(NewMessage {
        author: person.user,
        room: person.room,
        nonce: Nonce::from_uuid(Uuid::now_v7()),
        body: body.parse()?,
        html: format!("<p>{body}</p>"),
        reply_to: None,
        mentions: Vec::new(),
        mentions_room: false,
    })
}
