//! Making, changing, joining and leaving rooms.

use switchback_core::wire::{Role, RoomKind};
use switchback_core::{Topic, limits};
use switchback_storage::{Error, RoomChange, UserChange};

use crate::kit::{Team, kinds, new_room, new_user, nobody};

#[tokio::test]
async fn a_new_room_has_its_creator_in_it_who_sees_all_of_it() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let before = team.store.head().await.unwrap();
    let (seq, view) = team.store.create_room(new_room(ada, RoomKind::Private, "Plans")).await.unwrap();
    assert_eq!(seq, Some(before + 2));
    assert!(view.joined && !view.room.general);
    assert_eq!((view.n, view.room.member_count, view.unread), (2, 1, 0));
    assert_eq!(kinds(&team.events_for(ada, before).await), ["room.created", "member.joined"]);
}

#[tokio::test]
async fn room_names_are_unique_without_regard_to_case() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let plans = team.room(ada, RoomKind::Public, "Plans").await;
    let other = team.room(ada, RoomKind::Public, "other").await;
    let head = team.store.head().await.unwrap();
    let refused = team.store.create_room(new_room(ada, RoomKind::Public, "pLANS")).await;
    assert!(matches!(refused, Err(Error::Conflict { field: "name", .. })));
    let rename = |name: &str| RoomChange { name: Some(name.parse().unwrap()), ..RoomChange::default() };
    let refused = team.store.update_room(ada, other, rename("PLANS")).await;
    assert!(matches!(refused, Err(Error::Conflict { field: "name", .. })));
    assert_eq!(team.store.head().await.unwrap(), head);
    // Its own name in another case is free to it.
    let view = team.store.update_room(ada, plans, rename("PLANS")).await.unwrap();
    assert_eq!(view.room.name.as_deref(), Some("PLANS"));
}

#[tokio::test]
async fn the_name_of_a_private_room_is_refused_to_nobody_so_that_nobody_learns_of_it() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let secret = team.room(ada, RoomKind::Private, "layoffs").await;
    team.room(bob, RoomKind::Private, "layoffs").await;
    let public = team.room(bob, RoomKind::Public, "Layoffs").await;
    let rename = |name: &str| RoomChange { name: Some(name.parse().unwrap()), ..RoomChange::default() };
    team.store.update_room(ada, secret, rename("pay")).await.unwrap();
    team.store.update_room(bob, public, rename("PAY")).await.unwrap();
    // But none may pass for a public one.
    let refused = team.store.update_room(ada, secret, rename("General")).await;
    assert!(matches!(refused, Err(Error::Conflict { field: "name", .. })));
}

#[tokio::test]
async fn each_changed_thing_is_one_event_and_what_stays_is_none() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let room = team.room(ada, RoomKind::Public, "work").await;
    let before = team.store.head().await.unwrap();
    let change = RoomChange {
        name: Some("play".parse().unwrap()),
        topic: Some(Topic::new("fun").unwrap()),
        archived: Some(true),
    };
    let view = team.store.update_room(ada, room, change.clone()).await.unwrap();
    assert_eq!(view.room.topic, "fun");
    assert!(view.room.archived);
    let page = team.all_events(before).await;
    assert_eq!(kinds(&page), ["room.renamed", "room.topic_changed", "room.archived"]);
    team.store.update_room(ada, room, change).await.unwrap();
    assert_eq!(team.store.head().await.unwrap(), page.through);
    let reopen = RoomChange { archived: Some(false), ..RoomChange::default() };
    team.store.update_room(ada, room, reopen).await.unwrap();
    assert_eq!(kinds(&team.all_events(page.through).await), ["room.unarchived"]);
}

#[tokio::test]
async fn a_change_that_fails_in_part_changes_nothing() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let room = team.room(ada, RoomKind::Public, "work").await;
    team.room(ada, RoomKind::Public, "taken").await;
    let before = (team.view(ada, room).await, team.store.head().await.unwrap());
    let change = RoomChange {
        name: Some("taken".parse().unwrap()),
        topic: Some(Topic::new("never").unwrap()),
        archived: None,
    };
    team.store.update_room(ada, room, change).await.unwrap_err();
    assert_eq!((team.view(ada, room).await, team.store.head().await.unwrap()), before);
}

#[tokio::test]
async fn public_rooms_are_joined_private_ones_are_not_known_of() {
    let team = Team::new().await;
    let (ada, bob, eve) = (team.owner("ada").await, team.user("bob").await, team.user("eve").await);
    let open = team.room(ada, RoomKind::Public, "open").await;
    let closed = team.room(ada, RoomKind::Private, "closed").await;
    assert!(team.store.add_member(bob, open, bob).await.unwrap().is_some());
    assert_eq!(team.store.add_member(bob, open, bob).await.unwrap(), None);
    assert!(matches!(team.store.add_member(bob, closed, bob).await, Err(Error::NotFound("room"))));
    assert!(matches!(team.store.add_member(eve, closed, bob).await, Err(Error::NotFound("room"))));
    assert!(matches!(team.store.room(bob, closed).await, Err(Error::NotFound("room"))));
    assert!(matches!(team.store.members(bob, closed).await, Err(Error::NotFound("room"))));
    assert!(team.store.add_member(ada, closed, bob).await.unwrap().is_some());
    assert_eq!(team.store.members(bob, closed).await.unwrap(), [ada, bob]);
    let unknown = team.store.add_member(ada, closed, nobody()).await;
    assert!(matches!(unknown, Err(Error::NotFound("user"))));
    // Not a member oneself: one can join it, but not bring others.
    assert!(matches!(team.store.add_member(eve, open, ada).await, Err(Error::NotFound("room"))));
}

#[tokio::test]
async fn the_list_holds_public_rooms_and_ones_own() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    team.room(ada, RoomKind::Public, "Zoo").await;
    team.room(ada, RoomKind::Public, "apes").await;
    team.room(ada, RoomKind::Private, "closed").await;
    team.store.open_direct(ada, vec![bob]).await.unwrap();
    let names = async |viewer| {
        let rooms = team.store.rooms(viewer).await.unwrap();
        rooms.iter().map(|view| view.room.name.clone().unwrap_or_default()).collect::<Vec<_>>()
    };
    assert_eq!(names(ada).await, ["apes", "closed", "general", "Zoo", ""]);
    assert_eq!(names(bob).await, ["apes", "general", "Zoo", ""]);
    let zoo = team.store.rooms(bob).await.unwrap().remove(2);
    assert_eq!((zoo.joined, zoo.n, zoo.last_at, zoo.room.member_count), (false, 0, 0, 1));
}

#[tokio::test]
async fn general_cannot_be_left_or_archived_and_every_account_is_in_it() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    assert_eq!(team.store.members(ada, general).await.unwrap(), [ada, bob]);
    assert!(matches!(team.store.remove_member(bob, general, bob).await, Err(Error::Forbidden(_))));
    let archive = RoomChange { archived: Some(true), ..RoomChange::default() };
    assert!(matches!(team.store.update_room(ada, general, archive).await, Err(Error::Forbidden(_))));
}

#[tokio::test]
async fn leaving_is_one_event_that_the_leaver_still_gets() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let room = team.room(ada, RoomKind::Private, "work").await;
    team.store.add_member(ada, room, bob).await.unwrap();
    let before = team.store.head().await.unwrap();
    let seq = team.store.remove_member(bob, room, bob).await.unwrap();
    assert_eq!(seq, Some(before + 1));
    assert!(matches!(team.store.remove_member(bob, room, bob).await, Err(Error::NotFound("room"))));
    assert_eq!(team.store.remove_member(ada, room, bob).await.unwrap(), None);
    for viewer in [ada, bob] {
        assert_eq!(kinds(&team.events_for(viewer, before).await), ["member.left"]);
    }
}

#[tokio::test]
async fn the_same_people_always_share_one_direct_conversation() {
    let team = Team::new().await;
    let (ada, bob, eve) = (team.owner("ada").await, team.user("bob").await, team.user("eve").await);
    let before = team.store.head().await.unwrap();
    let first = team.store.open_direct(ada, vec![bob, bob, ada]).await.unwrap();
    assert_eq!(first.room.members.as_ref().unwrap().len(), 2);
    assert_eq!((first.room.kind, first.room.name.clone(), first.joined), (RoomKind::Direct, None, true));
    let page = team.events_for(bob, before).await;
    assert_eq!(kinds(&page), ["room.created", "member.joined", "member.joined"]);
    let again = team.store.open_direct(bob, vec![ada]).await.unwrap();
    assert_eq!(again.room.id, first.room.id);
    assert_eq!(team.store.head().await.unwrap(), page.through);
    let three = team.store.open_direct(ada, vec![bob, eve]).await.unwrap();
    let alone = team.store.open_direct(ada, vec![]).await.unwrap();
    assert_ne!(three.room.id, first.room.id);
    assert_eq!(alone.room.members, Some(vec![ada]));
    assert!(matches!(team.store.room(eve, first.room.id).await, Err(Error::NotFound("room"))));
}

#[tokio::test]
async fn a_direct_conversation_stays_as_it_was_opened() {
    let team = Team::new().await;
    let (ada, bob, eve) = (team.owner("ada").await, team.user("bob").await, team.user("eve").await);
    let room = team.store.open_direct(ada, vec![bob]).await.unwrap().room.id;
    assert!(matches!(team.store.add_member(ada, room, eve).await, Err(Error::Forbidden(_))));
    assert!(matches!(team.store.add_member(eve, room, eve).await, Err(Error::NotFound("room"))));
    assert!(matches!(team.store.remove_member(ada, room, bob).await, Err(Error::Forbidden(_))));
    let change = RoomChange { topic: Some(Topic::new("us").unwrap()), ..RoomChange::default() };
    assert!(matches!(team.store.update_room(ada, room, change).await, Err(Error::Forbidden(_))));
    let created = team.store.create_room(new_room(ada, RoomKind::Direct, "x")).await;
    assert!(matches!(created, Err(Error::Forbidden(_))));
    assert!(matches!(team.store.open_direct(ada, vec![nobody()]).await, Err(Error::NotFound("user"))));
    let mut many = Vec::new();
    for number in 0..limits::DIRECT_MEMBERS {
        many.push(team.user(&format!("user{number}")).await);
    }
    assert!(matches!(team.store.open_direct(ada, many.clone()).await, Err(Error::Forbidden(_))));
    many.pop();
    assert!(team.store.open_direct(ada, many).await.is_ok());
}

#[tokio::test]
async fn deactivated_people_are_not_counted_but_stay_in_direct_conversations() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let direct = team.store.open_direct(ada, vec![bob]).await.unwrap().room.id;
    let off = UserChange { active: Some(false), ..UserChange::default() };
    team.store.update_user(Some(ada), bob, off).await.unwrap();
    assert_eq!(team.view(ada, general).await.room.member_count, 1);
    assert_eq!(team.store.members(ada, general).await.unwrap(), [ada]);
    let direct = team.store.room_members(direct).await.unwrap();
    assert_eq!((direct.room.member_count, direct.members.len()), (1, 2));
    let on = UserChange { active: Some(true), ..UserChange::default() };
    team.store.update_user(Some(ada), bob, on).await.unwrap();
    assert_eq!(team.view(ada, general).await.room.member_count, 2);
}

#[tokio::test]
async fn a_snapshot_holds_ones_own_rooms_in_order_and_all_people() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let direct = team.store.open_direct(bob, vec![ada]).await.unwrap().room.id;
    team.room(bob, RoomKind::Private, "bees").await;
    team.room(bob, RoomKind::Public, "Ants").await;
    team.room(ada, RoomKind::Public, "not joined").await;
    let snapshot = team.store.snapshot(bob).await.unwrap();
    let names: Vec<_> = snapshot.rooms.iter().map(|view| view.room.name.as_deref()).collect();
    assert_eq!(names, [Some("general"), Some("Ants"), Some("bees"), None]);
    assert_eq!(snapshot.rooms[3].room.id, direct);
    assert_eq!(snapshot.me.id, bob);
    let handles: Vec<_> = snapshot.users.iter().map(|user| user.handle.as_str()).collect();
    assert_eq!(handles, ["ada", "bob"]);
    assert_eq!(snapshot.seq, team.store.head().await.unwrap());
    assert!(matches!(team.store.snapshot(nobody()).await, Err(Error::NotFound("user"))));
    let (seq, memberships) = team.store.memberships(bob).await.unwrap();
    assert_eq!((seq, memberships.len()), (snapshot.seq, 4));
    let (seq, memberships) = team.store.memberships(nobody()).await.unwrap();
    assert_eq!((seq, memberships.len()), (snapshot.seq, 0), "whoever is in no room");
}

#[tokio::test]
async fn a_new_account_is_told_of_to_everybody() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let before = team.store.head().await.unwrap();
    team.store.create_user(new_user("bob", Role::Member)).await.unwrap();
    assert_eq!(kinds(&team.events_for(ada, before).await), ["user.joined", "member.joined"]);
}
