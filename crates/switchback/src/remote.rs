//! What `chat` and `doctor` share: a server's address and the certificates to trust.

use anyhow::{Context as _, Result};
use switchback_client::Address;

use crate::cli::RemoteArgs;

impl RemoteArgs {
    /// The address, checked.
    pub(crate) fn address(&self) -> Result<Address> {
        Ok(self.url.parse()?)
    }

    /// The certificates of `--ca-file`.
    pub(crate) fn extra_roots(&self) -> Result<Option<Vec<u8>>> {
        let read = |path: &std::path::PathBuf| {
            std::fs::read(path).with_context(|| format!("the certificates {}", path.display()))
        };
        self.ca_file.as_ref().map(read).transpose()
    }
}
