//! What `chat` and `doctor` share: a server's address, the certificates to trust, the proxy to go by.

use anyhow::{Context as _, Result};
use switchback_client::{Address, ProxyPolicy};

use crate::cli::RemoteArgs;

impl RemoteArgs {
    /// The address, checked.
    pub(crate) fn address(&self) -> Result<Address> {
        Ok(self.url.parse()?)
    }

    /// What `--proxy` says.
    pub(crate) fn proxy(&self) -> Result<ProxyPolicy> {
        match self.proxy.as_deref() {
            None | Some("") => Ok(ProxyPolicy::Environment),
            Some("none") => Ok(ProxyPolicy::Direct),
            Some(proxy) => Ok(ProxyPolicy::Through(proxy.parse()?)),
        }
    }

    /// The certificates of `--ca-file`.
    pub(crate) fn extra_roots(&self) -> Result<Option<Vec<u8>>> {
        let read = |path: &std::path::PathBuf| {
            std::fs::read(path).with_context(|| format!("the certificates {}", path.display()))
        };
        self.ca_file.as_ref().map(read).transpose()
    }
}
