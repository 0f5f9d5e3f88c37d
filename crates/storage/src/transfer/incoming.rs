//! A database file in the making: beside the place where it is to be, under a name that says so, and
//! moved there only when it is whole and on disk.
//!
//! What a killed process leaves behind is thus never mistaken for a database: a server refuses to
//! start beside it, and the next attempt begins with it afresh. It is locked while somebody works on
//! it, removed when they fail, and readable for its owner alone.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::error::TransferError;
use crate::place::is_at;

/// What is put behind the file's own name.
const SUFFIX: &str = ".incoming";
/// What `SQLite` puts beside a database, and would take for a part of it.
const BESIDE: [&str; 3] = ["-wal", "-journal", "-shm"];

#[derive(Debug)]
pub(super) struct Incoming {
    path: PathBuf,
    place: PathBuf,
    file: File,
    is_in_place: bool,
}

impl Incoming {
    /// An empty file; whatever an earlier attempt left is gone.
    pub(super) fn new(place: &Path) -> Result<Self, TransferError> {
        let path = path_for(place);
        let failed = |source| TransferError::File { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(TransferError::TargetBusy { place: place.display().to_string() });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Whoever had it before us has perhaps just moved it to its place.
        if !is_at(&file, &path).unwrap_or(false) {
            return Err(TransferError::TargetBusy { place: place.display().to_string() });
        }
        file.set_len(0).map_err(failed)?;
        for suffix in BESIDE {
            remove(&with(&path, suffix)).map_err(failed)?;
        }
        Ok(Self { path, place: place.to_owned(), file, is_in_place: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs it and moves it to its place. Its size in bytes.
    pub(super) fn put_in_place(mut self) -> Result<u64, TransferError> {
        let put = || {
            self.file.sync_all()?;
            let size = self.file.metadata()?.len();
            std::fs::rename(&self.path, &self.place)?;
            let directory = self.place.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(size)
        };
        let put = put().map_err(|source| TransferError::File { path: self.place.clone(), source });
        self.is_in_place = put.is_ok();
        put
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.is_in_place {
            return;
        }
        for path in BESIDE.iter().map(|suffix| with(&self.path, suffix)).chain([self.path.clone()]) {
            if let Err(error) = remove(&path) {
                tracing::warn!(path = %path.display(), %error, "an unfinished file could not be removed");
            }
        }
    }
}

/// Where the file is made that is to be at `place`.
pub(crate) fn path_for(place: &Path) -> PathBuf {
    with(place, SUFFIX)
}

/// A file that `SQLite` would take for a part of the database at `place`.
pub(super) fn beside(place: &Path) -> Option<PathBuf> {
    // The third is scratch, and worth nothing without the first.
    BESIDE.iter().take(2).map(|suffix| with(place, suffix)).find(|path| path.exists())
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
