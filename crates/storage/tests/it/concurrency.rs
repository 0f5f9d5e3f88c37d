//! Many at once: the log stays dense, rooms count without gaps, moments are whole.

use std::collections::HashMap;

use switchback_core::wire::{EventBody, RoomKind};
use switchback_core::{RoomId, UserId};
use switchback_storage::{OpenMode, RoomChange};
use tokio::task::JoinSet;

use crate::kit::{Team, body, message, new_room, reaction};

/// Writers at the same time, and what each does.
const WRITERS: usize = 64;
const ROUNDS: usize = 6;

/// One of everything, with some that must fail in between: what fails leaves no gap.
async fn busy(team: &Team, user: UserId, general: RoomId, number: usize) {
    let store = &team.store;
    let (_, view) =
        store.create_room(new_room(user, RoomKind::Public, &format!("room {number}"))).await.unwrap();
    for round in 0..ROUNDS {
        let room = if round % 2 == 0 { general } else { view.room.id };
        let posted = team.say(user, room, &format!("{number}/{round}")).await;
        store.react(reaction(user, posted.id, "👍", true)).await.unwrap();
        store.edit_message(user, posted.id, body("edited"), String::new()).await.unwrap();
        store.mark_read(user, room, posted.seq).await.unwrap();
        store.create_room(new_room(user, RoomKind::Public, "general")).await.unwrap_err();
        let mut bad = message(user, room, "no such target");
        bad.reply_to = Some(switchback_core::MessageId::from_uuid(uuid::Uuid::now_v7()));
        store.post_message(bad).await.unwrap_err();
        if round == ROUNDS - 1 {
            store.delete_message(user, posted.id, false).await.unwrap();
        }
    }
    let archive = RoomChange { archived: Some(true), ..RoomChange::default() };
    store.update_room(user, view.room.id, archive).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_many_writers_the_log_is_dense_and_rooms_count_without_gaps() {
    let team = std::sync::Arc::new(Team::new().await);
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let team = std::sync::Arc::clone(&team);
        writers.spawn(async move {
            let user = team.user(&format!("user{number}")).await;
            busy(&team, user, general, number).await;
        });
    }
    writers.join_all().await;
    let page = team.all_events(0).await;
    assert!(page.events.iter().map(|logged| logged.event.seq).eq(1..=page.through));
    assert_eq!(team.store.head().await.unwrap(), page.through);
    let mut counted: HashMap<RoomId, u64> = HashMap::new();
    for logged in &page.events {
        if let (Some(room), Some(n)) = (logged.event.room, logged.event.n) {
            let last = counted.entry(room).or_default();
            assert_eq!(n, *last + 1, "a gap in {room}");
            *last = n;
        }
    }
    assert_eq!(counted.len(), WRITERS + 1);
    assert_eq!(team.view(ada, general).await.n, counted[&general]);
    let stats = team.store.stats();
    assert!(stats.largest_group > 1, "nothing was ever committed together: {stats:?}");
    assert_eq!(stats.queued, 0);
    assert!(stats.commits < stats.operations);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_post_from_many_places_at_once_is_written_once() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let new = message(ada, general, "once");
    let mut posts = JoinSet::new();
    for _ in 0..WRITERS {
        let (store, new) = (team.store.clone(), new.clone());
        posts.spawn(async move { store.post_message(new).await.unwrap() });
    }
    let posted = posts.join_all().await;
    assert_eq!(posted.iter().filter(|posted| posted.fresh).count(), 1);
    assert!(posted.iter().all(|other| other.seq == posted[0].seq && other.message == posted[0].message));
}

/// More than one statement takes, so that they are done in several, with some among them that must fail.
#[tokio::test]
async fn posts_that_are_done_together_are_what_they_would_be_one_by_one() {
    const POSTS: usize = 700;
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let rooms = [general, team.room(ada, RoomKind::Public, "other").await];
    let secret = team.room(ada, RoomKind::Private, "secret").await;
    let quoted = team.say(bob, general, "quoted").await;
    let new = |number: usize| {
        let mut new = message(ada, rooms[number % 2], &format!("{number}"));
        match number % 10 {
            // The one is in the same room, the other is not and is refused.
            2 | 5 => new.reply_to = Some(quoted.id),
            4 => new.mentions = vec![ada, bob, bob],
            // A room that is not the author's.
            6 => (new.author, new.room) = (bob, secret),
            _ => {}
        }
        new
    };
    let posts = (0..POSTS).map(|number| team.store.post_message(new(number)));
    let answers = futures_util::future::join_all(posts).await;
    assert!(team.store.stats().largest_group > 100, "{:?}", team.store.stats());
    let page = team.all_events(quoted.seq).await;
    let logged: HashMap<_, _> = page.events.iter().map(|logged| (logged.event.seq, &logged.event)).collect();
    let mut counted: HashMap<RoomId, u64> = HashMap::new();
    for (number, answer) in answers.iter().enumerate() {
        if [5, 6].contains(&(number % 10)) {
            assert!(matches!(answer, Err(switchback_storage::Error::NotFound(_))), "{number}: {answer:?}");
            continue;
        }
        let posted = answer.as_ref().unwrap();
        let EventBody::MessagePosted { message } = &logged[&posted.seq].body else { panic!("{number}") };
        assert_eq!((message, &*message.body), (&posted.message, &*number.to_string()));
        assert_eq!(message.reply_to.as_ref().map(|quote| quote.id), (number % 10 == 2).then_some(quoted.id));
        assert_eq!(message.mentions, if number % 10 == 4 { vec![bob] } else { vec![] });
        let n = logged[&posted.seq].n.unwrap();
        assert_eq!(counted.insert(message.room, n).unwrap_or_default().max(n), n, "in the order of asking");
    }
    let of_rooms = |room| page.events.iter().filter(move |logged| logged.event.room == Some(room));
    for room in rooms {
        let first = of_rooms(room).next().unwrap().event.n.unwrap();
        let last = team.view(ada, room).await.n;
        assert!(of_rooms(room).map(|logged| logged.event.n.unwrap()).eq(first..=last), "a gap in {room}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_snapshot_and_the_events_after_it_meet_exactly() {
    let team = std::sync::Arc::new(Team::new().await);
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let writing = tokio::spawn({
        let team = std::sync::Arc::clone(&team);
        async move {
            for number in 0..300 {
                team.say(ada, general, &format!("{number}")).await;
            }
        }
    });
    let mut snapshots = 0;
    while !writing.is_finished() {
        let snapshot = team.store.snapshot(bob).await.unwrap();
        let view = &snapshot.rooms[0];
        let after = team.store.events_for(bob, snapshot.seq, 100).await.unwrap();
        // The next message is the next number of the room, and what was before is what is unread.
        if let Some(first) = after.events.first() {
            assert_eq!(first.event.n, Some(view.n + 1));
        }
        assert!(view.last_seq <= snapshot.seq);
        let before = team.all_events(0).await;
        let messages = before.events.iter().filter(|logged| {
            logged.event.seq <= snapshot.seq && matches!(logged.event.body, EventBody::MessagePosted { .. })
        });
        assert_eq!(usize::try_from(view.unread).unwrap(), messages.count());
        snapshots += 1;
    }
    writing.await.unwrap();
    assert!(snapshots > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_and_an_admin_command_number_one_log_together() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let admin = team.second_store(OpenMode::Admin).await.unwrap();
    let mut posts = JoinSet::new();
    for number in 0..100 {
        let store = if number % 2 == 0 { team.store.clone() } else { admin.clone() };
        let new = message(ada, general, &format!("{number}"));
        posts.spawn(async move { store.post_message(new).await.unwrap().seq });
    }
    let mut seqs = posts.join_all().await;
    seqs.sort_unstable();
    let head = team.store.head().await.unwrap();
    assert!(seqs.into_iter().eq(head - 99..=head));
}
