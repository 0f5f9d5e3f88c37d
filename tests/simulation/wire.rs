//! The network: byte streams in memory. What is written flies in pieces until the schedule lets it
//! arrive; a connection can be cut in the middle of a piece, or go silent without either end knowing.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::chance::Chance;

/// Pieces on their way before the writer has to wait.
const PIECES_FLYING: usize = 8;

#[derive(Default)]
struct Way {
    flying: VecDeque<Vec<u8>>,
    arrived: VecDeque<u8>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// The writer is done: what flies still arrives.
    finished: bool,
    /// Nothing comes or goes any more.
    broken: bool,
    /// Everything is taken and nothing arrives.
    silent: bool,
}

impl Way {
    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    fn arrive(&mut self) {
        if let Some(piece) = self.flying.pop_front() {
            self.arrived.extend(piece);
        }
        self.wake();
    }

    /// Some pieces still arrive, perhaps a part of one more.
    fn cut(&mut self, chance: &mut Chance) {
        let whole = chance.below(self.flying.len() + 1);
        for _ in 0..whole {
            self.arrive();
        }
        if let Some(next) = self.flying.pop_front() {
            let part = match chance.below(3) {
                0 => 0,
                1 => 1,
                _ => next.len() - 1,
            };
            self.arrived.extend(&next[..part]);
        }
        // What follows a piece that was cut short never arrives.
        self.flying.clear();
        self.broken = true;
        self.wake();
    }
}

/// One end of a connection.
pub(crate) struct End {
    incoming: Rc<RefCell<Way>>,
    outgoing: Rc<RefCell<Way>>,
}

/// A connection as the network sees it.
pub(crate) struct Link {
    pub(crate) node: usize,
    ways: [Rc<RefCell<Way>>; 2],
}

/// A new connection: the client's end, the node's, and the network's view of it.
pub(crate) fn connect(node: usize) -> (End, End, Link) {
    let (up, down) = (Rc::<RefCell<Way>>::default(), Rc::<RefCell<Way>>::default());
    let near = End { incoming: Rc::clone(&down), outgoing: Rc::clone(&up) };
    let far = End { incoming: Rc::clone(&up), outgoing: Rc::clone(&down) };
    (near, far, Link { node, ways: [up, down] })
}

impl Link {
    /// The ways on which something flies.
    pub(crate) fn flying(&self) -> impl Iterator<Item = usize> + '_ {
        (0..2).filter(|way| !self.ways[*way].borrow().flying.is_empty())
    }

    pub(crate) fn arrive(&self, way: usize) {
        self.ways[way].borrow_mut().arrive();
    }

    pub(crate) fn cut(&self, chance: &mut Chance) {
        self.ways.iter().for_each(|way| way.borrow_mut().cut(chance));
    }

    pub(crate) fn go_silent(&self) {
        for way in &self.ways {
            let mut way = way.borrow_mut();
            way.silent = true;
            way.flying.clear();
            way.wake();
        }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.ways[0].borrow().silent && !self.ways[0].borrow().broken
    }

    /// Who waited for a sign of life on a silent connection gives it up.
    pub(crate) fn give_up(&self) {
        for way in &self.ways {
            let mut way = way.borrow_mut();
            way.broken = true;
            way.wake();
        }
    }

    /// Nothing comes of it any more.
    pub(crate) fn is_over(&self) -> bool {
        let over = |way: &Rc<RefCell<Way>>| {
            let way = way.borrow();
            way.broken || (way.finished && way.flying.is_empty())
        };
        self.ways.iter().all(over)
    }
}

impl AsyncRead for End {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut way = self.incoming.borrow_mut();
        if way.arrived.is_empty() {
            if way.broken {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if way.finished && way.flying.is_empty() {
                return Poll::Ready(Ok(()));
            }
            way.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = buf.remaining().min(way.arrived.len());
        let bytes: Vec<u8> = way.arrived.drain(..count).collect();
        buf.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut way = self.outgoing.borrow_mut();
        if way.broken || way.finished {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if way.flying.len() >= PIECES_FLYING {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if !way.silent && !bytes.is_empty() {
            way.flying.push_back(bytes.to_vec());
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.borrow_mut().finished = true;
        self.outgoing.borrow_mut().wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut outgoing = self.outgoing.borrow_mut();
        if outgoing.silent {
            return;
        }
        outgoing.finished = true;
        outgoing.wake();
        drop(outgoing);
        // Nobody reads any more: the other end finds out when it writes.
        let mut incoming = self.incoming.borrow_mut();
        incoming.broken = true;
        incoming.flying.clear();
        incoming.wake();
    }
}
