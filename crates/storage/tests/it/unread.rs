//! What is left to read: now, and as of a mark in the log.

use futures_util::future::join_all;
use switchback_core::wire::{EventBody, RoomKind};
use switchback_core::{RoomId, Seq, UserId};
use switchback_storage::{Audience, Error};

use crate::kit::{Team, message};

impl Team {
    async fn counts(&self, viewer: UserId, room: RoomId) -> (u32, u32) {
        let view = self.view(viewer, room).await;
        let snapshot = self.store.snapshot(viewer).await.unwrap();
        let same = snapshot.rooms.iter().find(|seen| seen.room.id == room).unwrap();
        assert_eq!(*same, view, "the snapshot and the room disagree");
        (view.unread, view.mentions)
    }

    /// The marks in the log as replay shows them: position, unread, mentions.
    async fn marks(&self) -> Vec<(Seq, u32, u32)> {
        let page = self.all_events(0).await;
        let marks = page.events.into_iter().filter_map(|logged| match logged.event.body {
            EventBody::ReadMarked { read_seq, unread, mentions } => Some((read_seq, unread, mentions)),
            _ => None,
        });
        marks.collect()
    }

    async fn mention(&self, author: UserId, room: RoomId, users: &[UserId], everybody: bool) -> Seq {
        let mut new = message(author, room, "you!");
        new.mentions = users.to_vec();
        new.mentions_room = everybody;
        self.store.post_message(new).await.unwrap().seq
    }
}

#[tokio::test]
async fn others_messages_after_the_mark_are_unread_ones_own_are_not() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    team.say(ada, general, "one").await;
    team.say(bob, general, "two").await;
    let last = team.say(ada, general, "three").await;
    assert_eq!(team.counts(bob, general).await, (2, 0));
    assert_eq!(team.counts(ada, general).await, (1, 0));
    let view = team.view(bob, general).await;
    assert_eq!((view.last_seq, view.last_at), (last.seq, last.at));
}

#[tokio::test]
async fn nothing_from_before_joining_is_unread() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    team.mention(ada, general, &[], true).await;
    let bob = team.user("bob").await;
    assert_eq!(team.counts(bob, general).await, (0, 0));
    team.say(ada, general, "welcome").await;
    assert_eq!(team.counts(bob, general).await, (1, 0));
}

#[tokio::test]
async fn a_mark_moves_forward_only_and_not_beyond_the_head() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let first = team.say(ada, general, "one").await;
    let second = team.say(ada, general, "two").await;
    assert!(team.store.mark_read(bob, general, first.seq).await.unwrap().is_some());
    assert_eq!(team.counts(bob, general).await, (1, 0));
    assert_eq!(team.store.mark_read(bob, general, first.seq - 1).await.unwrap(), None);
    let seq = team.store.mark_read(bob, general, Seq::MAX).await.unwrap().unwrap();
    let view = team.view(bob, general).await;
    assert_eq!((view.read_seq, view.unread), (seq - 1, 0));
    assert!(view.read_seq >= second.seq);
    team.say(ada, general, "three").await;
    assert_eq!(team.counts(bob, general).await, (1, 0));
    let closed = team.room(ada, RoomKind::Private, "closed").await;
    assert!(matches!(team.store.mark_read(bob, closed, 1).await, Err(Error::NotFound("room"))));
}

#[tokio::test]
async fn marks_and_posts_at_once_are_each_done_once_and_numbered_without_gaps() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let mut people = Vec::new();
    for number in 0..10 {
        people.push(team.user(&format!("user{number}")).await);
    }
    let stranger = UserId::from_uuid(uuid::Uuid::nil());
    let first = team.say(ada, general, "one").await.seq;
    let head = team.store.head().await.unwrap();
    let marks = people.iter().chain(&people).map(|user| team.store.mark_read(*user, general, first));
    let posts = (0..10).map(|number| team.store.post_message(message(ada, general, &format!("{number}"))));
    let refused = team.store.mark_read(stranger, general, first);
    let (marked, posted, refused) = tokio::join!(join_all(marks), join_all(posts), refused);
    assert!(matches!(refused, Err(Error::NotFound("room"))), "{refused:?}");
    let mut seqs: Vec<Seq> = posted.into_iter().map(|posted| posted.unwrap().seq).collect();
    let marked: Vec<_> = marked.into_iter().map(Result::unwrap).collect();
    for (once, again) in marked[..10].iter().zip(&marked[10..]) {
        assert!(once.is_some() != again.is_some(), "marked twice or not at all: {once:?}, {again:?}");
    }
    seqs.extend(marked.into_iter().flatten());
    seqs.sort_unstable();
    assert!(seqs.into_iter().eq(head + 1..=head + 20));
    let events = team.all_events(head).await.events;
    let told = events.iter().filter_map(|logged| match logged.event.body {
        EventBody::ReadMarked { read_seq, .. } => Some((logged.audience, logged.event.actor, read_seq)),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert_eq!(told.len(), 10);
    for (audience, actor, read_seq) in told {
        assert_eq!((audience, read_seq), (Audience::User(actor.unwrap()), first));
    }
}

#[tokio::test]
async fn mentions_count_once_by_handle_or_by_room() {
    let team = Team::new().await;
    let (ada, bob, eve) = (team.owner("ada").await, team.user("bob").await, team.user("eve").await);
    let general = team.general(ada).await;
    team.say(ada, general, "plain").await;
    team.mention(ada, general, &[bob], false).await;
    team.mention(ada, general, &[bob], true).await;
    team.mention(ada, general, &[eve], false).await;
    team.mention(bob, general, &[], true).await;
    assert_eq!(team.counts(bob, general).await, (4, 2));
    assert_eq!(team.counts(eve, general).await, (5, 3));
    assert_eq!(team.counts(ada, general).await, (1, 1));
}

#[tokio::test]
async fn in_a_direct_conversation_everything_is_a_mention() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let room = team.store.open_direct(ada, vec![bob]).await.unwrap().room.id;
    let first = team.say(ada, room, "hey").await;
    team.say(ada, room, "you").await;
    assert_eq!(team.counts(bob, room).await, (2, 2));
    team.store.mark_read(bob, room, first.seq).await.unwrap();
    assert_eq!(team.marks().await, [(first.seq, 1, 1)]);
}

#[tokio::test]
async fn a_deleted_message_is_no_longer_unread() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    team.mention(ada, general, &[bob], false).await;
    let mut new = message(ada, general, "never mind");
    new.mentions_room = true;
    let regretted = team.store.post_message(new).await.unwrap().message;
    assert_eq!(team.counts(bob, general).await, (2, 2));
    team.store.delete_message(ada, regretted.id, false).await.unwrap();
    assert_eq!(team.counts(bob, general).await, (1, 1));
}

#[tokio::test]
async fn replayed_marks_count_as_of_themselves_whatever_came_later() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let one = team.mention(ada, general, &[bob], false).await;
    let mut new = message(ada, general, "two");
    new.mentions = vec![bob];
    let two = team.store.post_message(new).await.unwrap().message;
    let three = team.mention(ada, general, &[], true).await;
    team.store.mark_read(bob, general, one).await.unwrap();
    team.store.delete_message(ada, two.id, false).await.unwrap();
    team.say(ada, general, "four").await;
    team.store.mark_read(bob, general, two.seq).await.unwrap();
    team.store.mark_read(bob, general, three).await.unwrap();
    team.say(ada, general, "five").await;
    let expected = [(one, 2, 2), (two.seq, 2, 1), (three, 1, 0)];
    assert_eq!(team.marks().await, expected);
    // A read mark tells what the view said at that moment: here is the latest one.
    assert_eq!(team.counts(bob, general).await, (2, 0));
}
