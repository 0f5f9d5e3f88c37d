//! Messages: rendering what was written, finding whom it mentions, and reading history.

use std::collections::HashMap;

use switchback_core::wire::{ErrorCode, Message, Role};
use switchback_core::{Emoji, Handle, MessageBody, MessageId, Nonce, RoomId, Seq, UserId};
use switchback_storage::{Changed, HistoryRange, Identity, NewMessage, NewReaction, Posted};

use tokio::sync::Semaphore;

use super::{Ops, Refusal};
use crate::{limits, text};

/// A body as it will be stored.
struct Rendered {
    html: String,
    mentions: Vec<UserId>,
    mentions_room: bool,
}

impl Ops {
    /// A page of a room's history, as it goes over the wire, for the bearer of this secret.
    pub(crate) async fn history(
        &self,
        secret: &str,
        room: RoomId,
        range: HistoryRange,
        limit: usize,
    ) -> Result<Vec<u8>, Refusal> {
        let (caller, mut n) = self.reader(secret, room).await?;
        let pages = &self.inner.pages;
        if let Some(known) = pages.behind(room, n)
            && let Some(now) = self.store().only_posts(room, known).await?
        {
            pages.advance(room, known, now);
            n = now.n;
        }
        if let Some(page) = pages.find(room, n, range, limit) {
            return Ok(page.encode());
        }
        let page = self.store().history(caller.user.id, room, range, limit).await?;
        let page = pages.keep(room, range, &page).map_err(|error| {
            tracing::error!(%error, "a page of history could not be encoded");
            Refusal::new(ErrorCode::Internal, "this page could not be written; the server's log says why")
        })?;
        Ok(page.encode())
    }

    /// One message.
    pub(crate) async fn message(&self, caller: &Identity, message: MessageId) -> Result<Message, Refusal> {
        Ok(self.store().message(caller.user.id, message).await?)
    }

    pub(super) async fn post(
        &self,
        caller: &Identity,
        room: RoomId,
        nonce: Nonce,
        body: MessageBody,
        reply_to: Option<MessageId>,
    ) -> Result<Posted, Refusal> {
        let Rendered { html, mentions, mentions_room } = self.render(&body).await?;
        let author = caller.user.id;
        let new = NewMessage { author, room, nonce, body, html, reply_to, mentions, mentions_room };
        Ok(self.store().post_message(new).await?)
    }

    pub(super) async fn edit(
        &self,
        caller: &Identity,
        message: MessageId,
        body: MessageBody,
    ) -> Result<Changed, Refusal> {
        let html = self.render(&body).await?.html;
        Ok(self.store().edit_message(caller.user.id, message, body, html).await?)
    }

    pub(super) async fn delete(&self, caller: &Identity, message: MessageId) -> Result<Changed, Refusal> {
        // As of now: an open connection knows its person as of when it was opened.
        let may_delete_others = self.store().user(caller.user.id).await?.role >= Role::Admin;
        Ok(self.store().delete_message(caller.user.id, message, may_delete_others).await?)
    }

    pub(super) async fn react(
        &self,
        caller: &Identity,
        message: MessageId,
        emoji: Emoji,
        present: bool,
    ) -> Result<Changed, Refusal> {
        Ok(self.store().react(NewReaction { user: caller.user.id, message, emoji, present }).await?)
    }

    pub(super) async fn mark_read(
        &self,
        caller: &Identity,
        room: RoomId,
        seq: Seq,
    ) -> Result<Option<Seq>, Refusal> {
        Ok(self.store().mark_read(caller.user.id, room, seq).await?)
    }

    async fn render(&self, body: &MessageBody) -> Result<Rendered, Refusal> {
        let mentions = text::mentions(body.as_str());
        let users = match mentions.handles.as_slice() {
            [] => Vec::new(),
            // On the heap, as few posts need it.
            handles => Box::pin(self.store().users_by_handle(handles)).await?,
        };
        let known: HashMap<Handle, UserId> =
            users.iter().map(|user| (user.handle.clone(), user.id)).collect();
        let html = html(&self.inner.renders, body.as_str(), known).await?;
        let mentions_room = mentions.room;
        let mentions = users.iter().filter(|user| user.active).map(|user| user.id).collect();
        Ok(Rendered { html, mentions, mentions_room })
    }
}

/// Short texts are rendered here and now; long ones would hold up whoever shares this thread. Few at
/// once: whoever sends what is slow to render must not take every processor.
async fn html(turns: &Semaphore, body: &str, known: HashMap<Handle, UserId>) -> Result<String, Refusal> {
    let may_hold_code = body.contains("```") || body.contains("~~~");
    if body.len() <= limits::RENDER_INLINE_BYTES && !may_hold_code {
        return Ok(text::to_html(body, &known));
    }
    let failed = |error: &dyn std::error::Error| {
        tracing::error!(%error, "rendering ended early");
        Refusal::new(ErrorCode::Internal, "this message could not be rendered; the server's log says why")
    };
    let _turn = turns.acquire().await.map_err(|error| failed(&error))?;
    let body = body.to_owned();
    tokio::task::spawn_blocking(move || text::to_html(&body, &known)).await.map_err(|error| failed(&error))
}
