//! Maps by our own ids. Their last eight bytes are random and drawn here (version 7, RFC 9562 5.7), so
//! that they are a hash already; nobody outside can choose them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map whose keys are ids.
pub(super) type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

/// A set of ids.
pub(super) type IdSet<K> = HashSet<K, BuildHasherDefault<IdHasher>>;

/// Takes the end of an id for its hash.
#[derive(Debug, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        match bytes.last_chunk() {
            // Its first two bits are always the same: turned to where a table does not look first.
            Some(end) => self.0 ^= u64::from_le_bytes(*end).rotate_right(u64::BITS / 2),
            // Not an id (a length before it, say): mixed in somehow.
            None => bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte)),
        }
    }

    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher as _;

    use switchback_core::RoomId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn ids_of_one_moment_spread() {
        let build = BuildHasherDefault::<IdHasher>::default();
        let hashes: Vec<u64> =
            (0..1_000).map(|_| build.hash_one(RoomId::from_uuid(Uuid::now_v7()))).collect();
        for shift in [0, 57] {
            let seen: std::collections::HashSet<u64> =
                hashes.iter().map(|hash| (hash >> shift) & 0x7f).collect();
            assert!(seen.len() > 100, "{} of 128", seen.len());
        }
    }
}
