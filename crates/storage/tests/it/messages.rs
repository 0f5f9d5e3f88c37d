//! Posting, the nonce, editing, deleting, reactions, replies, history.

use switchback_core::wire::{Quote, RoomKind};
use switchback_core::{MessageId, limits};
use switchback_storage::{Error, HistoryRange, NewMessage, RoomChange};
use uuid::Uuid;

use crate::kit::{Team, body, kinds, message, nobody, reaction};

#[tokio::test]
async fn a_message_reads_back_as_it_was_answered() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let first = team.say(bob, general, "a question").await;
    let mut reply = message(ada, general, "an answer for @bob");
    reply.reply_to = Some(first.id);
    reply.mentions = vec![bob];
    reply.mentions_room = true;
    let posted = team.store.post_message(reply).await.unwrap();
    assert!(posted.fresh);
    assert_eq!(team.store.message(bob, posted.message.id).await.unwrap(), posted.message);
    let quote = Quote { id: first.id, author: bob, excerpt: "a question".to_owned(), deleted: false };
    assert_eq!(posted.message.reply_to, Some(quote));
    assert_eq!(posted.message.mentions, [bob]);
    assert_eq!(posted.message.body, "an answer for @bob");
    assert_eq!(posted.message.html, "<p>an answer for @bob</p>");
}

#[tokio::test]
async fn a_retry_with_the_same_nonce_is_answered_with_the_first_and_writes_nothing() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let new = message(ada, general, "once");
    let first = team.store.post_message(new.clone()).await.unwrap();
    let head = team.store.head().await.unwrap();
    let again = team.store.post_message(new.clone()).await.unwrap();
    assert!(first.fresh && !again.fresh);
    assert_eq!((again.seq, &again.message), (first.seq, &first.message));
    let team = team.reopened().await;
    assert!(!team.store.post_message(new).await.unwrap().fresh);
    assert_eq!(team.store.head().await.unwrap(), head);
}

#[tokio::test]
async fn a_nonce_used_for_another_content_is_a_conflict() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let other_room = team.room(ada, RoomKind::Public, "other").await;
    let target = team.say(ada, general, "target").await;
    let new = message(ada, general, "once");
    team.store.post_message(new.clone()).await.unwrap();
    let head = team.store.head().await.unwrap();
    for changed in [
        NewMessage { body: body("twice"), ..new.clone() },
        NewMessage { room: other_room, ..new.clone() },
        NewMessage { reply_to: Some(target.id), ..new.clone() },
    ] {
        let refused = team.store.post_message(changed).await;
        assert!(matches!(refused, Err(Error::Conflict { field: "nonce", .. })), "{refused:?}");
    }
    assert_eq!(team.store.head().await.unwrap(), head);
}

#[tokio::test]
async fn another_author_may_use_the_same_nonce() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let new = message(ada, general, "mine");
    team.store.post_message(new.clone()).await.unwrap();
    let theirs = NewMessage { author: bob, body: body("theirs"), ..new };
    assert!(team.store.post_message(theirs).await.unwrap().fresh);
}

#[tokio::test]
async fn after_an_edit_the_nonce_still_knows_the_text_that_was_sent() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let new = message(ada, general, "frist");
    let posted = team.store.post_message(new.clone()).await.unwrap();
    team.store.edit_message(ada, posted.message.id, body("first"), "<p>first</p>".into()).await.unwrap();
    let again = team.store.post_message(new.clone()).await.unwrap();
    assert!(!again.fresh);
    assert_eq!(again.message.body, "first");
    let edited = NewMessage { body: body("first"), ..new };
    assert!(matches!(team.store.post_message(edited).await, Err(Error::Conflict { .. })));
}

#[tokio::test]
async fn after_a_deletion_the_nonce_answers_the_tombstone() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let new = message(ada, general, "regretted");
    let posted = team.store.post_message(new.clone()).await.unwrap();
    team.store.delete_message(ada, posted.message.id, false).await.unwrap();
    let again = team.store.post_message(new).await.unwrap();
    assert!(!again.fresh && again.message.deleted);
    assert_eq!((again.seq, again.message.body.as_str()), (posted.seq, ""));
}

#[tokio::test]
async fn a_retry_is_answered_even_after_leaving_and_a_new_post_is_not_taken() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let room = team.room(ada, RoomKind::Public, "work").await;
    team.store.add_member(bob, room, bob).await.unwrap();
    let new = message(bob, room, "on my way out");
    team.store.post_message(new.clone()).await.unwrap();
    team.store.remove_member(bob, room, bob).await.unwrap();
    assert!(!team.store.post_message(new).await.unwrap().fresh);
    assert!(matches!(team.try_say(bob, room, "one more").await, Err(Error::NotFound("room"))));
}

#[tokio::test]
async fn only_members_write_and_nobody_in_an_archived_room() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let room = team.room(ada, RoomKind::Private, "secret").await;
    assert!(matches!(team.try_say(bob, room, "hello?").await, Err(Error::NotFound("room"))));
    assert!(matches!(team.try_say(nobody(), room, "hello?").await, Err(Error::NotFound("room"))));
    let kept = team.say(ada, room, "to be kept").await;
    let archive = RoomChange { archived: Some(true), ..RoomChange::default() };
    team.store.update_room(ada, room, archive).await.unwrap();
    assert!(matches!(team.try_say(ada, room, "late").await, Err(Error::Forbidden(_))));
    let edit = team.store.edit_message(ada, kept.id, body("changed"), String::new()).await;
    assert!(matches!(edit, Err(Error::Forbidden(_))));
    assert!(matches!(team.store.react(reaction(ada, kept.id, "👍", true)).await, Err(Error::Forbidden(_))));
    // What should not be there can still be taken away.
    assert!(team.store.delete_message(ada, kept.id, false).await.unwrap().message.deleted);
}

#[tokio::test]
async fn a_deactivated_account_cannot_write() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let off = switchback_storage::UserChange { active: Some(false), ..Default::default() };
    team.store.update_user(Some(ada), bob, off).await.unwrap();
    assert!(matches!(team.try_say(bob, general, "boo").await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn mentions_of_people_who_are_not_in_the_room_are_dropped() {
    let team = Team::new().await;
    let (ada, bob, eve) = (team.owner("ada").await, team.user("bob").await, team.user("eve").await);
    let room = team.room(ada, RoomKind::Private, "work").await;
    team.store.add_member(ada, room, bob).await.unwrap();
    let mut new = message(ada, room, "@bob @bob @eve @ada");
    new.mentions = vec![bob, bob, eve, ada];
    assert_eq!(team.store.post_message(new).await.unwrap().message.mentions, [bob]);
}

#[tokio::test]
async fn a_reply_must_answer_a_message_of_the_same_room() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let other = team.room(ada, RoomKind::Public, "other").await;
    let elsewhere = team.say(ada, other, "elsewhere").await;
    for target in [elsewhere.id, MessageId::from_uuid(Uuid::now_v7())] {
        let mut reply = message(ada, general, "to what?");
        reply.reply_to = Some(target);
        assert!(matches!(team.store.post_message(reply).await, Err(Error::NotFound("message"))));
    }
}

#[tokio::test]
async fn a_quote_is_cut_at_characters_follows_edits_and_is_empty_once_deleted() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let long = "ü".repeat(limits::REPLY_EXCERPT_CHARS + 1);
    let target = team.say(ada, general, &long).await;
    let mut reply = message(ada, general, "yes");
    reply.reply_to = Some(target.id);
    let reply = team.store.post_message(reply).await.unwrap().message;
    let quote = reply.reply_to.unwrap();
    assert_eq!(quote.excerpt.chars().count(), limits::REPLY_EXCERPT_CHARS);
    team.store.edit_message(ada, target.id, body("short"), String::new()).await.unwrap();
    let quote = team.store.message(ada, reply.id).await.unwrap().reply_to.unwrap();
    assert_eq!(quote.excerpt, "short");
    team.store.delete_message(ada, target.id, false).await.unwrap();
    let quote = team.store.message(ada, reply.id).await.unwrap().reply_to.unwrap();
    assert_eq!((quote.excerpt.as_str(), quote.deleted), ("", true));
}

#[tokio::test]
async fn editing_is_for_the_author_and_the_same_text_changes_nothing() {
    let team = Team::new().await;
    let (ada, bob, eve) = (team.owner("ada").await, team.user("bob").await, team.user("eve").await);
    let room = team.room(bob, RoomKind::Private, "work").await;
    team.store.add_member(bob, room, ada).await.unwrap();
    let message = team.say(bob, room, "draft").await;
    let edit = |actor, text| team.store.edit_message(actor, message.id, body(text), format!("<p>{text}</p>"));
    assert!(matches!(edit(ada, "mine").await, Err(Error::Forbidden(_))));
    assert!(matches!(edit(eve, "mine").await, Err(Error::NotFound("message"))));
    assert_eq!(edit(bob, "draft").await.unwrap().seq, None);
    let changed = edit(bob, "final").await.unwrap();
    assert_eq!(changed.seq, Some(team.store.head().await.unwrap()));
    assert_eq!((changed.message.body.as_str(), changed.message.html.as_str()), ("final", "<p>final</p>"));
    assert!(changed.message.edited_at.unwrap() >= message.at);
    assert_eq!(team.store.message(bob, message.id).await.unwrap(), changed.message);
}

#[tokio::test]
async fn deleting_leaves_a_tombstone_and_nothing_of_the_text() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let mut new = message(bob, general, "xyzzy-plugh secret");
    new.mentions = vec![ada];
    let message = team.store.post_message(new).await.unwrap().message;
    team.store.react(reaction(ada, message.id, "👍", true)).await.unwrap();
    let refused = team.store.delete_message(ada, message.id, false).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))));
    let changed = team.store.delete_message(ada, message.id, true).await.unwrap();
    assert!(changed.seq.is_some() && changed.message.deleted);
    assert_eq!((changed.message.body.as_str(), changed.message.html.as_str()), ("", ""));
    assert!(changed.message.reactions.is_empty());
    assert_eq!(team.store.message(bob, message.id).await.unwrap(), changed.message);
    assert_eq!(team.store.delete_message(bob, message.id, false).await.unwrap().seq, None);
    let edit = team.store.edit_message(bob, message.id, body("back"), String::new()).await;
    assert!(matches!(edit, Err(Error::Gone(_))));
    assert!(matches!(team.store.react(reaction(bob, message.id, "👍", true)).await, Err(Error::Gone(_))));
    let replay = format!("{:?}", team.all_events(0).await);
    assert!(!replay.contains("xyzzy-plugh"));
}

#[tokio::test]
async fn reactions_are_kept_in_order_of_first_use_and_count_once_each() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let id = team.say(ada, general, "vote").await.id;
    for (user, emoji) in [(ada, "👍"), (bob, "🎉"), (bob, "👍")] {
        assert!(team.store.react(reaction(user, id, emoji, true)).await.unwrap().seq.is_some());
    }
    assert_eq!(team.store.react(reaction(bob, id, "👍", true)).await.unwrap().seq, None);
    assert_eq!(team.store.react(reaction(ada, id, "🎉", false)).await.unwrap().seq, None);
    let shown = team.store.message(ada, id).await.unwrap().reactions;
    let shown: Vec<_> = shown.iter().map(|seen| (seen.emoji.as_str(), seen.users.clone())).collect();
    assert_eq!(shown, [("👍", vec![ada, bob]), ("🎉", vec![bob])]);
    let changed = team.store.react(reaction(ada, id, "👍", false)).await.unwrap();
    assert_eq!(changed.message.reactions[0].emoji.as_str(), "🎉");
}

#[tokio::test]
async fn a_message_takes_so_many_different_emoji_and_no_more() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let id = team.say(ada, general, "vote").await.id;
    let emoji =
        |number: usize| char::from_u32(0x1f600 + u32::try_from(number).unwrap()).map(String::from).unwrap();
    for number in 0..limits::EMOJI_PER_MESSAGE {
        team.store.react(reaction(ada, id, &emoji(number), true)).await.unwrap();
    }
    let refused = team.store.react(reaction(ada, id, &emoji(limits::EMOJI_PER_MESSAGE), true)).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))));
    // One that is there already can be joined.
    assert!(team.store.react(reaction(bob, id, &emoji(0), true)).await.unwrap().seq.is_some());
}

#[tokio::test]
async fn history_comes_in_pages_that_know_their_neighbours() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let mut seqs = Vec::new();
    for number in 0..10 {
        seqs.push(team.say(ada, general, &format!("{number}")).await.seq);
    }
    let page = async |range, limit| {
        let history = team.store.history(ada, general, range, limit).await.unwrap().history;
        let bodies: String = history.messages.iter().map(|message| message.body.as_str()).collect();
        (bodies, history.has_before, history.has_after)
    };
    let text = |text: &str, before, after| (text.to_owned(), before, after);
    assert_eq!(page(HistoryRange::Latest, 4).await, text("6789", true, false));
    assert_eq!(page(HistoryRange::Latest, 0).await, text("9", true, false));
    assert_eq!(page(HistoryRange::Latest, 1_000).await, text("0123456789", false, false));
    assert_eq!(page(HistoryRange::Before(seqs[6]), 4).await, text("2345", true, true));
    assert_eq!(page(HistoryRange::Before(seqs[0]), 4).await, text("", false, true));
    assert_eq!(page(HistoryRange::After(seqs[6]), 4).await, text("789", true, false));
    assert_eq!(page(HistoryRange::After(seqs[9]), 4).await, text("", true, false));
    assert_eq!(page(HistoryRange::After(0), 4).await, text("0123", false, true));
    assert_eq!(page(HistoryRange::Around(seqs[5]), 4).await, text("4567", true, true));
    assert_eq!(page(HistoryRange::Around(seqs[0]), 4).await, text("0123", false, true));
    assert_eq!(page(HistoryRange::Around(seqs[9]), 4).await, text("6789", true, false));
    assert_eq!(page(HistoryRange::Around(u64::MAX), 3).await, text("789", true, false));
}

#[tokio::test]
async fn history_is_for_members_and_of_public_rooms_for_everybody() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let (open, closed) =
        (team.room(ada, RoomKind::Public, "open").await, team.room(ada, RoomKind::Private, "closed").await);
    let (seen, hidden) = (team.say(ada, open, "seen").await, team.say(ada, closed, "hidden").await);
    let history = team.store.history(bob, open, HistoryRange::Latest, 10).await.unwrap().history;
    assert_eq!(history.messages, std::slice::from_ref(&seen));
    let refused = team.store.history(bob, closed, HistoryRange::Latest, 10).await;
    assert!(matches!(refused, Err(Error::NotFound("room"))));
    assert!(matches!(team.store.message(bob, hidden.id).await, Err(Error::NotFound("message"))));
    assert_eq!(team.store.message(bob, seen.id).await.unwrap(), seen);
    assert_eq!(
        kinds(&team.events_for(bob, 0).await).iter().filter(|kind| **kind == "message.posted").count(),
        0
    );
}

#[tokio::test]
async fn posts_alone_are_told_from_whatever_changes_a_page() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let so_far = async || team.store.history(ada, general, HistoryRange::Latest, 1).await.unwrap().reached;
    let empty = so_far().await;
    assert_eq!(team.store.only_posts(general, empty).await.unwrap(), Some(empty));
    let first = team.say(ada, general, "first").await;
    team.say(ada, general, "second").await;
    let both = so_far().await;
    assert_eq!(both.n, empty.n + 2);
    assert_eq!(team.store.only_posts(general, empty).await.unwrap(), Some(both));
    let between = async |since, until| team.store.only_posts_between(general, since, until).await.unwrap();
    assert!(between(empty, both).await && between(both, both).await);
    team.store.react(reaction(ada, first.id, "\u{1f44d}", true)).await.unwrap();
    assert_eq!(team.store.only_posts(general, both).await.unwrap(), None);
    let reacted = so_far().await;
    team.say(ada, general, "third").await;
    assert_eq!(team.store.only_posts(general, both).await.unwrap(), None, "a post does not hide it");
    assert!(team.store.only_posts(general, reacted).await.unwrap().is_some());
    let third = so_far().await;
    assert!(between(reacted, third).await && between(empty, both).await, "whatever came later");
    assert!(!between(both, reacted).await && !between(both, third).await);
    team.store.delete_message(ada, first.id, false).await.unwrap();
    assert_eq!(team.store.only_posts(general, reacted).await.unwrap(), None);
}
