//! What can be done. Each operation is a function over the write transaction: it checks what only a
//! transaction can check, changes rows, and appends the event that tells of it. If it fails, nothing
//! of it is written; what it answers is sent after the commit.

mod access;
pub(crate) mod messages;
mod people;
mod rooms;
mod standing;
