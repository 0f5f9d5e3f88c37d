//! Who is told what, and what replay shows.

use switchback_core::wire::{EventBody, RoomKind};
use switchback_storage::{Audience, Error, RoomChange, UserChange};

use crate::kit::{Team, body, kinds, nobody, reaction};

#[tokio::test]
async fn a_private_room_is_silent_to_others_and_the_cursor_moves_over_it() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let room = team.room(ada, RoomKind::Private, "secret").await;
    let before = team.store.head().await.unwrap();
    team.say(ada, room, "psst").await;
    team.say(ada, room, "psst again").await;
    let page = team.store.events_for(bob, before, 100).await.unwrap();
    assert!(page.events.is_empty());
    assert_eq!(page.through, team.store.head().await.unwrap());
    assert_eq!(team.events_for(ada, before).await.events.len(), 2);
}

#[tokio::test]
async fn pages_for_one_person_leave_nothing_out_and_repeat_nothing() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let secret = team.room(ada, RoomKind::Private, "secret").await;
    let before = team.store.head().await.unwrap();
    let mut said = Vec::new();
    for number in 0..20 {
        let room = if number % 3 == 0 { general } else { secret };
        let message = team.say(ada, room, &format!("{number}")).await;
        if room == general {
            said.push(message.seq);
        }
    }
    let page = team.events_for(bob, before).await;
    let heard: Vec<_> = page.events.iter().map(|logged| logged.event.seq).collect();
    assert_eq!(heard, said);
    assert_eq!(page.through, team.store.head().await.unwrap());
}

#[tokio::test]
async fn who_leaves_hears_their_leaving_and_nothing_after() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let room = team.room(ada, RoomKind::Private, "work").await;
    let before = team.store.head().await.unwrap();
    team.store.add_member(ada, room, bob).await.unwrap();
    team.say(ada, room, "while in it").await;
    assert_eq!(kinds(&team.events_for(bob, before).await), ["member.joined", "message.posted"]);
    team.store.remove_member(ada, room, bob).await.unwrap();
    team.say(ada, room, "behind their back").await;
    let rename = RoomChange { name: Some("layoffs".parse().unwrap()), ..RoomChange::default() };
    team.store.update_room(ada, room, rename).await.unwrap();
    // Decided at delivery: what was said before is no longer theirs either.
    let page = team.events_for(bob, before).await;
    assert_eq!(kinds(&page), ["member.joined", "member.left"]);
    assert!(!format!("{page:?}").contains("layoffs"), "the room's new name got out");
}

#[tokio::test]
async fn who_comes_back_hears_what_is_said_from_then_on() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let room = team.room(ada, RoomKind::Private, "work").await;
    let before = team.store.head().await.unwrap();
    team.store.add_member(ada, room, bob).await.unwrap();
    team.say(ada, room, "first time").await;
    team.store.remove_member(bob, room, bob).await.unwrap();
    team.say(ada, room, "away").await;
    team.store.add_member(ada, room, bob).await.unwrap();
    team.say(ada, room, "second time").await;
    let page = team.events_for(bob, before).await;
    let expected = ["member.joined", "member.left", "member.joined", "message.posted"];
    assert_eq!(kinds(&page), expected);
    let Some(EventBody::MessagePosted { message }) = page.events.last().map(|logged| &logged.event.body)
    else {
        panic!("the last event is no message")
    };
    assert_eq!(message.body, "second time");
}

#[tokio::test]
async fn a_reading_mark_is_for_its_reader_alone_and_not_counted_by_the_room() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let message = team.say(ada, general, "hello").await;
    let n = team.view(bob, general).await.n;
    let before = team.store.head().await.unwrap();
    team.store.mark_read(bob, general, message.seq).await.unwrap();
    let page = team.events_for(bob, before).await;
    assert_eq!(kinds(&page), ["read.marked"]);
    assert_eq!((page.events[0].event.n, page.events[0].event.room), (None, Some(general)));
    assert_eq!(page.events[0].audience, Audience::User(bob));
    assert!(team.events_for(ada, before).await.events.is_empty());
    assert_eq!(team.view(bob, general).await.n, n);
}

#[tokio::test]
async fn every_event_names_its_audience() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let room = team.room(ada, RoomKind::Private, "work").await;
    team.store.add_member(ada, room, bob).await.unwrap();
    team.say(ada, room, "hi").await;
    team.store.remove_member(bob, room, bob).await.unwrap();
    team.store.rename_workspace(ada, "Acme".parse().unwrap()).await.unwrap();
    let page = team.all_events(0).await;
    for logged in &page.events {
        let expected = match (&logged.event.body, logged.event.room) {
            (EventBody::MemberJoined { user, .. } | EventBody::MemberLeft { user, .. }, Some(room)) => {
                Audience::RoomAnd(room, *user)
            }
            (_, Some(room)) => Audience::Room(room),
            (_, None) => Audience::Everyone,
        };
        assert_eq!(logged.audience, expected, "{:?}", logged.event);
        assert_eq!(logged.event.n.is_some(), logged.event.room.is_some(), "{:?}", logged.event);
    }
}

#[tokio::test]
async fn replay_shows_everything_as_it_now_stands() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let before = team.store.head().await.unwrap();
    let message = team.say(ada, general, "old text").await;
    team.store.react(reaction(ada, message.id, "👍", true)).await.unwrap();
    team.store.edit_message(ada, message.id, body("new text"), "<p>new text</p>".into()).await.unwrap();
    let rename = UserChange { name: Some("Ada L.".parse().unwrap()), ..UserChange::default() };
    team.store.update_user(Some(ada), ada, rename).await.unwrap();
    let now = team.store.message(ada, message.id).await.unwrap();
    let page = team.events_for(ada, before).await;
    assert_eq!(kinds(&page), ["message.posted", "reaction.added", "message.edited", "user.updated"]);
    assert_eq!(page.events[0].event.body, EventBody::MessagePosted { message: now.clone() });
    assert_eq!(page.events[2].event.body, EventBody::MessageEdited { message: now });
    let joined = team.all_events(0).await;
    let Some(EventBody::UserJoined { user }) = joined.events.get(1).map(|logged| &logged.event.body) else {
        panic!("the second event is not Ada's joining")
    };
    assert_eq!(user.name.as_str(), "Ada L.");
}

#[tokio::test]
async fn a_deactivated_or_unknown_person_is_told_nothing() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let off = UserChange { active: Some(false), ..UserChange::default() };
    team.store.update_user(Some(ada), bob, off).await.unwrap();
    for viewer in [bob, nobody()] {
        let refused = team.store.events_for(viewer, 0, 10).await;
        assert!(matches!(refused, Err(Error::NotFound("user"))));
    }
}

#[tokio::test]
async fn the_doorbell_rings_after_the_commit_and_not_for_nothing() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let mut doorbell = team.store.doorbell();
    doorbell.mark_unchanged();
    let message = team.say(ada, general, "ding").await;
    doorbell.changed().await.unwrap();
    assert_eq!(*doorbell.borrow_and_update(), message.seq);
    assert_eq!(team.store.head().await.unwrap(), message.seq);
    team.store.mark_read(ada, general, 0).await.unwrap();
    assert!(!doorbell.has_changed().unwrap());
}

#[tokio::test]
async fn times_never_go_back_along_the_log() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    for number in 0..20 {
        team.say(ada, general, &format!("{number}")).await;
    }
    let page = team.all_events(0).await;
    assert!(page.events.is_sorted_by_key(|logged| logged.event.at));
}
