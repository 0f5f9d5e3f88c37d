//! Recent events in memory, each encoded once; older ones come from storage.
//!
//! Every connection is a cursor over this: [`Ring::read`] gives what lies between a cursor and the
//! head, or says that the cursor has fallen out of memory, and then storage is read by page. Live
//! delivery and catch-up differ in nothing else.

mod entry;
mod frame;
mod ring;

pub(crate) use entry::Entry;
pub(crate) use frame::{Frame, LAST_CHUNK, answer, message};
pub(crate) use ring::{Read, Ring};
