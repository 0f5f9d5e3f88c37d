//! Accounts, the workspace, and how it becomes somebody's.

use switchback_core::wire::{Role, User, Workspace};
use switchback_core::{SessionId, UserId, WorkspaceName};

use crate::db::values;
use crate::kind::Kind;
use crate::read::people;
use crate::tx::{Entry, Tx, new_id};
use crate::write::rooms::let_in;
use crate::{Error, NewUser, SecretHash, Setup, Store, UserChange, limits};

impl Store {
    /// Makes an account, which is at once a member of the room of all.
    pub async fn create_user(&self, new: NewUser) -> Result<User, Error> {
        self.write(move |tx| Box::pin(create(tx, new))).await
    }

    /// Changes an account, with one event if anything is different. Deactivating ends its sessions
    /// and tokens in the same moment. `actor` is `None` for an admin command.
    pub async fn update_user(
        &self,
        actor: Option<UserId>,
        user: UserId,
        change: UserChange,
    ) -> Result<User, Error> {
        self.write(move |tx| Box::pin(update(tx, actor, user, change))).await
    }

    /// Sets another password and ends every session except the one to `keep`. The log tells of it as
    /// of any change of an account, so that every node looks at its open connections.
    pub async fn set_password(
        &self,
        user: UserId,
        password_hash: String,
        keep: Option<SessionId>,
    ) -> Result<(), Error> {
        self.write(move |tx| Box::pin(set_password(tx, user, password_hash, keep))).await
    }

    /// Gives the workspace another name.
    pub async fn rename_workspace(&self, actor: UserId, name: WorkspaceName) -> Result<Workspace, Error> {
        self.write(move |tx| Box::pin(rename(tx, actor, name))).await
    }

    /// Sets the one-time secret that makes its bearer the owner; an earlier one no longer works.
    /// `Gone` once there is an owner.
    pub async fn set_setup_secret(&self, secret_hash: SecretHash) -> Result<(), Error> {
        self.write(move |tx| Box::pin(set_setup_secret(tx, secret_hash))).await
    }

    /// Makes the owner and names the workspace; the secret is used up by it.
    pub async fn set_up(&self, setup: Setup) -> Result<User, Error> {
        self.write(move |tx| Box::pin(set_up(tx, setup))).await
    }
}

/// See [`Store::create_user`].
pub(super) async fn create(tx: &mut Tx, new: NewUser) -> Result<User, Error> {
    let sql = "SELECT id FROM users WHERE handle = $1";
    if tx.conn.maybe(sql, values![new.handle.as_str()]).await?.is_some() {
        return Err(Error::Conflict { field: "handle", detail: "somebody else has this handle" });
    }
    let id = UserId::from_uuid(new_id());
    let sql = "INSERT INTO users (id, handle, name, role, active, password_hash, created_at) \
               VALUES ($1, $2, $3, $4, TRUE, $5, $6)";
    let NewUser { handle, name, role, password_hash } = new;
    let values = values![id, handle.as_str(), name.as_str(), role, password_hash, tx.at()];
    tx.conn.run(sql, values).await?;
    tx.append(Entry::everywhere(Kind::UserJoined, Some(id)).about(id.as_uuid())).await?;
    let general = tx.conn.one("SELECT id FROM rooms WHERE general", values![]).await?;
    let_in(tx, general.get("id")?, id, id, None).await?;
    Ok(User { id, handle, name, role, active: true, created_at: tx.at() })
}

async fn update(tx: &mut Tx, actor: Option<UserId>, id: UserId, change: UserChange) -> Result<User, Error> {
    let now = people::by_id(&mut tx.conn, id).await?;
    let then = User {
        name: change.name.unwrap_or_else(|| now.name.clone()),
        role: change.role.unwrap_or(now.role),
        active: change.active.unwrap_or(now.active),
        ..now.clone()
    };
    if then == now {
        return Ok(now);
    }
    let owns = |user: &User| user.active && user.role == Role::Owner;
    if owns(&now) && !owns(&then) && !people::has_owner(&mut tx.conn, Some(id)).await? {
        return Err(Error::Forbidden("the last owner must stay one: make somebody else an owner first"));
    }
    let sql = "UPDATE users SET name = $2, role = $3, active = $4 WHERE id = $1";
    tx.conn.run(sql, values![id, then.name.as_str(), then.role, then.active]).await?;
    if !then.active {
        tx.conn.run("DELETE FROM sessions WHERE user_id = $1", values![id]).await?;
        tx.conn.run("DELETE FROM tokens WHERE user_id = $1", values![id]).await?;
    }
    tx.append(Entry::everywhere(Kind::UserUpdated, actor).about(id.as_uuid())).await?;
    Ok(then)
}

async fn set_password(
    tx: &mut Tx,
    user: UserId,
    password_hash: String,
    keep: Option<SessionId>,
) -> Result<(), Error> {
    let sql = "UPDATE users SET password_hash = $2 WHERE id = $1";
    if tx.conn.run(sql, values![user, password_hash]).await? == 0 {
        return Err(Error::NotFound("user"));
    }
    let sql = "DELETE FROM sessions WHERE user_id = $1 AND ($2 IS NULL OR id <> $2)";
    tx.conn.run(sql, values![user, keep]).await?;
    let actor = keep.map(|_| user);
    tx.append(Entry::everywhere(Kind::UserUpdated, actor).about(user.as_uuid())).await.map(drop)
}

async fn rename(tx: &mut Tx, actor: UserId, name: WorkspaceName) -> Result<Workspace, Error> {
    let sql = "UPDATE workspace SET name = $1 WHERE id = 1 AND name <> $1";
    if tx.conn.run(sql, values![name.as_str()]).await? > 0 {
        tx.append(Entry::everywhere(Kind::WorkspaceRenamed, Some(actor))).await?;
    }
    people::workspace(&mut tx.conn).await
}

async fn set_setup_secret(tx: &mut Tx, secret_hash: SecretHash) -> Result<(), Error> {
    not_set_up(tx).await?;
    let mut hashes = secret_hash.to_vec();
    hashes.extend(setup_hashes(tx).await?);
    hashes.truncate(limits::SETUP_LINKS * size_of::<SecretHash>());
    let sql = "UPDATE workspace SET setup_hash = $1 WHERE id = 1";
    tx.conn.run(sql, values![hashes]).await.map(drop)
}

/// The hashes of all links that work, newest first, one after the other.
async fn setup_hashes(tx: &mut Tx) -> Result<Vec<u8>, Error> {
    let row = tx.conn.one("SELECT setup_hash FROM workspace WHERE id = 1", values![]).await?;
    Ok(row.get::<Option<Vec<u8>>>("setup_hash")?.unwrap_or_default())
}

async fn set_up(tx: &mut Tx, setup: Setup) -> Result<User, Error> {
    not_set_up(tx).await?;
    let hashes = setup_hashes(tx).await?;
    if !hashes.chunks(size_of::<SecretHash>()).any(|hash| hash == setup.secret_hash) {
        return Err(Error::NotFound("set-up link"));
    }
    tx.conn.run("UPDATE workspace SET setup_hash = NULL WHERE id = 1", values![]).await?;
    let owner = create(tx, NewUser { role: Role::Owner, ..setup.owner }).await?;
    rename(tx, owner.id, setup.workspace).await?;
    Ok(owner)
}

async fn not_set_up(tx: &mut Tx) -> Result<(), Error> {
    if people::has_owner(&mut tx.conn, None).await? {
        return Err(Error::Gone("this workspace has an owner already"));
    }
    Ok(())
}
