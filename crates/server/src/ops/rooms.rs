//! Rooms: making, changing, entering and leaving them.
//!
//! Members name a room and write its topic; closing it is for admins. Whoever is in a private room
//! can bring others in and send them away, because an admin may not even know of it; from a public
//! one only admins send others away.

use switchback_core::wire::{
    CreateRoomRequest, OpenDirectRequest, Role, RoomKind, RoomView, UpdateRoomRequest,
};
use switchback_core::{RoomId, Topic, UserId};
use switchback_storage::{Error, Identity, NewRoom, RoomChange};

use super::{Ops, Refusal, is_self, require};

impl Ops {
    /// What the caller may see: public rooms and those they are in.
    pub(crate) async fn rooms(&self, caller: &Identity) -> Result<Vec<RoomView>, Refusal> {
        Ok(self.store().rooms(caller.user.id).await?)
    }

    /// One room, if the caller may see it.
    pub(crate) async fn room(&self, caller: &Identity, room: RoomId) -> Result<RoomView, Refusal> {
        Ok(self.store().room(caller.user.id, room).await?)
    }

    /// Who is in a room that the caller may see.
    pub(crate) async fn members(&self, caller: &Identity, room: RoomId) -> Result<Vec<UserId>, Refusal> {
        Ok(self.store().members(caller.user.id, room).await?)
    }

    /// Makes a room with the caller in it.
    pub(crate) async fn create_room(
        &self,
        caller: &Identity,
        request: CreateRoomRequest,
    ) -> Result<RoomView, Refusal> {
        self.inner.limiters.command(caller.user.id)?;
        let CreateRoomRequest { kind, name, topic } = request;
        if kind == RoomKind::Direct {
            let detail =
                "kind must be public or private; direct conversations are opened by POST /api/v1/direct";
            return Err(Refusal::field("kind", detail));
        }
        let topic = match topic {
            Some(topic) => topic,
            None => Topic::new("").map_err(|bad| Refusal::text("topic", &bad))?,
        };
        let new = NewRoom { creator: caller.user.id, kind, name, topic };
        Ok(self.store().create_room(new).await?.1)
    }

    /// Opens the conversation with these people, making it if need be.
    pub(crate) async fn open_direct(
        &self,
        caller: &Identity,
        request: OpenDirectRequest,
    ) -> Result<RoomView, Refusal> {
        self.inner.limiters.command(caller.user.id)?;
        Ok(self.store().open_direct(caller.user.id, request.users).await?)
    }

    /// Changes a room's name or topic (its members, admins), closes or opens it (admins).
    pub(crate) async fn update_room(
        &self,
        caller: &Identity,
        room: RoomId,
        request: UpdateRoomRequest,
    ) -> Result<RoomView, Refusal> {
        self.inner.limiters.command(caller.user.id)?;
        let before = self.store().room(caller.user.id, room).await?;
        let UpdateRoomRequest { name, topic, archived } = request;
        if archived.is_some_and(|archived| archived != before.room.archived) {
            require(caller, Role::Admin)?;
        }
        if (name.is_some() || topic.is_some()) && !before.joined && caller.user.role < Role::Admin {
            return Err(Refusal::forbidden("join the room before you change it"));
        }
        if before.room.general && name.is_some() {
            require(caller, Role::Admin)?;
        }
        let change = RoomChange { name, topic, archived };
        Ok(self.store().update_room(caller.user.id, room, change).await?)
    }

    /// Joins a public room, or brings somebody into a room one is in.
    pub(crate) async fn add_member(
        &self,
        caller: &Identity,
        room: RoomId,
        user: UserId,
    ) -> Result<(), Refusal> {
        self.inner.limiters.command(caller.user.id)?;
        self.store().add_member(caller.user.id, room, user).await?;
        Ok(())
    }

    /// Leaves a room, or sends somebody away.
    pub(crate) async fn remove_member(
        &self,
        caller: &Identity,
        room: RoomId,
        user: UserId,
    ) -> Result<(), Refusal> {
        self.inner.limiters.command(caller.user.id)?;
        let view = self.store().room(caller.user.id, room).await?;
        let own_private_room = view.joined && view.room.kind == RoomKind::Private;
        if !is_self(caller, user) && !own_private_room {
            require(caller, Role::Admin)?;
        }
        match self.store().remove_member(caller.user.id, room, user).await? {
            Some(_) => Ok(()),
            None => Err(Error::NotFound("member").into()),
        }
    }
}
