//! Passwords and the secrets behind sessions, tokens, invitations and the set-up link.
//!
//! A password is kept as an Argon2id hash (OWASP's parameters for 19 MiB), a secret that this
//! server has drawn itself as plain SHA-256: 192 random bits need no slow hash.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::{PasswordHasher as _, PasswordVerifier as _};
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

/// Hashes a password as a PHC string. Takes tens of milliseconds of one core and 19 MiB: never on
/// an async thread.
pub fn hash_password(password: &Password) -> Result<String, HashError> {
    let hash = Argon2::default().hash_password(password.as_str().as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| HashError(error.to_string()))
}

/// Whether `password` is the one behind `hash`. As slow as [`hash_password`].
pub fn verify_password(password: &str, hash: &str) -> bool {
    // Longer ones were never accepted; hashing them would only burn the processor.
    if password.len() > switchback_core::limits::PASSWORD_MAX_BYTES {
        return false;
    }
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
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
        assert!(verify_password("correct horse", &hash));
        assert!(!verify_password("correct horse ", &hash));
        assert!(!verify_password("correct horse", "not a hash"));
        assert_ne!(hash, hash_password(&password).unwrap(), "the salt is fresh each time");
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
