//! People, their accounts, and the workspace.

use switchback_core::wire::{User, Workspace};
use switchback_core::{Handle, UserId};

use crate::db::{Conn, Row, values};
use crate::tx::found;
use crate::{Account, Error, Store};

/// The columns of [`user`], from `users u`.
macro_rules! user_columns {
    () => {
        "u.id, u.handle, u.name, u.role, u.active, u.created_at"
    };
}
pub(crate) use user_columns;

impl Store {
    /// Everybody, deactivated people too, by handle.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        everybody(&mut *self.reader().await?).await
    }

    /// One person.
    pub async fn user(&self, user: UserId) -> Result<User, Error> {
        by_id(&mut *self.reader().await?, user).await
    }

    /// Those of these handles that somebody has, active or not, by handle.
    pub async fn users_by_handle(&self, handles: &[Handle]) -> Result<Vec<User>, Error> {
        let handles: Vec<&str> = handles.iter().map(Handle::as_str).collect();
        let sql = concat!("SELECT ", user_columns!(), " FROM users u WHERE u.handle IN ({keys})");
        let rows = self.reader().await?.all_in(sql, values![], &handles).await?;
        let mut users = rows.iter().map(user).collect::<Result<Vec<_>, _>>()?;
        users.sort_by(|a, b| a.handle.cmp(&b.handle));
        users.dedup_by(|a, b| a.id == b.id);
        Ok(users)
    }

    /// The account of this handle, active or not, for signing in.
    pub async fn account(&self, handle: &Handle) -> Result<Option<Account>, Error> {
        let sql = concat!("SELECT ", user_columns!(), ", u.password_hash FROM users u WHERE u.handle = $1");
        let row = self.reader().await?.maybe(sql, values![handle.as_str()]).await?;
        row.as_ref().map(account).transpose()
    }

    /// The account of this person.
    pub async fn account_by_id(&self, user: UserId) -> Result<Option<Account>, Error> {
        let sql = concat!("SELECT ", user_columns!(), ", u.password_hash FROM users u WHERE u.id = $1");
        let row = self.reader().await?.maybe(sql, values![user]).await?;
        row.as_ref().map(account).transpose()
    }

    /// The workspace.
    pub async fn workspace(&self) -> Result<Workspace, Error> {
        workspace(&mut *self.reader().await?).await
    }

    /// Whether nobody owns this workspace yet: there is no active owner.
    pub async fn needs_setup(&self) -> Result<bool, Error> {
        Ok(!has_owner(&mut *self.reader().await?, None).await?)
    }
}

/// Everybody, by handle.
pub(crate) async fn everybody(conn: &mut Conn) -> Result<Vec<User>, Error> {
    let sql = concat!("SELECT ", user_columns!(), " FROM users u ORDER BY u.handle");
    conn.all(sql, values![]).await?.iter().map(user).collect()
}

/// One person, active or not.
pub(crate) async fn by_id(conn: &mut Conn, id: UserId) -> Result<User, Error> {
    let sql = concat!("SELECT ", user_columns!(), " FROM users u WHERE u.id = $1");
    user(&found(conn.maybe(sql, values![id]).await?, "user")?)
}

/// One person who is active.
pub(crate) async fn active(conn: &mut Conn, id: UserId) -> Result<User, Error> {
    let user = by_id(conn, id).await?;
    if user.active { Ok(user) } else { Err(Error::NotFound("user")) }
}

/// Whether there is an active owner, `besides` left out.
pub(crate) async fn has_owner(conn: &mut Conn, besides: Option<UserId>) -> Result<bool, Error> {
    let sql = "SELECT id FROM users WHERE role = 'owner' AND active";
    let owners = conn.all(sql, values![]).await?;
    for row in owners {
        if Some(row.get::<UserId>("id")?) != besides {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The workspace.
pub(crate) async fn workspace(conn: &mut Conn) -> Result<Workspace, Error> {
    let row = conn.one("SELECT name FROM workspace WHERE id = 1", values![]).await?;
    Ok(Workspace { name: row.get("name")? })
}

/// A row of [`user_columns`].
pub(crate) fn user(row: &Row) -> Result<User, Error> {
    Ok(User {
        id: row.get("id")?,
        handle: row.get("handle")?,
        name: row.get("name")?,
        role: row.get("role")?,
        active: row.get("active")?,
        created_at: row.get("created_at")?,
    })
}

fn account(row: &Row) -> Result<Account, Error> {
    Ok(Account { user: user(row)?, password_hash: row.get("password_hash")? })
}
