//! Messages: rendering what was written, finding whom it mentions, and reading history.

use std::collections::HashMap;

use switchback_core::wire::{EncodedHistory, ErrorCode, Message, Role};
use switchback_core::{Emoji, Handle, MessageBody, MessageId, Nonce, RoomId, Seq, UserId};
use switchback_storage::{Changed, HistoryPage, HistoryRange, Identity, NewMessage, NewReaction, Posted};

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
        let (caller, n) = self.reader(secret, room).await?;
        let n = self.catch_up(room, n).await?;
        if let Some(page) = self.inner.pages.find(room, n, range, limit) {
            return Ok(page.encode());
        }
        let page = self.store().history(caller.user.id, room, range, limit).await?;
        Ok(self.keep(room, range, &page).await?.encode())
    }

    /// Brings what is kept of a room to where the room is now, if it can be. Returns of which count it may be then.
    async fn catch_up(&self, room: RoomId, n: u64) -> Result<u64, Refusal> {
        let pages = &self.inner.pages;
        let Some(known) = pages.behind(room, n) else { return Ok(n) };
        let mut reached = n;
        for _ in 0..limits::PAGES_CATCH_UPS {
            let Some(now) = self.store().only_posts(room, known).await? else {
                pages.forget(room, known);
                break;
            };
            reached = now.n;
            // Somebody else may have brought it further meanwhile, and then it is not of this count.
            if pages.advance(room, known, now).is_none_or(|n| n <= now.n) {
                break;
            }
        }
        Ok(reached)
    }

    /// Keeps a page that was just read, and what was kept of its room before, if that still holds.
    async fn keep(
        &self,
        room: RoomId,
        range: HistoryRange,
        page: &HistoryPage,
    ) -> Result<EncodedHistory, Refusal> {
        let pages = &self.inner.pages;
        // Something may have been posted since it was asked what is kept. If that cannot be found out, it is not kept
        // any longer: the page is there.
        if let Some(known) = pages.behind(room, page.reached.n)
            && self.store().only_posts_between(room, known, page.reached).await.unwrap_or_default()
        {
            pages.advance(room, known, page.reached);
        }
        pages.keep(room, range, page).map_err(|error| {
            tracing::error!(%error, "a page of history could not be encoded");
            Refusal::new(ErrorCode::Internal, "this page could not be written; the server's log says why")
        })
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use std::sync::Arc;

    use switchback_storage::{NewUser, OpenMode, Store};
    use uuid::Uuid;

    use super::*;
    use crate::Config;
    use crate::bus::Bus;
    use crate::hub::Hub;

    #[tokio::test]
    async fn what_is_posted_while_a_page_is_read_leaves_the_others_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), OpenMode::Server).await.unwrap();
        let (handle, name) = ("ada".parse().unwrap(), "Ada".parse().unwrap());
        let ada = NewUser { handle, name, role: Role::Owner, password_hash: String::new() };
        let ada = store.create_user(ada).await.unwrap().id;
        let room = store.rooms(ada).await.unwrap()[0].room.id;
        let hub = Arc::new(Hub::open(store.clone(), 8).await.unwrap());
        let ops = Ops::new(store.clone(), Bus::in_process(hub), &Config::default());
        let post = async |number: u128| {
            let (nonce, body) = (Nonce::from_uuid(Uuid::from_u128(number)), "said".parse().unwrap());
            let html = "<p>said</p>".to_owned();
            let (reply_to, mentions, mentions_room) = (None, Vec::new(), false);
            let new = NewMessage { author: ada, room, nonce, body, html, reply_to, mentions, mentions_room };
            store.post_message(new).await.unwrap().message
        };
        let read = async |limit| store.history(ada, room, HistoryRange::Latest, limit).await.unwrap();
        let finds = |n, before: Seq| ops.inner.pages.find(room, n, HistoryRange::Before(before), 2).is_some();
        for number in 1..4 {
            post(number).await;
        }
        ops.keep(room, HistoryRange::Latest, &read(3).await).await.unwrap();
        // Others post before a page is read, and more before it is kept.
        let fourth = post(4).await;
        let page = read(1).await;
        post(5).await;
        ops.keep(room, HistoryRange::Latest, &page).await.unwrap();
        assert!(finds(page.reached.n, fourth.seq));
        // Who comes then finds both, and that there is something newer.
        let n = ops.catch_up(room, page.reached.n + 1).await.unwrap();
        assert_eq!(n, page.reached.n + 1);
        assert!(finds(n, fourth.seq + 1) && !finds(n, Seq::MAX));
        // Whatever else happens may have changed any of them.
        let emoji = "\u{1f44d}".parse().unwrap();
        store.react(NewReaction { user: ada, message: fourth.id, emoji, present: true }).await.unwrap();
        let page = read(1).await;
        ops.keep(room, HistoryRange::Latest, &page).await.unwrap();
        assert!(!finds(page.reached.n, fourth.seq + 1));
    }
}
