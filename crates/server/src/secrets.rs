//! Passwords and the secrets behind sessions, tokens, invitations and the set-up link.
//!
//! A password is kept as an Argon2id hash (OWASP's parameters for 19 MiB), a secret that this
//! server has drawn itself as plain SHA-256: 192 random bits need no slow hash.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use switchback_core::Password;
use switchback_storage::SecretHash;

use crate::limits;

/// A fresh secret: the text for its bearer, the hash for the store.
pub struct Secret {
    /// Shown once, 32 characters of URL-safe base64.
    pub text: String,
    /// What is kept.
    pub hash: SecretHash,
}

/// A password could not be hashed: a defect or no memory.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed: {0}")]
pub struct HashError(String);

/// Draws a secret from the system's generator.
pub fn new_secret() -> Secret {
    let mut bytes = [0_u8; limits::SECRET_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    let text = URL_SAFE_NO_PAD.encode(bytes);
    let hash = hash_secret(&text);
    Secret { text, hash }
}

/// The hash under which a secret is kept.
pub fn hash_secret(text: &str) -> SecretHash {
    Sha256::digest(text.as_bytes()).into()
}

/// Hashes a password once; see [`Hasher`].
pub fn hash_password(password: &Password) -> Result<String, HashError> {
    Hasher::default().hash(password)
}

/// The hash of no password that anybody knows: drawn, not computed. To verify against it takes as long as
/// against another one.
pub fn nobodys_hash() -> Result<String, HashError> {
    let mut output = [0_u8; Params::DEFAULT_OUTPUT_LEN];
    rand::rng().fill_bytes(&mut output);
    phc(&Argon2::default(), Salt::generate(), Output::new(&output).map_err(failed)?)
}

/// Hashes passwords, in memory of its own that it keeps: taken anew for each hash, the allocator
/// would end up holding several times as much.
///
/// Each takes tens of milliseconds of one core and 19 MiB: never on an async thread.
#[derive(Default)]
pub struct Hasher {
    memory: Vec<Block>,
}

impl Hasher {
    /// A hash with a fresh salt, as a PHC string.
    pub fn hash(&mut self, password: &Password) -> Result<String, HashError> {
        let (argon2, salt) = (Argon2::default(), Salt::generate());
        let output = self.output(&argon2, password.as_str(), &salt, Params::DEFAULT_OUTPUT_LEN)?;
        phc(&argon2, salt, output)
    }

    /// Whether `password` is the one behind `hash`, a PHC string.
    pub fn verify(&mut self, password: &str, hash: &str) -> bool {
        // Longer ones were never accepted; hashing them would only burn the processor.
        if password.len() > switchback_core::limits::PASSWORD_MAX_BYTES {
            return false;
        }
        self.matches(password, hash).unwrap_or(false)
    }

    /// With the parameters that the hash was made with, which may not be today's.
    fn matches(&mut self, password: &str, hash: &str) -> Result<bool, HashError> {
        let hash = PasswordHash::new(hash).map_err(failed)?;
        let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else { return Ok(false) };
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(failed)?;
        let version = hash.version.map_or(Ok(Version::default()), Version::try_from).map_err(failed)?;
        let params = Params::try_from(&hash).map_err(failed)?;
        let argon2 = Argon2::new(algorithm, version, params);
        // `Output` compares in constant time.
        Ok(self.output(&argon2, password, &salt, expected.len())? == expected)
    }

    fn output(
        &mut self,
        argon2: &Argon2<'_>,
        password: &str,
        salt: &Salt,
        size_bytes: usize,
    ) -> Result<Output, HashError> {
        self.memory.resize(argon2.params().block_count(), Block::new());
        let mut output = vec![0; size_bytes];
        argon2
            .hash_password_into_with_memory(password.as_bytes(), salt, &mut output, &mut self.memory)
            .map_err(failed)?;
        Output::new(&output).map_err(failed)
    }
}

fn phc(argon2: &Argon2<'_>, salt: Salt, output: Output) -> Result<String, HashError> {
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon2.params()).map_err(failed)?,
        salt: Some(salt),
        hash: Some(output),
    };
    Ok(hash.to_string())
}

fn failed(error: impl std::fmt::Display) -> HashError {
    HashError(error.to_string())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_by_its_hash_alone() {
        let password = Password::new("correct horse").unwrap();
        let hash = hash_password(&password).unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let mut hasher = Hasher::default();
        for _ in 0..2 {
            assert!(hasher.verify("correct horse", &hash));
            assert!(!hasher.verify("correct horse ", &hash));
            assert!(!hasher.verify("correct horse", "not a hash"));
        }
        assert_ne!(hash, hasher.hash(&password).unwrap(), "the salt is fresh each time");
    }

    #[test]
    fn nobodys_hash_is_checked_like_any_other_and_matches_nothing() {
        let (nobodys, somebodys) =
            (nobodys_hash().unwrap(), hash_password(&Password::new("correct horse").unwrap()).unwrap());
        let shape = |hash: &str| {
            let hash = PasswordHash::new(hash).unwrap();
            let lengths = (hash.salt.unwrap().len(), hash.hash.unwrap().len());
            (hash.algorithm.to_string(), hash.version, hash.params.to_string(), lengths)
        };
        assert_eq!(shape(&nobodys), shape(&somebodys));
        let mut hasher = Hasher::default();
        assert!(!hasher.verify("", &nobodys) && !hasher.verify("correct horse", &nobodys));
        assert!(!hasher.memory.is_empty(), "it was not computed");
        assert_ne!(nobodys, nobodys_hash().unwrap());
    }

    #[test]
    fn a_hash_of_other_parameters_and_another_program_is_understood() {
        // printf 'correct horse' | argon2 somesalt -id -t 3 -m 12 -p 1 -e
        let hash = "$argon2id$v=19$m=4096,t=3,p=1$c29tZXNhbHQ$wGv2pDl1z8N+TQOF7O+XVqmPdEGsCI9zk9bP3Uu63iI";
        let mut hasher = Hasher::default();
        assert!(hasher.verify("correct horse", hash));
        assert!(!hasher.verify("correct horsf", hash));
    }

    #[test]
    fn secrets_are_fresh_and_fit_into_a_path() {
        let (one, two) = (new_secret(), new_secret());
        assert_ne!(one.text, two.text);
        assert_eq!(one.hash, hash_secret(&one.text));
        assert_eq!(one.text.len(), 32);
        assert!(one.text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }
}
