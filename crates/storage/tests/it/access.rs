//! Sessions, tokens, invitations.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use switchback_core::wire::{Role, RoomKind, Timestamp};
use switchback_core::{InvitationId, RoomId, SessionId};
use switchback_storage::{Credential, Error, NewInvitation, SecretHash, Store, UserChange, limits};
use uuid::Uuid;

use crate::kit::{Team, handle, new_room, new_user, nobody, secret};

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::try_from(since.as_micros()).unwrap()
}

async fn known(store: &Store, secret_hash: SecretHash) -> Option<Credential> {
    store.identify(secret_hash).await.unwrap().map(|identity| identity.credential)
}

/// Who comes in, and into how many rooms.
async fn admitted(store: &Store, secret_hash: SecretHash) -> Option<(Credential, usize)> {
    let admission = store.admit(secret_hash).await.unwrap()?;
    let identity = store.identify(secret_hash).await.unwrap();
    assert_eq!(identity, Some(admission.identity.clone()));
    let (as_of, mut memberships) = store.memberships(admission.identity.user.id).await.unwrap();
    memberships.sort_by_key(|membership| membership.room);
    let mut same = admission.memberships;
    same.sort_by_key(|membership| membership.room);
    assert_eq!((admission.as_of, &same), (as_of, &memberships));
    Some((admission.identity.credential, same.len()))
}

#[tokio::test]
async fn who_comes_in_is_who_asks_with_their_rooms() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let (cookie, bearer) = (secret(), secret());
    let session = team.store.create_session(ada, cookie, "Firefox".into()).await.unwrap().id;
    let token = team.store.create_token(ada, bearer, "bot".into()).await.unwrap().id;
    assert_eq!(admitted(&team.store, cookie).await, Some((Credential::Session(session), 1)));
    team.store.create_room(new_room(ada, RoomKind::Private, "more")).await.unwrap();
    assert_eq!(admitted(&team.store, bearer).await, Some((Credential::Token(token), 2)));
    assert_eq!(admitted(&team.store, secret()).await, None);
    team.store.end_session(ada, session).await.unwrap();
    assert_eq!(admitted(&team.store, cookie).await, None);
    team.store.close().await;
    assert!(matches!(team.store.admit(bearer).await, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn many_who_come_at_once_are_told_apart() {
    let team = Team::new().await;
    team.owner("ada").await;
    let mut coming = Vec::new();
    for number in 0..2 * limits::QUESTIONS_AT_ONCE + 5 {
        let (user, bearer) = (team.user(&format!("user{number}")).await, secret());
        let token = team.store.create_token(user, bearer, "bot".into()).await.unwrap().id;
        // Each third is nobody, and each fifth comes twice.
        coming.push((bearer, Some((user, Credential::Token(token)))));
        if number % 3 == 0 {
            coming.push((secret(), None));
        }
        if number % 5 == 0 {
            coming.push((bearer, Some((user, Credential::Token(token)))));
        }
    }
    let asked = coming.iter().map(|(secret, _)| team.store.admit(*secret));
    for (admission, (_, expected)) in join_all(asked).await.into_iter().zip(&coming) {
        let admission = admission.unwrap();
        let who = admission.as_ref().map(|known| (known.identity.user.id, known.identity.credential));
        assert_eq!(who, *expected);
        assert!(admission.is_none_or(|known| known.memberships.len() == 1));
    }
    // One of them who goes before there is an answer takes nobody's with them.
    let (gone, stays) = (team.store.admit(coming[0].0), team.store.admit(coming[0].0));
    let (gone, stays) = (tokio::time::timeout(Duration::ZERO, gone), stays);
    let (_, stays) = tokio::join!(gone, stays);
    assert!(stays.unwrap().is_some());
}

#[tokio::test]
async fn a_session_and_a_token_identify_their_owner() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let (cookie, bearer) = (secret(), secret());
    let session = team.store.create_session(ada, cookie, "Firefox".into()).await.unwrap();
    let token = team.store.create_token(ada, bearer, "bot".into()).await.unwrap();
    let identity = team.store.identify(cookie).await.unwrap().unwrap();
    assert_eq!((identity.user.id, identity.credential), (ada, Credential::Session(session.id)));
    assert_eq!(known(&team.store, bearer).await, Some(Credential::Token(token.id)));
    assert_eq!(known(&team.store, secret()).await, None);
    assert_eq!(team.store.sessions(ada).await.unwrap(), [session]);
    assert_eq!(team.store.tokens(ada).await.unwrap(), [token]);
    assert_eq!(team.store.alive(&[ada]).await.unwrap().len(), 2);
    assert!(matches!(
        team.store.create_session(nobody(), secret(), String::new()).await,
        Err(Error::NotFound("user"))
    ));
}

#[tokio::test]
async fn everybody_who_asks_at_once_gets_their_own_answer() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let general = team.general(ada).await;
    let closed = team.room(ada, RoomKind::Private, "closed").await;
    let (cookie, bearer, unknown) = (secret(), secret(), secret());
    team.store.create_session(ada, cookie, "Firefox".into()).await.unwrap();
    team.store.create_token(bob, bearer, "bot".into()).await.unwrap();
    let n = async |room| team.view(ada, room).await.n;
    let (in_general, in_closed) = (n(general).await, n(closed).await);
    let nowhere = RoomId::from_uuid(Uuid::nil());
    let expected = [
        (cookie, general, Some((ada, Some(in_general)))),
        (cookie, closed, Some((ada, Some(in_closed)))),
        (bearer, general, Some((bob, Some(in_general)))),
        (bearer, closed, Some((bob, None))),
        (bearer, nowhere, Some((bob, None))),
        (unknown, general, None),
    ];
    // Of every number, so that every size of the question is asked.
    for many in [1, 3, 6, 60, 200] {
        let asked =
            (0..many).map(|number| expected[number % expected.len()]).map(async |(secret, room, _)| {
                let reader = team.store.reader_of(secret, room).await.unwrap();
                reader.map(|reader| (reader.identity.user.id, reader.room_n))
            });
        let answers = join_all(asked).await;
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer, expected[number % expected.len()].2, "{number} of {many}");
        }
    }
    team.say(ada, closed, "one more").await;
    let reader = team.store.reader_of(cookie, closed).await.unwrap().unwrap();
    assert_eq!(reader.room_n, Some(in_closed + 1));
}

#[tokio::test]
async fn what_is_ended_identifies_nobody_and_only_its_owner_can_end_it() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let (cookie, bearer) = (secret(), secret());
    let session = team.store.create_session(ada, cookie, "Firefox".into()).await.unwrap();
    let token = team.store.create_token(ada, bearer, "bot".into()).await.unwrap();
    assert!(!team.store.end_session(bob, session.id).await.unwrap());
    assert!(!team.store.end_token(bob, token.id).await.unwrap());
    assert!(team.store.end_session(ada, session.id).await.unwrap());
    assert!(team.store.end_token(ada, token.id).await.unwrap());
    assert!(!team.store.end_session(ada, session.id).await.unwrap());
    assert_eq!((known(&team.store, cookie).await, known(&team.store, bearer).await), (None, None));
    assert!(team.store.alive(&[ada]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_session_ends_by_itself_long_after_its_last_use() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let (idle, used) = (secret(), secret());
    team.store.create_session(ada, idle, "idle".into()).await.unwrap();
    team.store.create_session(ada, used, "used".into()).await.unwrap();
    age(&team, limits::SESSION_IDLE_US + 1_000_000).await;
    assert_eq!(known(&team.store, idle).await, None);
    assert!(known(&team.store, used).await.is_some());
    assert_eq!(team.store.sessions(ada).await.unwrap().len(), 1);
    assert_eq!(team.store.alive(&[ada]).await.unwrap().len(), 1);
    age(&team, limits::SESSION_IDLE_US - 60_000_000).await;
    assert!(known(&team.store, idle).await.is_some());
}

/// There is no clock to turn: the row is made as old as it must be.
async fn age(team: &Team, by_us: i64) {
    let sql = format!("UPDATE sessions SET last_used_at = {} WHERE label = 'idle'", now() - by_us);
    assert_eq!(team.behind_its_back(sql).await, 1);
}

#[tokio::test]
async fn touching_moves_the_last_use_forward_only() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let session = team.store.create_session(ada, secret(), "Firefox".into()).await.unwrap();
    let token = team.store.create_token(ada, secret(), "bot".into()).await.unwrap();
    let later = now() + 60_000_000;
    let gone = Credential::Session(SessionId::from_uuid(Uuid::now_v7()));
    let used =
        vec![(gone, later), (Credential::Session(session.id), later), (Credential::Token(token.id), later)];
    team.store.touch(used).await.unwrap();
    team.store
        .touch(vec![(Credential::Session(session.id), 1), (Credential::Token(token.id), 1)])
        .await
        .unwrap();
    assert_eq!(team.store.sessions(ada).await.unwrap()[0].last_used_at, later);
    assert_eq!(team.store.tokens(ada).await.unwrap()[0].last_used_at, Some(later));
}

#[tokio::test]
async fn deactivating_ends_everything_at_once_and_for_good() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.user("bob").await);
    let (cookie, bearer) = (secret(), secret());
    team.store.create_session(bob, cookie, "Firefox".into()).await.unwrap();
    team.store.create_token(bob, bearer, "bot".into()).await.unwrap();
    let set = |active| UserChange { active: Some(active), ..UserChange::default() };
    team.store.update_user(Some(ada), bob, set(false)).await.unwrap();
    assert_eq!((known(&team.store, cookie).await, known(&team.store, bearer).await), (None, None));
    assert!(team.store.create_session(bob, secret(), "again".into()).await.is_err());
    team.store.update_user(Some(ada), bob, set(true)).await.unwrap();
    assert_eq!((known(&team.store, cookie).await, known(&team.store, bearer).await), (None, None));
}

#[tokio::test]
async fn a_new_password_ends_all_sessions_but_the_one_kept() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let (here, there) = (secret(), secret());
    let kept = team.store.create_session(ada, here, "here".into()).await.unwrap();
    team.store.create_session(ada, there, "there".into()).await.unwrap();
    team.store.set_password(ada, "new hash".into(), Some(kept.id)).await.unwrap();
    assert!(known(&team.store, here).await.is_some());
    assert_eq!(known(&team.store, there).await, None);
    let account = team.store.account(&handle("ada")).await.unwrap().unwrap();
    assert_eq!(account.password_hash, "new hash");
    team.store.set_password(ada, "newer hash".into(), None).await.unwrap();
    assert_eq!(known(&team.store, here).await, None);
    assert!(matches!(
        team.store.set_password(nobody(), "x".into(), None).await,
        Err(Error::NotFound("user"))
    ));
}

#[tokio::test]
async fn one_session_too_many_ends_the_one_used_longest_ago() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let first = secret();
    team.store.create_session(ada, first, "first".into()).await.unwrap();
    for _ in 1..limits::SESSIONS_PER_USER {
        team.store.create_session(ada, secret(), "more".into()).await.unwrap();
    }
    assert!(known(&team.store, first).await.is_some());
    team.store.create_session(ada, secret(), "one too many".into()).await.unwrap();
    assert_eq!(known(&team.store, first).await, None);
    assert_eq!(team.store.sessions(ada).await.unwrap().len(), limits::SESSIONS_PER_USER);
}

#[tokio::test]
async fn tokens_are_limited() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    for _ in 0..limits::TOKENS_PER_USER {
        team.store.create_token(ada, secret(), "bot".into()).await.unwrap();
    }
    let refused = team.store.create_token(ada, secret(), "bot".into()).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))));
}

fn invitation(creator: switchback_core::UserId, max_uses: Option<u32>) -> NewInvitation {
    NewInvitation { creator, secret_hash: secret(), expires_at: None, max_uses }
}

#[tokio::test]
async fn an_invitation_makes_accounts_until_it_is_used_up() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let new = invitation(ada, Some(2));
    let link = new.secret_hash;
    let made = team.store.create_invitation(new).await.unwrap();
    assert_eq!(team.store.invitation_by_secret(link).await.unwrap(), made);
    let bob = team.store.accept_invitation(link, new_user("bob", Role::Member)).await.unwrap();
    assert_eq!(team.store.user(bob.id).await.unwrap(), bob);
    // A handle that is taken costs no use.
    let refused = team.store.accept_invitation(link, new_user("bob", Role::Member)).await;
    assert!(matches!(refused, Err(Error::Conflict { field: "handle", .. })));
    team.store.accept_invitation(link, new_user("eve", Role::Member)).await.unwrap();
    let refused = team.store.accept_invitation(link, new_user("zoe", Role::Member)).await;
    assert!(matches!(refused, Err(Error::Gone(_))));
    assert_eq!(team.store.invitations().await.unwrap()[0].uses, 2);
    assert!(team.store.account(&handle("zoe")).await.unwrap().is_none());
}

#[tokio::test]
async fn of_two_who_take_the_last_place_at_once_one_comes_too_late() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let new = invitation(ada, Some(1));
    let link = new.secret_hash;
    team.store.create_invitation(new).await.unwrap();
    let (first, second) = tokio::join!(
        team.store.accept_invitation(link, new_user("bob", Role::Member)),
        team.store.accept_invitation(link, new_user("eve", Role::Member)),
    );
    let too_late = [first, second].into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert!(matches!(too_late.as_slice(), [Error::Gone(_)]), "{too_late:?}");
    assert_eq!(team.store.users().await.unwrap().len(), 2);
}

#[tokio::test]
async fn expired_and_revoked_invitations_are_gone_and_unknown_ones_not_found() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let expired = NewInvitation { expires_at: Some(now() - 1), ..invitation(ada, None) };
    let valid = NewInvitation { expires_at: Some(now() + 60_000_000), ..invitation(ada, None) };
    let (late, link) = (expired.secret_hash, valid.secret_hash);
    team.store.create_invitation(expired).await.unwrap();
    let id = team.store.create_invitation(valid).await.unwrap().id;
    assert!(matches!(team.store.invitation_by_secret(late).await, Err(Error::Gone(_))));
    assert!(team.store.invitation_by_secret(link).await.is_ok());
    team.store.revoke_invitation(id).await.unwrap();
    team.store.revoke_invitation(id).await.unwrap();
    let refused = team.store.accept_invitation(link, new_user("bob", Role::Member)).await;
    assert!(matches!(refused, Err(Error::Gone(_))));
    let unknown = team.store.invitation_by_secret(secret()).await;
    assert!(matches!(unknown, Err(Error::NotFound("invitation"))));
    let unknown = team.store.revoke_invitation(InvitationId::from_uuid(Uuid::now_v7())).await;
    assert!(matches!(unknown, Err(Error::NotFound("invitation"))));
    let listed = team.store.invitations().await.unwrap();
    assert_eq!((listed.len(), listed[0].id, listed[0].revoked), (2, id, true));
}
