//! Sessions, tokens and invitations: who is this, and what gives them that right.

use std::collections::HashSet;

use sqlx::AssertSqlSafe;
use switchback_core::wire::{Invitation, SessionInfo, Timestamp, TokenInfo};
use switchback_core::{RoomId, UserId};

use crate::db::{Conn, Row, Value, values};
use crate::read::people::{self, user_columns};
use crate::together::Answers;
use crate::turn::turn;
use crate::tx::{found, now};
use crate::{Credential, Error, Identity, Reader, SecretHash, Store, limits};

impl Store {
    /// Who this secret belongs to: an active account's session, unless it was unused for
    /// `limits::SESSION_IDLE_US`, or its token.
    pub async fn identify(&self, secret_hash: SecretHash) -> Result<Option<Identity>, Error> {
        Ok(self.ask((secret_hash, None)).await?.map(|reader| reader.identity))
    }

    /// [`Store::identify`], and how this room stands to them at the same moment.
    pub async fn reader_of(&self, secret_hash: SecretHash, room: RoomId) -> Result<Option<Reader>, Error> {
        self.ask((secret_hash, Some(room))).await
    }

    async fn ask(&self, asked: Asked) -> Result<Option<Reader>, Error> {
        let (gate, pool) = self.gate();
        let _asking = turn().await;
        gate.ask(asked, move |asked| {
            let pool = pool.clone();
            async move { readers(&mut pool.reader().await?, &asked).await }
        })
        .await
    }

    /// Where this person is signed in, newest use first. `current` is the caller's to set.
    pub async fn sessions(&self, user: UserId) -> Result<Vec<SessionInfo>, Error> {
        let sql = "SELECT id, label, created_at, last_used_at FROM sessions \
                   WHERE user_id = $1 AND last_used_at > $2 ORDER BY last_used_at DESC, id DESC";
        let rows = self.reader().await?.all(sql, values![user, oldest_alive()]).await?;
        rows.iter().map(session).collect()
    }

    /// This person's tokens, newest first.
    pub async fn tokens(&self, user: UserId) -> Result<Vec<TokenInfo>, Error> {
        let sql = "SELECT id, label, created_at, last_used_at FROM tokens \
                   WHERE user_id = $1 ORDER BY created_at DESC, id DESC";
        self.reader().await?.all(sql, values![user]).await?.iter().map(token).collect()
    }

    /// Of these people, every session and token that still counts.
    pub async fn alive(&self, users: &[UserId]) -> Result<HashSet<(UserId, Credential)>, Error> {
        let sql = "SELECT c.id, c.is_token, c.user_id FROM (\
                   SELECT id, user_id, FALSE AS is_token FROM sessions WHERE last_used_at > $1 \
                   UNION ALL SELECT id, user_id, TRUE FROM tokens\
                   ) c JOIN users u ON u.id = c.user_id WHERE u.active AND c.user_id IN ({keys})";
        let rows = self.reader().await?.all_in(sql, values![oldest_alive()], users).await?;
        rows.iter().map(|row| Ok((row.get("user_id")?, credential(row)?))).collect()
    }

    /// Invitations, newest first, at most `limits::INVITATIONS_LISTED`.
    pub async fn invitations(&self) -> Result<Vec<Invitation>, Error> {
        let sql = concat!(
            "SELECT ",
            invitation_columns!(),
            " FROM invitations i ORDER BY i.created_at DESC, i.id DESC LIMIT $1"
        );
        let rows = self.reader().await?.all(sql, values![limits::INVITATIONS_LISTED]).await?;
        rows.iter().map(invitation).collect()
    }

    /// The invitation of this secret, if it can still be used; `Gone` if it no longer can.
    pub async fn invitation_by_secret(&self, secret_hash: SecretHash) -> Result<Invitation, Error> {
        usable_invitation(&mut *self.reader().await?, secret_hash, now()).await
    }
}

/// What every request begins with: whose secret this is, and how a room stands to them. Nothing of it is
/// remembered: whoever signs out, on whatever node or by the admin's command, is a stranger to the very next
/// question.
pub(crate) type Asked = (SecretHash, Option<RoomId>);

/// Sizes of tables of questions; one between two is filled up with rows of NULL, which find nobody, so
/// that few statements are prepared and kept.
const TABLE_SIZES: [usize; 4] = [1, 4, 16, limits::QUESTIONS_AT_ONCE];

/// The answer to each, `None` where nobody is signed in by that secret.
async fn readers(conn: &mut Conn, asked: &[Asked]) -> Answers<Option<Reader>> {
    let size = TABLE_SIZES.into_iter().find(|size| *size >= asked.len()).unwrap_or(asked.len());
    let mut values = values![oldest_alive()];
    for (place, (secret_hash, room)) in asked.iter().enumerate() {
        values.extend(values![place, *secret_hash, *room]);
    }
    for _ in asked.len()..size {
        values.extend([Value::Int(None), Value::Bytes(None), Value::Id(None)]);
    }
    let row = |number: usize| format!("(${},${},${})", 3 * number + 2, 3 * number + 3, 3 * number + 4);
    let rows: Vec<String> = (0..size).map(row).collect();
    let sql = concat!(
        "WITH q (place, secret_hash, room) AS (VALUES {rows}) SELECT q.place, ",
        user_columns!(),
        ", coalesce(s.id, t.id) AS credential, t.id IS NOT NULL AS is_token, ",
        "CASE WHEN r.kind = 'public' OR m.user_id IS NOT NULL THEN r.n END AS room_n FROM q ",
        "LEFT JOIN sessions s ON s.secret_hash = q.secret_hash AND s.last_used_at > $1 ",
        "LEFT JOIN tokens t ON t.secret_hash = q.secret_hash ",
        "JOIN users u ON u.id = coalesce(s.user_id, t.user_id) AND u.active ",
        "LEFT JOIN rooms r ON r.id = q.room ",
        "LEFT JOIN memberships m ON m.room_id = r.id AND m.user_id = u.id"
    );
    // The text consists of our own SQL and parameter numbers; every value is bound.
    let sql = AssertSqlSafe(sql.replace("{rows}", &rows.join(",")));
    let mut answers: Vec<Result<Option<Reader>, Error>> = asked.iter().map(|_| Ok(None)).collect();
    for row in conn.all(sql, values).await? {
        let place: u64 = row.get("place")?;
        if let Some(answer) = usize::try_from(place).ok().and_then(|place| answers.get_mut(place)) {
            *answer = reader(&row).map(Some);
        }
    }
    Ok(answers)
}

fn reader(row: &Row) -> Result<Reader, Error> {
    let credential = if row.get("is_token")? {
        Credential::Token(row.get("credential")?)
    } else {
        Credential::Session(row.get("credential")?)
    };
    let identity = Identity { user: people::user(row)?, credential };
    Ok(Reader { identity, room_n: row.get("room_n")? })
}

/// The columns of [`invitation`], from `invitations i`.
macro_rules! invitation_columns {
    () => {
        "i.id, i.created_by, i.created_at, i.expires_at, i.max_uses, i.uses, i.revoked"
    };
}
use invitation_columns;

/// A session used last at or before this has ended by itself.
pub(crate) fn oldest_alive() -> Timestamp {
    now() - limits::SESSION_IDLE_US
}

/// The invitation of this secret as of `at`.
pub(crate) async fn usable_invitation(
    conn: &mut Conn,
    secret_hash: SecretHash,
    at: Timestamp,
) -> Result<Invitation, Error> {
    let sql = concat!("SELECT ", invitation_columns!(), " FROM invitations i WHERE i.secret_hash = $1");
    let invitation = invitation(&found(conn.maybe(sql, values![secret_hash]).await?, "invitation")?)?;
    if invitation.revoked {
        return Err(Error::Gone("this invitation was revoked"));
    }
    if invitation.expires_at.is_some_and(|expires_at| expires_at <= at) {
        return Err(Error::Gone("this invitation has expired"));
    }
    if invitation.max_uses.is_some_and(|max_uses| invitation.uses >= max_uses) {
        return Err(Error::Gone("this invitation is used up"));
    }
    Ok(invitation)
}

fn session(row: &Row) -> Result<SessionInfo, Error> {
    Ok(SessionInfo {
        id: row.get("id")?,
        label: row.get("label")?,
        created_at: row.get("created_at")?,
        last_used_at: row.get("last_used_at")?,
        current: false,
    })
}

fn credential(row: &Row) -> Result<Credential, Error> {
    let is_token: bool = row.get("is_token")?;
    Ok(if is_token { Credential::Token(row.get("id")?) } else { Credential::Session(row.get("id")?) })
}

fn token(row: &Row) -> Result<TokenInfo, Error> {
    Ok(TokenInfo {
        id: row.get("id")?,
        label: row.get("label")?,
        created_at: row.get("created_at")?,
        last_used_at: row.get("last_used_at")?,
    })
}

fn invitation(row: &Row) -> Result<Invitation, Error> {
    Ok(Invitation {
        id: row.get("id")?,
        created_by: row.get("created_by")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        max_uses: row.get("max_uses")?,
        uses: row.get("uses")?,
        revoked: row.get("revoked")?,
        url: None,
    })
}
