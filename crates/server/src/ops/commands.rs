//! Commands: what a live connection or a POST to `/chat` asks for.

use switchback_core::RoomId;
use switchback_core::wire::{Ack, Command};
use switchback_storage::{Changed, Identity};

use super::{Ops, Refusal};

impl Ops {
    /// Carries a command out. The answer comes after the commit; its `id` is the edge's to set.
    ///
    /// What few commands need is on the heap while it runs: each post has room for all that is not.
    pub(crate) async fn execute(&self, caller: &Identity, command: Command) -> Result<Ack, Refusal> {
        if !matches!(command, Command::Ping) {
            self.inner.limiters.command(caller.user.id)?;
        }
        match command {
            Command::MessagePost { room, nonce, body, reply_to } => {
                let posted = self.post(caller, room, nonce, body, reply_to).await?;
                Ok(Ack { id: None, seq: Some(posted.seq), message: Some(posted.message) })
            }
            Command::MessageEdit { message, body } => self.edit(caller, message, body).await.map(changed),
            Command::MessageDelete { message } => Box::pin(self.delete(caller, message)).await.map(changed),
            Command::ReactionAdd { message, emoji } => {
                self.react(caller, message, emoji, true).await.map(changed)
            }
            Command::ReactionRemove { message, emoji } => {
                self.react(caller, message, emoji, false).await.map(changed)
            }
            Command::ReadMark { room, seq } => {
                let seq = self.mark_read(caller, room, seq).await?;
                Ok(Ack { id: None, seq, message: None })
            }
            Command::Typing { room } => Box::pin(self.typing(caller, room)).await,
            Command::Presence { state } => {
                let (user, credential) = (caller.user.id, caller.credential);
                self.inner.bus.declare(user, credential, state);
                Ok(NOTHING)
            }
            Command::Ping => Ok(NOTHING),
        }
    }

    async fn typing(&self, caller: &Identity, room: RoomId) -> Result<Ack, Refusal> {
        let user = caller.user.id;
        if !self.inner.bus.is_member(user, room) {
            // Somebody without a live connection, or not in the room: the store knows.
            let view = self.store().room(user, room).await?;
            if !view.joined {
                return Err(switchback_storage::Error::NotFound("room").into());
            }
        }
        if self.inner.limiters.is_typing_news(user, room) {
            self.inner.bus.typing(user, room);
        }
        Ok(NOTHING)
    }
}

/// Done, without an event.
const NOTHING: Ack = Ack { id: None, seq: None, message: None };

fn changed(changed: Changed) -> Ack {
    Ack { id: None, seq: changed.seq, message: Some(changed.message) }
}
