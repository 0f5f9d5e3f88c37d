//! Thousands of people in rooms, written into a database before the server opens it: by way of
//! sign-in each password would cost a processor for tens of milliseconds.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use switchback_core::wire::{Role, RoomKind};
use switchback_core::{RoomId, UserId};
use switchback_storage::{NewRoom, NewUser, OpenMode, Store};
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
}

/// Makes the accounts, the rooms and who is in which, each person in one room.
pub(crate) async fn seed(
    data_dir: &Path,
    address: SocketAddr,
    people: usize,
    rooms: usize,
) -> Result<Team> {
    let store = Store::open(data_dir, OpenMode::Server).await?;
    let owner = account(&store, 0, Role::Owner).await?;
    let general = store.rooms(owner).await?.into_iter().find(|view| view.room.general);
    let general = general.context("there is no room of all")?.room.id;
    let mut teams = Vec::new();
    for number in 0..rooms {
        let name = format!("team {number}").parse()?;
        let new = NewRoom { creator: owner, kind: RoomKind::Public, name, topic: "".parse()? };
        teams.push(store.create_room(new).await?.1.room.id);
    }
    let (store_of_all, teams) = (&store, &teams);
    let people: Vec<Person> = stream::iter(1..=people)
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
    store.close().await;
    Ok(Team { people, general })
}

async fn account(store: &Store, number: usize, role: Role) -> Result<UserId> {
    let (handle, name) = (format!("p{number}").parse()?, format!("Person {number}").parse()?);
    Ok(store.create_user(NewUser { handle, name, role, password_hash: String::new() }).await?.id)
}
