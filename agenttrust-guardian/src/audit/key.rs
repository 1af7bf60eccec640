//! The key that signs checkpoints, and the public half by which they are verified.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use agenttrust::internal::hex;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::error::AuditError;
use super::record::unhex;
use crate::domain::file::{ReadError, is_open_to_others, read_text_at_most, write_once};

/// A file of a key is smaller than this; a larger one is something else.
const MOST: u64 = 4 << 10;

/// The key that signs checkpoints. Clones share it.
#[derive(Clone)]
pub(crate) struct AuditKey {
    key: Arc<SigningKey>,
    /// Whether it is in a file, and outlives this process.
    is_kept: bool,
}

impl AuditKey {
    /// Creates a new one, which ends with its last clone.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bits = [0_u8; 32];
        getrandom::fill(&mut bits)?;
        Ok(Self { key: Arc::new(SigningKey::from_bytes(&bits)), is_kept: false })
    }

    /// Returns the key in this file, in PKCS#8 PEM. It is made when the file is not there, for its owner alone.
    pub(crate) fn at(path: &Path) -> Result<Self, AuditError> {
        match Self::load(path) {
            Err(AuditError::Key { source: Some(error), .. })
                if error.kind() == io::ErrorKind::NotFound =>
            {
                Self::make(path)
            }
            read => read,
        }
    }

    /// Returns the key in this file, which must be there.
    pub(crate) fn load(path: &Path) -> Result<Self, AuditError> {
        let no_key = || AuditError::Key {
            path: path.to_owned(),
            reason: "it is no Ed25519 key in PKCS#8 PEM".to_owned(),
            source: None,
        };
        let text = read_text_at_most(path, MOST).map_err(|error| match error {
            ReadError::TooLarge(_) => no_key(),
            ReadError::Io(error) => unusable(path, error),
        })?;
        let key = SigningKey::from_pkcs8_pem(&text).map_err(|_| no_key())?;
        warn_of_readers(path);
        Ok(Self { key: Arc::new(key), is_kept: true })
    }

    fn make(path: &Path) -> Result<Self, AuditError> {
        let unmade =
            |reason: String| AuditError::Key { path: path.to_owned(), reason, source: None };
        let key = Self::random().map_err(|error| unmade(error.to_string()))?;
        let pem =
            key.key.to_pkcs8_pem(LineEnding::LF).map_err(|error| unmade(error.to_string()))?;
        match write_once(path, pem.as_bytes()) {
            // Another process on the same database was first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load(path),
            Err(error) => Err(unusable(path, error)),
            Ok(()) => Ok(Self { is_kept: true, ..key }),
        }
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(self.key.verifying_key().to_bytes())
    }

    /// Returns whether it is in a file, so that a Guardian that starts again signs by it too.
    pub(super) fn is_kept(&self) -> bool {
        self.is_kept
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.key.sign(bytes).to_bytes()
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditKey({})", self.public())
    }
}

/// The public half of an audit key: 32 bytes, written in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey([u8; 32]);

impl PublicKey {
    pub(super) fn signed(&self, bytes: &[u8], signature: &str) -> bool {
        let Some(signature) = unhex::<64>(signature) else { return false };
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(bytes, &Signature::from_bytes(&signature)).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// The text is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a public audit key is 64 hexadecimal digits, as `agenttrust audit key` prints it")]
pub(crate) struct InvalidPublicKey;

impl FromStr for PublicKey {
    type Err = InvalidPublicKey;

    fn from_str(text: &str) -> Result<Self, InvalidPublicKey> {
        unhex(text).map(Self).ok_or(InvalidPublicKey)
    }
}

fn unusable(path: &Path, error: io::Error) -> AuditError {
    AuditError::Key {
        path: path.to_owned(),
        reason: error.to_string(),
        source: Some(Arc::new(error)),
    }
}

fn warn_of_readers(path: &Path) {
    if path.metadata().is_ok_and(|found| is_open_to_others(&found)) {
        tracing::warn!(
            path = %path.display(),
            "others than its owner may read the audit key, and sign as this Guardian does: \
             take their permissions away"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_file_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("at.audit-key");
        let made = AuditKey::at(&path).unwrap().public();
        assert_eq!(AuditKey::at(&path).unwrap().public(), made);
        assert_eq!(made.to_string().parse(), Ok(made));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        // Neither in a log nor in an error.
        let pem = std::fs::read_to_string(&path).unwrap();
        let secret = pem.lines().nth(1).unwrap();
        assert!(!format!("{:?}", AuditKey::at(&path).unwrap()).contains(secret));
    }

    #[test]
    fn file_that_holds_no_key_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("at.audit-key");
        for text in ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
        {
            std::fs::write(&path, text).unwrap();
            let error = AuditKey::at(&path).unwrap_err().to_string();
            assert!(error.contains("at.audit-key") && error.contains("no Ed25519 key"), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
