//! Who comes in, and where they may read from: what a live connection begins with. After a restart or a
//! lost network everybody comes at once, and is asked for together.

use std::collections::HashMap;

use crate::db::{Conn, Row, values};
use crate::read::access::oldest_alive;
use crate::read::people::{self, user_columns};
use crate::together::{Answers, again};
use crate::turn::{self, turn};
use crate::{Admission, Credential, Error, Identity, Membership, SecretHash, Store};

impl Store {
    /// Who this secret belongs to, as [`Store::identify`] says it, their memberships, and as of which head.
    pub async fn admit(&self, secret_hash: SecretHash) -> Result<Option<Admission>, Error> {
        let (desk, readers) = self.desk();
        let asking = turn().await;
        let admission = desk
            .ask(secret_hash, move |secrets| {
                let readers = readers.clone();
                async move { admissions(&mut readers.reader().await?, &secrets).await }
            })
            .await;
        drop(asking);
        // By now the log may have gone on: whoever asks must be ready for that.
        turn::answer().await;
        admission
    }
}

async fn admissions(conn: &mut Conn, secrets: &[SecretHash]) -> Answers<Option<Admission>> {
    let sql = concat!(
        "SELECT h.seq, c.secret_hash, c.credential, c.is_token, ",
        user_columns!(),
        ", m.room_id, m.joined_seq FROM (",
        "SELECT secret_hash, id AS credential, user_id, FALSE AS is_token FROM sessions ",
        "WHERE last_used_at > $1 AND secret_hash IN ({keys}) ",
        "UNION ALL SELECT secret_hash, id, user_id, TRUE FROM tokens WHERE secret_hash IN ({keys})",
        ") c JOIN users u ON u.id = c.user_id JOIN log_head h ON h.id = 1 ",
        "LEFT JOIN memberships m ON m.user_id = u.id WHERE u.active"
    );
    let known = sorted(&conn.all_in(sql, values![oldest_alive()], secrets).await?);
    let answer = |secret| match known.get(secret) {
        None => Ok(None),
        Some(Ok(admission)) => Ok(Some(admission.clone())),
        Some(Err(error)) => Err(again(error)),
    };
    Ok(secrets.iter().map(answer).collect())
}

/// What the rows say, by secret. A person who cannot be read is nobody else's trouble.
fn sorted(rows: &[Row]) -> HashMap<SecretHash, Result<Admission, Error>> {
    let mut known = HashMap::new();
    for row in rows {
        let Ok(Ok(secret)) = row.get::<Vec<u8>>("secret_hash").map(SecretHash::try_from) else { continue };
        let admission = known.entry(secret).or_insert_with(|| admission(row));
        if let Ok(admitted) = admission {
            match membership(row) {
                Ok(membership) => admitted.memberships.extend(membership),
                Err(error) => *admission = Err(error),
            }
        }
    }
    known
}

fn admission(row: &Row) -> Result<Admission, Error> {
    let is_token: bool = row.get("is_token")?;
    let credential = if is_token {
        Credential::Token(row.get("credential")?)
    } else {
        Credential::Session(row.get("credential")?)
    };
    let identity = Identity { user: people::user(row)?, credential };
    Ok(Admission { identity, as_of: row.get("seq")?, memberships: Vec::new() })
}

fn membership(row: &Row) -> Result<Option<Membership>, Error> {
    let Some(room) = row.get("room_id")? else { return Ok(None) };
    Ok(Some(Membership { room, joined_seq: row.get("joined_seq")? }))
}
