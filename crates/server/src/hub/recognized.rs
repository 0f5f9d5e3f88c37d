//! Who was let in by which secret: for as long as the device is known, and until the hub is told that the
//! credential has ended or the account has changed. So who comes back is not asked for again.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use switchback_storage::{Identity, SecretHash};

/// Somebody, and by what they were let in.
#[derive(Debug)]
pub(crate) struct Recognized {
    pub(crate) secret: SecretHash,
    pub(crate) identity: Identity,
}

/// By their secrets. No more than there are devices, which hold the same.
#[derive(Debug, Default)]
pub(super) struct Recognitions(HashSet<BySecret>);

#[derive(Debug)]
struct BySecret(Arc<Recognized>);

impl Recognitions {
    pub(super) fn insert(&mut self, recognized: Arc<Recognized>) {
        self.0.replace(BySecret(recognized));
    }

    pub(super) fn find(&self, secret: &SecretHash) -> Option<&Arc<Recognized>> {
        self.0.get(secret).map(|BySecret(recognized)| recognized)
    }

    pub(super) fn remove(&mut self, recognized: &Recognized) {
        self.0.remove(&recognized.secret);
    }
}

impl Borrow<SecretHash> for BySecret {
    fn borrow(&self) -> &SecretHash {
        &self.0.secret
    }
}

impl PartialEq for BySecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.secret == other.0.secret
    }
}

impl Eq for BySecret {}

impl Hash for BySecret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.secret.hash(state);
    }
}
