//! Accounts, the last owner, set-up, the workspace.

use switchback_core::wire::Role;
use switchback_storage::{Error, Setup, UserChange, limits};

use crate::kit::{Team, handle, kinds, new_user, nobody, secret};

fn setup(secret_hash: switchback_storage::SecretHash) -> Setup {
    Setup { secret_hash, workspace: "Acme".parse().unwrap(), owner: new_user("ada", Role::Member) }
}

#[tokio::test]
async fn set_up_makes_the_owner_once_with_any_of_the_newest_secrets() {
    let team = Team::new().await;
    let secrets: Vec<_> = (0..=limits::SETUP_LINKS).map(|_| secret()).collect();
    for secret in &secrets {
        team.store.set_setup_secret(*secret).await.unwrap();
    }
    let (too_old, old, new) = (secrets[0], secrets[1], secrets[limits::SETUP_LINKS]);
    for wrong in [too_old, secret()] {
        assert!(matches!(team.store.set_up(setup(wrong)).await, Err(Error::NotFound(_))));
    }
    assert!(team.store.needs_setup().await.unwrap());
    let owner = team.store.set_up(setup(old)).await.unwrap();
    assert_eq!((owner.role, owner.handle.as_str()), (Role::Owner, "ada"));
    assert!(!team.store.needs_setup().await.unwrap());
    assert_eq!(team.store.workspace().await.unwrap().name, "Acme");
    assert!(matches!(team.store.set_up(setup(new)).await, Err(Error::Gone(_))));
    assert!(matches!(team.store.set_setup_secret(secret()).await, Err(Error::Gone(_))));
}

#[tokio::test]
async fn a_set_up_that_fails_leaves_the_secret_usable() {
    let team = Team::new().await;
    team.user("ada").await;
    let hash = secret();
    team.store.set_setup_secret(hash).await.unwrap();
    let refused = team.store.set_up(setup(hash)).await;
    assert!(matches!(refused, Err(Error::Conflict { field: "handle", .. })));
    let mut other = setup(hash);
    other.owner.handle = handle("grace");
    assert!(team.store.set_up(other).await.is_ok());
}

#[tokio::test]
async fn handles_are_unique() {
    let team = Team::new().await;
    team.user("ada").await;
    let head = team.store.head().await.unwrap();
    let refused = team.store.create_user(new_user("ada", Role::Member)).await;
    assert!(matches!(refused, Err(Error::Conflict { field: "handle", .. })));
    assert_eq!(team.store.head().await.unwrap(), head);
}

#[tokio::test]
async fn people_are_found_by_handle_and_id() {
    let team = Team::new().await;
    let (ada, bob) = (team.user("ada").await, team.user("bob").await);
    let found =
        team.store.users_by_handle(&[handle("bob"), handle("zoe"), handle("ada"), handle("bob")]).await;
    let found: Vec<_> = found.unwrap().iter().map(|user| user.id).collect();
    assert_eq!(found, [ada, bob]);
    assert!(team.store.users_by_handle(&[]).await.unwrap().is_empty());
    let account = team.store.account(&handle("ada")).await.unwrap().unwrap();
    assert_eq!((account.user.id, account.password_hash.as_str()), (ada, "hash of ada"));
    assert_eq!(team.store.account_by_id(bob).await.unwrap().unwrap().user.id, bob);
    assert!(team.store.account(&handle("zoe")).await.unwrap().is_none());
    assert!(matches!(team.store.user(nobody()).await, Err(Error::NotFound("user"))));
    assert_eq!(team.store.users().await.unwrap().len(), 2);
}

#[tokio::test]
async fn people_are_in_order_byte_by_byte_whatever_the_databases_language() {
    let team = Team::new().await;
    let handles = ["a-b", "a.b", "a1", "a_b", "ab", "b"];
    for handle in handles.iter().rev() {
        team.user(handle).await;
    }
    let users = team.store.users().await.unwrap();
    assert!(users.iter().map(|user| user.handle.as_str()).eq(handles));
}

#[tokio::test]
async fn more_people_than_one_query_takes_are_all_found() {
    let team = Team::new().await;
    let mut handles = Vec::new();
    let mut joins = Vec::new();
    for number in 0..300 {
        let new = new_user(&format!("user{number:03}"), Role::Member);
        handles.push(new.handle.clone());
        joins.push(team.store.create_user(new));
    }
    futures_util::future::join_all(joins).await;
    let found = team.store.users_by_handle(&handles).await.unwrap();
    assert!(found.iter().map(|user| &user.handle).eq(&handles));
}

#[tokio::test]
async fn the_last_active_owner_stays_one() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.owner("bob").await);
    let demote = || UserChange { role: Some(Role::Admin), ..UserChange::default() };
    let deactivate = || UserChange { active: Some(false), ..UserChange::default() };
    team.store.update_user(Some(ada), bob, deactivate()).await.unwrap();
    let head = team.store.head().await.unwrap();
    for change in [demote(), deactivate()] {
        let refused = team.store.update_user(None, ada, change).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))));
    }
    assert_eq!(team.store.head().await.unwrap(), head);
    let back = UserChange { active: Some(true), ..UserChange::default() };
    team.store.update_user(Some(ada), bob, back).await.unwrap();
    assert_eq!(team.store.update_user(Some(ada), ada, demote()).await.unwrap().role, Role::Admin);
    let refused = team.store.update_user(Some(bob), bob, demote()).await;
    assert!(matches!(refused, Err(Error::Forbidden(_))));
}

#[tokio::test]
async fn of_two_owners_who_step_down_at_once_one_remains() {
    let team = Team::new().await;
    let (ada, bob) = (team.owner("ada").await, team.owner("bob").await);
    let demote = UserChange { role: Some(Role::Member), ..UserChange::default() };
    let (first, second) = tokio::join!(
        team.store.update_user(Some(ada), ada, demote.clone()),
        team.store.update_user(Some(bob), bob, demote),
    );
    assert_eq!([first.is_ok(), second.is_ok()].iter().filter(|done| **done).count(), 1);
    assert!(!team.store.needs_setup().await.unwrap());
}

#[tokio::test]
async fn an_account_is_changed_with_one_event_or_none() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let bob = team.user("bob").await;
    let before = team.store.head().await.unwrap();
    let change = UserChange { name: Some("Bob B.".parse().unwrap()), role: Some(Role::Admin), active: None };
    team.store.update_user(Some(ada), bob, change.clone()).await.unwrap();
    let user = team.store.update_user(Some(ada), bob, change).await.unwrap();
    assert_eq!((user.name.as_str(), user.role), ("Bob B.", Role::Admin));
    assert_eq!(team.store.user(bob).await.unwrap(), user);
    assert_eq!(kinds(&team.all_events(before).await), ["user.updated"]);
}

#[tokio::test]
async fn the_workspace_is_renamed_with_one_event_or_none() {
    let team = Team::new().await;
    let ada = team.owner("ada").await;
    let before = team.store.head().await.unwrap();
    for _ in 0..2 {
        let workspace = team.store.rename_workspace(ada, "Acme".parse().unwrap()).await.unwrap();
        assert_eq!(workspace.name, "Acme");
    }
    assert_eq!(kinds(&team.all_events(before).await), ["workspace.renamed"]);
}
