//! Who asks, and may they see that room: with that every request begins. A question is a message to
//! another thread or machine and one back, which is most of what it costs: so those that come while
//! the database is asked wait, and are asked together next.
//!
//! Nothing is remembered. Whoever signs out, on whatever node or by the admin's command, is a stranger
//! to the very next question.

use switchback_core::RoomId;
use tokio::sync::{mpsc, oneshot};

use crate::db::Readers;
use crate::read::access;
use crate::{Error, Reader, SecretHash, limits};

/// What is asked: whose secret this is, and how a room stands to them.
pub(crate) type Asked = (SecretHash, Option<RoomId>);

/// The way to the task that asks.
#[derive(Debug)]
pub(crate) struct Gate {
    queue: mpsc::Sender<Question>,
}

#[derive(Debug)]
struct Question {
    asked: Asked,
    reply: oneshot::Sender<Result<Option<Reader>, Error>>,
}

impl Gate {
    pub(crate) fn open(readers: Readers) -> Self {
        let (queue, waiting) = mpsc::channel(limits::QUESTIONS_WAITING);
        tokio::spawn(answer(readers, waiting));
        Self { queue }
    }

    pub(crate) async fn ask(&self, asked: Asked) -> Result<Option<Reader>, Error> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Question { asked, reply }).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

async fn answer(readers: Readers, mut waiting: mpsc::Receiver<Question>) {
    let mut group = Vec::new();
    while waiting.recv_many(&mut group, limits::QUESTIONS_AT_ONCE).await > 0 {
        // Whoever hung up meanwhile need not be answered.
        group.retain(|question| !question.reply.is_closed());
        if group.is_empty() {
            continue;
        }
        let asked: Vec<Asked> = group.iter().map(|question| question.asked).collect();
        let answers = look(&readers, &asked).await;
        match answers {
            Ok(answers) => group.drain(..).zip(answers).for_each(|(question, answer)| {
                drop(question.reply.send(Ok(answer)));
            }),
            Err(error) => group.drain(..).for_each(|question| {
                drop(question.reply.send(Err(again(&error))));
            }),
        }
    }
}

async fn look(readers: &Readers, asked: &[Asked]) -> Result<Vec<Option<Reader>>, Error> {
    access::readers(&mut readers.reader().await?, asked).await
}

/// The same trouble once more, for each who waited.
fn again(error: &Error) -> Error {
    match error {
        Error::Unavailable(reason) => Error::Unavailable(reason.clone()),
        other => Error::Database(sqlx::Error::Protocol(other.to_string())),
    }
}

fn stopped() -> Error {
    Error::Unavailable("shutting down".to_owned())
}
