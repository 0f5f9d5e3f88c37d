//! Whether the database's file is still where it was opened.
//!
//! Unix lets a program write to a file that has been deleted or moved away: every commit succeeds,
//! and all of it is gone with the process. An acknowledgement must not stand for that, so the
//! writer looks before each group. It costs one `stat`, which is little beside a sync.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

use crate::Error;

/// A file, by its path and by what it was when it was opened.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    file: Option<FileId>,
}

/// Device and inode.
type FileId = (u64, u64);

impl Place {
    /// Where an open file is now.
    pub(crate) fn of(path: PathBuf) -> Self {
        let file = std::fs::metadata(&path).ok().map(|file| id(&file));
        Self { path, file }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// `Unavailable` if there is another file at its path, or none.
    pub(crate) fn check(&self) -> Result<(), Error> {
        // Of a file that is in use: no reason to wait, and a thread of its own would cost ten times as much.
        let now = std::fs::metadata(&self.path).ok().map(|file| id(&file));
        if now == self.file {
            return Ok(());
        }
        let path = self.path.display();
        Err(Error::Unavailable(format!(
            "{path} is not the file any more that was opened: put it back, or restart the server"
        )))
    }
}

/// Whether an open file is the one at `path`.
pub(crate) fn is_at(file: &File, path: &Path) -> std::io::Result<bool> {
    Ok(id(&file.metadata()?) == id(&std::fs::metadata(path)?))
}

#[cfg(unix)]
fn id(file: &Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt as _;
    (file.dev(), file.ino())
}

/// Elsewhere an open file cannot be taken away.
#[cfg(not(unix))]
const fn id(_file: &Metadata) -> FileId {
    (0, 0)
}
