//! The executor: one thread, no sockets, and who goes on next is the seed's choice.
//!
//! A task runs until it waits: for its turn at the database (then it is granted one, some time later),
//! or for something else (then it goes on some time after it was woken). What the database does with
//! one operation is one step: nothing else runs until it is done. Time stands still unless the schedule
//! moves it.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

use switchback_storage::simulation as database;

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Whose task it is: a node's tasks end with the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Node(usize),
    Client(usize),
}

struct Task {
    name: String,
    owner: Owner,
    work: Work,
    flag: Arc<Flag>,
    waits_for_turn: bool,
}

/// Whether the task was woken since it was last polled. One per poll: what wakes an older one is of no
/// account. A wake-up from another thread is the database's: it is followed up while an operation is
/// under way, and decides nothing afterwards, because when it comes is the machine's choice.
struct Flag {
    woken: AtomicBool,
    root: Waker,
    home: ThreadId,
}

impl Flag {
    fn new(woken: bool, root: &Waker) -> Arc<Self> {
        let home = thread::current().id();
        Arc::new(Self { woken: AtomicBool::new(woken), root: root.clone(), home })
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        if thread::current().id() == self.home {
            self.woken.store(true, Ordering::SeqCst);
        }
        self.root.wake_by_ref();
    }
}

/// All tasks of a run.
pub(crate) struct Schedule {
    tasks: BTreeMap<usize, Task>,
    last: usize,
}

impl Schedule {
    pub(crate) const fn new() -> Self {
        Self { tasks: BTreeMap::new(), last: 0 }
    }

    pub(crate) fn spawn(&mut self, owner: Owner, name: String, work: Work) {
        let flag = Flag::new(true, Waker::noop());
        // What the seed decides must not depend on how much tokio lets a task do in one go.
        let work = Box::pin(tokio::task::unconstrained(work));
        self.last += 1;
        self.tasks.insert(self.last, Task { name, owner, work, flag, waits_for_turn: false });
    }

    /// Tasks that can go on.
    pub(crate) fn able(&self) -> impl Iterator<Item = usize> + '_ {
        let able = |task: &Task| task.waits_for_turn || task.flag.woken.load(Ordering::SeqCst);
        self.tasks.iter().filter(move |(_, task)| able(task)).map(|(id, _)| *id)
    }

    /// Lets a task go on; says which it was and whether it waited for its turn.
    pub(crate) async fn go_on(&mut self, id: usize) -> String {
        let Some(task) = self.tasks.get_mut(&id) else { return String::new() };
        let granted = task.waits_for_turn && !task.flag.woken.load(Ordering::SeqCst);
        if granted {
            database::grant();
        }
        let mut asked = granted;
        let done = poll_fn(|root| {
            task.flag = Flag::new(false, root.waker());
            let waker = Waker::from(Arc::clone(&task.flag));
            let polled = task.work.as_mut().poll(&mut Context::from_waker(&waker));
            task.waits_for_turn = database::was_waiting();
            asked |= database::under_way() > 0;
            if polled.is_pending() && database::under_way() > 0 {
                return Poll::Pending;
            }
            // What comes from the database's threads may make a task wake itself while it takes the last
            // of an answer, or not: when its sender was gone is the machine's choice. Looked after at
            // once, it decides nothing.
            if asked
                && task.flag.woken.swap(false, Ordering::SeqCst)
                && polled.is_pending()
                && !task.waits_for_turn
            {
                root.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(polled.is_ready())
        })
        .await;
        let name = if granted { format!("{} at the database", task.name) } else { task.name.clone() };
        if done {
            self.tasks.remove(&id);
        }
        name
    }

    /// Ends an owner's tasks, wherever they are.
    pub(crate) fn end(&mut self, owner: Owner) {
        self.tasks.retain(|_, task| task.owner != owner);
    }
}
