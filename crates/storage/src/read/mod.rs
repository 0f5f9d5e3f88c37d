//! What can be asked. Each question reads one moment of the database, and what the asker may not
//! see is left out here, not later.

pub(crate) mod access;
pub(crate) mod desk;
pub(crate) mod hydrate;
mod log;
pub(crate) mod messages;
pub(crate) mod people;
pub(crate) mod rooms;
mod snapshot;
mod unread;
