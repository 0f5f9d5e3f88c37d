//! The search index: what is found, by whom, and that it follows the log whatever happens to it.

use switchback_core::search::Query;
use switchback_core::wire::{RoomKind, Timestamp};
use switchback_core::{RoomId, Seq, UserId, limits as bounds};
use switchback_storage::{Found, OpenMode, SearchFor, Store, limits};

use crate::kit::{Team, body};

/// Extends the index to the log's head; how many messages were written down.
async fn indexed(store: &Store) -> u64 {
    let mut messages = 0;
    loop {
        let indexed = store.index_next().await.unwrap();
        messages += indexed.messages;
        if indexed.through >= indexed.head {
            return messages;
        }
    }
}

fn asked(text: &str) -> SearchFor {
    SearchFor { phrases: Query::parse(text).unwrap().phrases, ..SearchFor::default() }
}

async fn page(store: &Store, viewer: UserId, asked: &SearchFor) -> Found {
    store.search(viewer, asked, None, bounds::SEARCH_PAGE_MESSAGES).await.unwrap()
}

/// The texts that were found, newest first.
async fn found(store: &Store, viewer: UserId, text: &str) -> Vec<String> {
    let found = page(store, viewer, &asked(text)).await;
    found.messages.into_iter().map(|message| message.body).collect()
}

#[tokio::test]
async fn a_message_is_found_by_all_of_its_words_and_by_the_beginning_of_the_last() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    for text in ["Déjà vu: the *deploy* is live", "deployment plan", "日本語のメモ", "is live? no"] {
        team.say(ada, general, text).await;
    }
    assert_eq!(indexed(&team.store).await, 4);
    let found = async |text: &str| found(&team.store, ada, text).await;
    assert_eq!(found("deja LIVE").await, ["Déjà vu: the *deploy* is live"]);
    assert_eq!(found("depl").await, ["deployment plan", "Déjà vu: the *deploy* is live"]);
    assert_eq!(found("\"deploy\"").await, ["Déjà vu: the *deploy* is live"]);
    assert_eq!(found("\"deploy is live\"").await, ["Déjà vu: the *deploy* is live"]);
    assert_eq!(found("\"live is\"").await, [""; 0]);
    assert_eq!(found("本語").await, ["日本語のメモ"]);
    assert_eq!(found("語本").await, [""; 0]);
    assert_eq!(found("is live").await, ["is live? no", "Déjà vu: the *deploy* is live"]);
    assert_eq!(found("plan live").await, [""; 0]);
}

#[tokio::test]
async fn filters_narrow_by_author_room_and_day() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let (general, other) = (team.general(ada).await, team.room(bob, RoomKind::Public, "other").await);
    let first = team.say(ada, general, "tea one").await;
    team.say(bob, general, "tea two").await;
    let third = team.say(bob, other, "tea three").await;
    indexed(&team.store).await;
    let bodies = async |asked: SearchFor| {
        let found = page(&team.store, ada, &asked).await;
        found.messages.into_iter().map(|message| message.body).collect::<Vec<_>>()
    };
    let tea = || asked("tea");
    assert_eq!(bodies(SearchFor { author: Some(bob), ..tea() }).await, ["tea three", "tea two"]);
    let rooms = |rooms: &[RoomId]| Some(rooms.to_vec());
    assert_eq!(bodies(SearchFor { rooms: rooms(&[general]), ..tea() }).await, ["tea two", "tea one"]);
    assert_eq!(bodies(SearchFor { rooms: rooms(&[general, other]), ..tea() }).await.len(), 3);
    assert_eq!(bodies(SearchFor { rooms: rooms(&[]), ..tea() }).await, [""; 0]);
    let alone = SearchFor { author: Some(bob), rooms: rooms(&[other]), ..SearchFor::default() };
    assert_eq!(bodies(alone).await, ["tea three"]);
    let since = |at: Timestamp| bodies(SearchFor { since: Some(at), ..tea() });
    assert_eq!(since(first.at).await.len(), 3);
    assert_eq!(since(third.at).await.last().map(String::as_str), Some("tea three"));
    assert_eq!(since(third.at + 1_000_000).await, [""; 0]);
    let until = |at: Timestamp| bodies(SearchFor { until: Some(at), ..tea() });
    assert_eq!(until(third.at + 1_000_000).await.len(), 3);
    assert_eq!(until(first.at).await, [""; 0]);
}

#[tokio::test]
async fn nobody_finds_what_they_may_not_see() {
    let team = Team::new().await;
    let (ada, bob, eve) = (team.owner("ada").await, team.user("bob").await, team.user("eve").await);
    let private = team.room(ada, RoomKind::Private, "secret").await;
    let public = team.room(ada, RoomKind::Public, "open").await;
    team.store.add_member(ada, private, bob).await.unwrap();
    let direct = team.store.open_direct(ada, vec![bob]).await.unwrap();
    team.say(ada, private, "plum private").await;
    team.say(ada, direct.room.id, "plum direct").await;
    team.say(ada, public, "plum public").await;
    indexed(&team.store).await;
    let plums = async |viewer| found(&team.store, viewer, "plum").await;
    assert_eq!(plums(bob).await, ["plum public", "plum direct", "plum private"]);
    assert_eq!(plums(eve).await, ["plum public"]);
    let by_room = SearchFor { rooms: Some(vec![private]), ..SearchFor::default() };
    assert!(page(&team.store, eve, &by_room).await.messages.is_empty());
    // From the moment somebody is out, whatever the index says.
    team.store.remove_member(bob, private, bob).await.unwrap();
    assert_eq!(plums(bob).await, ["plum public", "plum direct"]);
}

#[tokio::test]
async fn an_edited_message_is_found_by_its_new_words_and_a_deleted_one_by_none() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let edited = team.say(ada, general, "apple cake").await;
    let deleted = team.say(ada, general, "apple pie").await;
    indexed(&team.store).await;
    let html = String::new();
    team.store.edit_message(ada, edited.id, body("cherry cake"), html).await.unwrap();
    team.store.delete_message(ada, deleted.id, false).await.unwrap();
    let found = async |text: &str| found(&team.store, ada, text).await;
    // At once nothing old is found; what is new is, once the index has followed.
    assert_eq!(found("apple").await, [""; 0]);
    assert_eq!(found("cake").await, [""; 0]);
    assert_eq!(indexed(&team.store).await, 2);
    assert_eq!(found("apple").await, [""; 0]);
    assert_eq!(found("pie").await, [""; 0]);
    assert_eq!(found("cherry").await, ["cherry cake"]);
    assert_eq!(found("cake").await, ["cherry cake"]);
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest_and_end() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    for number in 0..7 {
        team.say(ada, general, &format!("page {number}")).await;
    }
    indexed(&team.store).await;
    let (mut before, mut all) = (None, String::new());
    loop {
        let found = team.store.search(ada, &asked("page"), before, 3).await.unwrap();
        all.extend(found.messages.iter().map(|message| message.body.replace("page ", "")));
        all.push(',');
        let Some(next) = found.before else { break };
        before = Some(next);
    }
    assert_eq!(all, "654,321,0,");
}

#[tokio::test]
async fn a_search_looks_at_so_many_candidates_and_says_where_to_go_on() {
    let team = Team::new().await;
    let (ada, eve) = (team.owner("ada").await, team.user("eve").await);
    let private = team.room(ada, RoomKind::Private, "secret").await;
    let general = team.general(ada).await;
    let oldest = team.say(ada, general, "needle").await;
    // Written behind the store's back: what counts is their number, and posting them takes a minute.
    let seqs = oldest.seq + 1..=oldest.seq + u64::try_from(limits::SEARCH_CANDIDATES).unwrap() + 5;
    fill(&team, private, ada, seqs.clone(), "needle").await;
    indexed(&team.store).await;
    let first = page(&team.store, eve, &asked("needle")).await;
    assert!(first.messages.is_empty());
    let before: Seq = first.before.unwrap();
    assert_eq!(before, seqs.end() + 1 - u64::try_from(limits::SEARCH_CANDIDATES).unwrap());
    let second = team.store.search(eve, &asked("needle"), Some(before), 5).await.unwrap();
    assert_eq!((second.messages.len(), second.before), (1, None));
}

#[tokio::test]
async fn what_is_old_and_rare_is_found_like_what_is_new_and_common() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let oldest = team.say(ada, general, "needle one").await;
    let last = oldest.seq + limits::SEARCH_NEAR_EVENTS + 50;
    fill(&team, general, ada, oldest.seq + 1..=last, "hay").await;
    team.say(ada, general, "needle two").await;
    indexed(&team.store).await;
    assert_eq!(found(&team.store, ada, "needle").await, ["needle two", "needle one"]);
    assert_eq!(page(&team.store, ada, &asked("hay")).await.messages.len(), bounds::SEARCH_PAGE_MESSAGES);
    let first = team.store.search(ada, &asked("needle"), None, 1).await.unwrap();
    let second = team.store.search(ada, &asked("needle"), first.before, 1).await.unwrap();
    assert_eq!((second.messages[0].seq, second.before), (oldest.seq, None));
}

/// Messages at these positions, without events.
async fn fill(team: &Team, room: RoomId, author: UserId, seqs: std::ops::RangeInclusive<Seq>, word: &str) {
    let (first, last) = (seqs.start(), seqs.end());
    let is_postgres = std::env::var_os("SWITCHBACK_TEST_POSTGRES").is_some();
    let simple = |id: uuid::Uuid| id.simple().to_string();
    let (room, author) = (simple(room.as_uuid()), simple(author.as_uuid()));
    let (numbers, id, room, author) = if is_postgres {
        let numbers = format!("FROM generate_series({first}, {last}) AS n (seq)");
        (numbers, "gen_random_uuid()", format!("'{room}'::uuid"), format!("'{author}'::uuid"))
    } else {
        let numbers = format!(
            "FROM (WITH RECURSIVE n (seq) AS (SELECT {first} UNION ALL SELECT seq + 1 FROM n WHERE seq < {last}) \
             SELECT seq FROM n) n"
        );
        (numbers, "randomblob(16)", format!("x'{room}'"), format!("x'{author}'"))
    };
    let no = if is_postgres { "FALSE" } else { "0" };
    team.behind_its_back(format!(
        "INSERT INTO messages (seq, id, room_id, author_id, nonce, at, body, html, mentions_room) \
         SELECT n.seq, {id}, {room}, {author}, {id}, 0, '{word}', '', {no} {numbers}"
    ))
    .await;
    team.behind_its_back(format!("UPDATE log_head SET seq = {last}")).await;
}

#[tokio::test]
async fn nothing_that_somebody_types_is_syntax_of_a_database() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let texts = [
        "it's",
        "\"",
        "a\"b",
        "' OR 1=1 --",
        "x' & y",
        "a:*",
        "a <-> b",
        "!a",
        "(a",
        "a)",
        "NEAR(a b)",
        "a AND",
        "NOT",
        "OR OR OR",
        "words:a",
        "{words}: a",
        "^a",
        "a*b*",
        "-a",
        "\\",
        "a\\'b",
        "%_%",
        ":r0",
        "🎉'🎉",
        "a\u{0}b",
        "':r' | 'a'",
    ];
    team.say(ada, general, "a harmless text").await;
    for text in texts {
        // What may not be said in a message (U+0000) may still be asked for.
        if let Ok(body) = text.parse() {
            let mut new = crate::kit::message(ada, general, "x");
            new.body = body;
            team.store.post_message(new).await.unwrap();
        }
    }
    indexed(&team.store).await;
    for text in texts {
        if let Ok(query) = Query::parse(text) {
            let asked = SearchFor { phrases: query.phrases, ..SearchFor::default() };
            page(&team.store, ada, &asked).await;
        }
    }
    assert_eq!(found(&team.store, ada, "a harmless").await, ["a harmless text"]);
    assert_eq!(
        found(&team.store, ada, "\"a b\"").await.len(),
        5,
        "a\"b, a <-> b, NEAR(a b), a*b*, and a\\'b"
    );
}

#[tokio::test]
async fn the_index_goes_on_where_it_stopped() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    team.say(ada, general, "before").await;
    assert_eq!(indexed(&team.store).await, 1);
    let team = team.reopened().await;
    team.say(ada, general, "afterwards").await;
    let behind = page(&team.store, ada, &asked("before")).await;
    assert_eq!(behind.messages.len(), 1);
    assert!(behind.indexed_to < behind.head);
    assert_eq!(indexed(&team.store).await, 1);
    let level = page(&team.store, ada, &asked("afterwards")).await;
    assert_eq!((level.messages.len(), level.indexed_to), (1, level.head));
}

#[tokio::test]
async fn an_index_that_is_gone_damaged_or_of_another_log_is_made_again() {
    let team = Team::in_directory().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    team.say(ada, general, "still here").await;
    indexed(&team.store).await;
    let file = team.path().join("search.db");
    let here = async |store: &Store| found(store, ada, "still").await == ["still here"];
    // Taken away under a running server.
    for end in ["search.db", "search.db-wal", "search.db-shm"] {
        std::fs::remove_file(team.path().join(end)).unwrap();
    }
    assert_eq!(indexed(&team.store).await, 1);
    assert!(here(&team.store).await);
    // A letter in its place.
    let team = team.reopened().await;
    std::fs::write(&file, "this is not a database, it is a letter\n".repeat(200)).unwrap();
    assert_eq!(indexed(&team.store).await, 1);
    assert!(here(&team.store).await);
    // Damaged in the middle.
    let team = team.reopened().await;
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[4096..].fill(0x5a);
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(indexed(&team.store).await, 1);
    assert!(here(&team.store).await);
    // Of another log, as after a restore into this directory.
    let team = team.reopened().await;
    team.store.close().await;
    team.behind_its_back("UPDATE log_head SET epoch = 'zz7'".to_owned()).await;
    let store = Store::open(team.path(), OpenMode::Server).await.unwrap();
    assert_eq!(indexed(&store).await, 1);
    assert!(here(&store).await);
    store.close().await;
}

#[tokio::test]
async fn an_index_that_is_ahead_of_the_log_is_made_again() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    team.say(ada, general, "the past").await;
    let lost = team.say(ada, general, "the future").await;
    indexed(&team.store).await;
    // As if an older copy of the database had been put back.
    let sql = format!("DELETE FROM messages WHERE seq = {}; UPDATE log_head SET seq = seq - 1", lost.seq);
    team.behind_its_back(sql).await;
    assert_eq!(indexed(&team.store).await, 1);
    assert_eq!(found(&team.store, ada, "the").await, ["the past"]);
}

#[tokio::test]
async fn a_damage_that_only_a_search_meets_is_mended_as_well() {
    let team = Team::in_directory().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    for number in 0..300 {
        team.say(ada, general, &format!("common {number} {}", "filler ".repeat(20))).await;
    }
    indexed(&team.store).await;
    let team = team.reopened().await;
    let file = team.path().join("search.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // All pages but those with the schema and the cursor.
    bytes[2 * 4096..].fill(0x5a);
    std::fs::write(&file, bytes).unwrap();
    let mut tries = 0;
    loop {
        indexed(&team.store).await;
        match team.store.search(ada, &asked("common"), None, 5).await {
            Ok(found) if !found.messages.is_empty() => break,
            Ok(_) | Err(_) => tries += 1,
        }
        assert!(tries < 5, "the index stays damaged");
    }
}

#[tokio::test]
async fn a_deleted_word_is_not_in_the_indexs_file_either() {
    let team = Team::in_directory().await;
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    let (edited, deleted) =
        (team.say(ada, general, "xyzzyplugh").await, team.say(ada, general, "xyzzyfrotz").await);
    team.say(ada, general, "xyzzykept").await;
    indexed(&team.store).await;
    team.store.edit_message(ada, edited.id, body("harmless"), String::new()).await.unwrap();
    team.store.delete_message(ada, deleted.id, false).await.unwrap();
    indexed(&team.store).await;
    team.store.close().await;
    assert!(!team.path().join("search.db-wal").exists());
    let file = std::fs::read(team.path().join("search.db")).unwrap();
    let holds = |word: &str| file.windows(word.len()).any(|bytes| bytes == word.as_bytes());
    // The terms share their beginnings in the index, and are whole in the text beside it.
    assert!(holds("xyzzykept"));
    assert!(!holds("plugh") && !holds("frotz"));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set SWITCHBACK_TEST_POSTGRES"]
async fn of_two_nodes_one_at_a_time_extends_the_index_and_both_find() {
    let team = Team::on_postgres().await;
    let other = team.second_store(OpenMode::Server).await.unwrap();
    let ada = team.owner("ada").await;
    let general = team.general(ada).await;
    for number in 0..20 {
        team.say(ada, general, &format!("shared {number}")).await;
    }
    let (here, there) = tokio::join!(indexed(&team.store), indexed(&other));
    assert_eq!(here + there, 20);
    assert_eq!(found(&other, ada, "shared").await.len(), 20);
    team.break_connections().await;
    team.say(ada, general, "shared again").await;
    // Each connection is found broken once.
    loop {
        drop(team.store.index_next().await);
        let again = team.store.search(ada, &asked("again"), None, 5).await;
        if again.is_ok_and(|found| found.messages.len() == 1) {
            break;
        }
    }
    other.close().await;
}
