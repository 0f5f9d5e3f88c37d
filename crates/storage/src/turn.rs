//! Where an operation waits for its turn at the database: nowhere, except in a simulation.
//!
//! In a simulated run the schedule decides when the database is asked and when its answer arrives, so
//! that everything can happen in between, and the same again for the same seed. The feature
//! `simulation` is for tests alone; without it these are empty values and code that does nothing.

#[cfg(not(feature = "simulation"))]
mod held {
    /// Held while the database is asked.
    #[derive(Debug)]
    pub(crate) struct Turn;

    /// The turn at the database.
    #[expect(clippy::unused_async, reason = "a simulation waits here")]
    pub(crate) async fn turn() -> Turn {
        Turn
    }

    /// Whether a schedule decides when an answer arrives.
    pub(crate) const fn is_scheduled() -> bool {
        false
    }

    /// The database's answer arrives.
    #[expect(clippy::unused_async, reason = "a simulation waits here")]
    pub(crate) async fn answer() {}
}

#[cfg(feature = "simulation")]
pub(crate) use crate::simulation::{Turn, answer, is_scheduled, turn};
#[cfg(not(feature = "simulation"))]
pub(crate) use held::{Turn, answer, is_scheduled, turn};

use std::ops::{Deref, DerefMut};

use crate::db::Conn;

/// A connection that reads, with its turn.
#[derive(Debug)]
pub(crate) struct Reading {
    // Given back before the turn ends.
    conn: Conn,
    _turn: Turn,
}

impl Reading {
    pub(crate) const fn new(conn: Conn, turn: Turn) -> Self {
        Self { conn, _turn: turn }
    }
}

impl Deref for Reading {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.conn
    }
}

impl DerefMut for Reading {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.conn
    }
}
