//! Who comes in, and where they may read from: what a live connection begins with.
//!
//! After a restart or a lost network everybody comes at once, and each question costs a hand-over to the
//! database and back. So those who come while one is being asked wait for the next, and are asked for
//! together: nobody waits who comes alone.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::db::{Readers, Row, values};
use crate::read::access::oldest_alive;
use crate::read::people::{self, user_columns};
use crate::turn::{self, Reading, turn};
use crate::{Admission, Credential, Error, Identity, Membership, SecretHash, Store, limits};

type Answer = Result<Option<Admission>, Error>;

/// Where those wait who come in.
#[derive(Debug)]
pub(crate) struct Desk {
    readers: Readers,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<(SecretHash, oneshot::Sender<Answer>)>,
    /// A task answers them.
    served: bool,
}

impl Store {
    /// Who this secret belongs to, as [`Store::identify`] says it, their memberships, and as of which head.
    pub async fn admit(&self, secret_hash: SecretHash) -> Result<Option<Admission>, Error> {
        let admission = self.desk().ask(secret_hash).await;
        // By now the log may have gone on: whoever asks must be ready for that.
        turn::answer().await;
        admission
    }
}

impl Desk {
    pub(crate) fn new(readers: Readers) -> Arc<Self> {
        Arc::new(Self { readers, queue: Mutex::default() })
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
    }

    async fn ask(self: &Arc<Self>, secret_hash: SecretHash) -> Answer {
        // A simulation decides who is asked for when.
        #[cfg(feature = "simulation")]
        if crate::simulation::is_shared() {
            return sorted(&self.question(&[secret_hash]).await?).remove(&secret_hash).transpose();
        }
        let (answer, answered) = oneshot::channel();
        {
            let mut queue = self.queue();
            if queue.waiting.len() >= limits::ADMISSIONS_WAITING {
                return Err(Error::Unavailable("too many come in at once".to_owned()));
            }
            queue.waiting.push((secret_hash, answer));
            if !mem::replace(&mut queue.served, true) {
                // Not in the task of who comes first, who may go before the others have their answer.
                tokio::spawn(Serving { desk: Arc::clone(self), done: false }.run());
            }
        }
        answered.await.unwrap_or_else(|_| Err(Error::Unavailable("nobody could be asked".to_owned())))
    }

    /// Some of those who wait; `None`: nobody does, and from now on nobody is served.
    fn next(&self) -> Option<Vec<(SecretHash, oneshot::Sender<Answer>)>> {
        let mut queue = self.queue();
        if queue.waiting.is_empty() {
            // Not even room, for those who never come.
            *queue = Queue::default();
            return None;
        }
        let some = queue.waiting.len().min(limits::ADMISSIONS_AT_ONCE);
        Some(queue.waiting.drain(..some).collect())
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn question(&self, secrets: &[SecretHash]) -> Result<Vec<Row>, Error> {
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
        let turn = turn().await;
        let mut conn = Reading::new(self.readers.reader().await?, turn);
        conn.all_in(sql, values![oldest_alive()], secrets).await
    }
}

/// Answers those who wait, until nobody does.
struct Serving {
    desk: Arc<Desk>,
    done: bool,
}

impl Drop for Serving {
    fn drop(&mut self) {
        if !self.done {
            // It broke: who waits is told by that, and who comes next has it begun again.
            *self.desk.queue() = Queue::default();
        }
    }
}

impl Serving {
    async fn run(mut self) {
        while let Some(mut some) = self.desk.next() {
            // Whoever has gone in the meantime is not asked for.
            some.retain(|(_, answer)| !answer.is_closed());
            let secrets: Vec<SecretHash> = some.iter().map(|(secret, _)| *secret).collect();
            let known = self.desk.question(&secrets).await.map(|rows| sorted(&rows));
            for (secret, answer) in some {
                let admission = match known.as_ref().map(|known| known.get(&secret)) {
                    Ok(None) => Ok(None),
                    Ok(Some(Ok(admission))) => Ok(Some(admission.clone())),
                    Ok(Some(Err(error))) | Err(error) => Err(again(error)),
                };
                // Gone, if they do not hear it.
                drop(answer.send(admission));
            }
        }
        self.done = true;
    }
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

/// One error for several who asked together.
fn again(error: &Error) -> Error {
    match error {
        Error::Unavailable(why) => Error::Unavailable(why.clone()),
        error => Error::Database(sqlx::Error::Protocol(error.to_string())),
    }
}
