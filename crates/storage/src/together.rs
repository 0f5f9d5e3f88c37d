//! Questions that are asked together. A question is a message to another thread or machine and one back,
//! which is most of what it costs: so those that come while the database is asked wait, and are asked
//! together next. A question that comes alone waits for nobody.
//!
//! Nothing is remembered: every question is answered by the database as it is after it was put.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::{Error, limits};

/// Where questions of one kind wait.
#[derive(Debug)]
pub(crate) struct Together<Q, A> {
    queue: Mutex<Queue<Q, A>>,
}

#[derive(Debug)]
struct Queue<Q, A> {
    waiting: Vec<Waiting<Q, A>>,
    /// A task asks them.
    served: bool,
}

type Waiting<Q, A> = (Q, oneshot::Sender<Result<A, Error>>);

/// The answer to each question, in their order, or why there is none to any of them.
pub(crate) type Answers<A> = Result<Vec<Result<A, Error>>, Error>;

impl<Q, A> Queue<Q, A> {
    const fn new() -> Self {
        Self { waiting: Vec::new(), served: false }
    }
}

impl<Q, A> Together<Q, A>
where
    Q: Send + 'static,
    A: Send + 'static,
{
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { queue: Mutex::new(Queue::new()) })
    }

    /// Asks by `look`, together with whoever asks at this moment.
    pub(crate) async fn ask<L, R>(self: &Arc<Self>, question: Q, look: L) -> Result<A, Error>
    where
        L: Fn(Vec<Q>) -> R + Send + 'static,
        R: Future<Output = Answers<A>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        {
            let mut queue = self.queue();
            if queue.waiting.len() >= limits::QUESTIONS_WAITING {
                return Err(Error::Unavailable("too many ask at once".to_owned()));
            }
            queue.waiting.push((question, answer));
            if !mem::replace(&mut queue.served, true) {
                // Not in the task of who comes first, who may go before the others have their answer.
                tokio::spawn(Serving { together: Arc::clone(self), done: false }.run(look));
            }
        }
        answered.await.unwrap_or_else(|_| Err(Error::Unavailable("nobody could be asked".to_owned())))
    }

    /// Some of those that wait; `None`: none does, and from now on nobody is served.
    fn next(&self) -> Option<Vec<Waiting<Q, A>>> {
        let mut queue = self.queue();
        if queue.waiting.is_empty() {
            // Not even room, for those that never come.
            *queue = Queue::new();
            return None;
        }
        let some = queue.waiting.len().min(limits::QUESTIONS_AT_ONCE);
        Some(queue.waiting.drain(..some).collect())
    }
}

impl<Q, A> Together<Q, A> {
    fn queue(&self) -> MutexGuard<'_, Queue<Q, A>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers those who wait, until nobody does.
struct Serving<Q, A> {
    together: Arc<Together<Q, A>>,
    done: bool,
}

impl<Q, A> Drop for Serving<Q, A> {
    fn drop(&mut self) {
        if !self.done {
            // It broke: who waits is told by that, and who comes next has it begun again.
            *self.together.queue() = Queue::new();
        }
    }
}

impl<Q, A> Serving<Q, A>
where
    Q: Send + 'static,
    A: Send + 'static,
{
    async fn run<L, R>(mut self, look: L)
    where
        L: Fn(Vec<Q>) -> R,
        R: Future<Output = Answers<A>>,
    {
        while let Some(some) = self.together.next() {
            // Whoever has gone in the meantime is not asked for.
            let (questions, waiting): (Vec<Q>, Vec<_>) =
                some.into_iter().filter(|(_, answer)| !answer.is_closed()).unzip();
            if questions.is_empty() {
                continue;
            }
            // Gone, if they do not hear it.
            match look(questions).await {
                Ok(answers) => waiting.into_iter().zip(answers).for_each(|(who, answer)| {
                    drop(who.send(answer));
                }),
                Err(error) => waiting.into_iter().for_each(|who| drop(who.send(Err(again(&error))))),
            }
        }
        self.done = true;
    }
}

/// The same trouble once more, for each who asked.
pub(crate) fn again(error: &Error) -> Error {
    match error {
        Error::Unavailable(why) => Error::Unavailable(why.clone()),
        error => Error::Database(sqlx::Error::Protocol(error.to_string())),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use futures_util::future::join_all;
    use tokio::task::yield_now;

    use super::*;

    const BAD: usize = usize::MAX;

    /// Tenfold, and with how many it was asked.
    async fn tenfold(numbers: Vec<usize>) -> Answers<(usize, usize)> {
        yield_now().await;
        let count = numbers.len();
        assert!(!numbers.contains(&BAD), "on purpose");
        Ok(numbers.into_iter().map(|number| Ok((10 * number, count))).collect())
    }

    #[tokio::test]
    async fn who_comes_while_one_is_asked_is_asked_with_the_others() {
        let together = Together::new();
        let asked = (0..=limits::QUESTIONS_AT_ONCE + 1).map(async |number| {
            if number > 0 {
                // The first is being asked by now.
                yield_now().await;
            }
            together.ask(number, tenfold).await.unwrap()
        });
        let answers = join_all(asked).await;
        assert!(answers.iter().enumerate().all(|(number, (answer, _))| *answer == 10 * number));
        let groups: Vec<usize> = answers.iter().map(|(_, group)| *group).collect();
        assert_eq!(groups.first(), Some(&1));
        assert!(groups.contains(&limits::QUESTIONS_AT_ONCE), "{groups:?}");
        assert!(together.queue().waiting.is_empty() && !together.queue().served);
    }

    #[tokio::test]
    async fn a_look_that_breaks_is_told_to_who_waits_and_the_next_is_answered() {
        let together = Together::new();
        assert!(matches!(together.ask(BAD, tenfold).await, Err(Error::Unavailable(_))));
        assert_eq!(together.ask(1, tenfold).await.unwrap(), (10, 1));
        let refused = |_: Vec<usize>| async { Answers::<(usize, usize)>::Err(Error::NotFound("room")) };
        match together.ask(2, refused).await {
            Err(Error::Database(error)) => assert!(error.to_string().contains("room not found")),
            other => panic!("{other:?}"),
        }
    }
}
