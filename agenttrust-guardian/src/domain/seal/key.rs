//! The keys by which secrets are sealed: given as text, or in a file of their own.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use agenttrust::internal::hex;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::super::file::{ReadError, is_open_to_others, read_text_of, write_once};
use super::super::{GuardianError, Secret};
use super::NONCE_BYTES;

/// The number of keys there may be at once: the one that seals, and those that did before it.
const KEYS_MOST: usize = 16;
/// A file of keys is smaller than this; a larger one is something else.
const FILE_MOST: u64 = 4 << 10;
const ID_BYTES: usize = 8;

/// The text is no list of keys. What is wrong with it, as the rest of a sentence; never the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidKeys {
    #[error("holds no key; make one with `openssl rand -hex 32`")]
    None,
    #[error(
        "holds more than {KEYS_MOST} keys; leave out those by which nothing is sealed any more"
    )]
    TooMany,
    #[error(
        "is not 64 hexadecimal digits for each key, apart by commas: key {0} is not; make one with `openssl rand -hex 32`"
    )]
    NoKey(usize),
    #[error(
        "repeats one byte in key {0}; make one that cannot be guessed with `openssl rand -hex 32`"
    )]
    Guessable(usize),
}

/// A key that seals secrets.
#[derive(Clone)]
pub(crate) struct SealKey {
    id: String,
    cipher: XChaCha20Poly1305,
    /// The hash that makes the nonce of what is sealed alike each time.
    nonces: Hmac<Sha256>,
}

impl SealKey {
    /// Returns the key that these bytes are.
    pub(crate) fn new(bytes: &[u8; 32]) -> Self {
        // By its id a key is found, and nothing is learnt of it.
        let mut hash = Sha256::new_with_prefix(b"agenttrust seal key");
        hash.update(bytes);
        let mut id = hex::encode(&hash.finalize());
        id.truncate(2 * ID_BYTES);
        // Another key than that of the cipher, as long as HMAC takes it.
        let mut hash = Sha256::new_with_prefix(b"agenttrust seal nonces");
        hash.update(bytes);
        let mut block = [0_u8; 64];
        for (to, from) in block.iter_mut().zip(hash.finalize()) {
            *to = from;
        }
        let nonces = <Hmac<Sha256> as KeyInit>::new(&block.into());
        Self { id, cipher: XChaCha20Poly1305::new(bytes.into()), nonces }
    }

    /// Creates one that ends with this Guardian.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        random().map(|bytes| Self::new(&bytes))
    }

    /// Reads keys: 64 hexadecimal digits each, apart by commas or white space.
    pub(crate) fn read(text: &str) -> Result<Vec<Self>, InvalidKeys> {
        let apart = |apart: char| apart == ',' || apart.is_whitespace();
        let mut keys: Vec<Self> = Vec::new();
        for (place, word) in (1..).zip(text.split(apart).filter(|word| !word.is_empty())) {
            if place > KEYS_MOST {
                return Err(InvalidKeys::TooMany);
            }
            let bytes: [u8; 32] = hex::decode(word).ok_or(InvalidKeys::NoKey(place))?;
            if bytes.windows(2).all(|two| two.first() == two.last()) {
                return Err(InvalidKeys::Guessable(place));
            }
            let key = Self::new(&bytes);
            if keys.iter().all(|other| other.id != key.id) {
                keys.push(key);
            }
        }
        if keys.is_empty() { Err(InvalidKeys::None) } else { Ok(keys) }
    }

    /// Returns the keys in this file. It is made when it is not there, for its owner alone.
    ///
    /// # Errors
    ///
    /// Invalid for a file that others reach, for a folder, and for a file without keys.
    pub(crate) fn at(path: &Path) -> Result<Vec<Self>, GuardianError> {
        if let Some(keys) = Self::found(path)? {
            return Ok(keys);
        }
        let bytes = random()?;
        match write_once(path, format!("{}\n", hex::encode(&bytes)).as_bytes()) {
            Ok(()) => Ok(vec![Self::new(&bytes)]),
            // Another process on the same database was first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::found(path)?.ok_or_else(|| unusable(path, "it comes and goes"))
            }
            Err(error) => Err(unusable(path, &error.to_string())),
        }
    }

    /// Returns the keys in this file; `None` when it is not there.
    ///
    /// # Errors
    ///
    /// As for [`at`](Self::at).
    pub(crate) fn found(path: &Path) -> Result<Option<Vec<Self>>, GuardianError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(path, &error.to_string())),
        };
        // Of the very file that is read, whatever is put in its place meanwhile.
        let about = file.metadata().map_err(|error| unusable(path, &error.to_string()))?;
        if !about.is_file() {
            return Err(unusable(path, "it is no file"));
        }
        if is_open_to_others(&about) {
            let path = path.display();
            return Err(GuardianError::Invalid(format!(
                "others than its owner may read or write the key of secrets in {path}: take their permissions away \
                 with `chmod 600 {path}`, and replace the key if another person read it"
            )));
        }
        let text = read_text_of(file, FILE_MOST).map_err(|error| match error {
            ReadError::TooLarge(_) => unusable(path, "it is too large to be one"),
            ReadError::Io(error) => unusable(path, &error.to_string()),
        })?;
        Self::read(&text).map(Some).map_err(|wrong| unusable(path, &format!("it {wrong}")))
    }

    /// Returns what it is known by, in what it sealed.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn cipher(&self) -> &XChaCha20Poly1305 {
        &self.cipher
    }

    /// Returns the nonce of a text that is sealed alike each time: another text, or one for something else, has
    /// another.
    pub(super) fn nonce_of(&self, about: &str, secret: &Secret) -> [u8; NONCE_BYTES] {
        let mut mac = self.nonces.clone();
        mac.update(&(about.len() as u64).to_be_bytes());
        mac.update(about.as_bytes());
        mac.update(secret.expose().as_bytes());
        let mut nonce = [0_u8; NONCE_BYTES];
        for (to, from) in nonce.iter_mut().zip(mac.finalize().into_bytes()) {
            *to = from;
        }
        nonce
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey({})", self.id)
    }
}

fn random() -> Result<[u8; 32], getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn unusable(path: &Path, reason: &str) -> GuardianError {
    GuardianError::Invalid(format!(
        "the key of secrets in {} is not usable: {reason}; put it back from a copy, or set AGENTTRUST_SECRET_KEY and \
         move the file away",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    const TWO: &str = "0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff0";

    fn ids(text: &str) -> Vec<String> {
        SealKey::read(text).unwrap().iter().map(|key| key.id().to_owned()).collect()
    }

    #[test]
    fn keys_are_read_in_their_order_however_they_are_apart() {
        let both = ids(&format!("{ONE},{TWO}"));
        assert_eq!(both, [ids(ONE), ids(TWO)].concat());
        assert_eq!(ids(&format!(" {ONE} ,\n{TWO}\n")), both);
        assert_eq!(ids(&format!("{ONE},{ONE},{TWO}")), both);
        assert_eq!(both[0].len(), 16);
        assert!(!ONE.contains(&both[0]));
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let many = vec![ONE; 17].join(",");
        let zeros = "0".repeat(64);
        for (text, wrong) in [
            ("", InvalidKeys::None),
            (" , ", InvalidKeys::None),
            ("hunter2", InvalidKeys::NoKey(1)),
            (&ONE[1..], InvalidKeys::NoKey(1)),
            (&format!("{ONE}0"), InvalidKeys::NoKey(1)),
            (&format!("{ONE},{}", &TWO[..60]), InvalidKeys::NoKey(2)),
            (&format!("{ONE}{TWO}"), InvalidKeys::NoKey(1)),
            (&zeros, InvalidKeys::Guessable(1)),
            (&many, InvalidKeys::TooMany),
        ] {
            let error = SealKey::read(text).unwrap_err();
            assert_eq!(error, wrong, "{text}");
            assert!(text.trim().len() < 3 || !error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn key_file_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("at.secret-key");
        assert!(SealKey::found(&path).unwrap().is_none());
        let made = SealKey::at(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(ids(&text), [made[0].id()]);
        assert_eq!(SealKey::at(&path).unwrap()[0].id(), made[0].id());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(!format!("{made:?}").contains(text.trim()));
    }

    #[cfg(unix)]
    fn refused(path: &Path) -> String {
        let error = SealKey::at(path).unwrap_err().to_string();
        assert_eq!(SealKey::found(path).unwrap_err().to_string(), error);
        assert!(error.contains("at.secret-key") && !error.contains(&ONE[..60]), "{error}");
        error
    }

    #[cfg(unix)]
    #[test]
    fn key_file_that_others_reach_that_is_cut_off_or_a_folder_is_refused_and_left_as_it_is() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("at.secret-key");
        let write = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        for mode in [0o644, 0o640, 0o602, 0o666] {
            write(ONE, mode);
            assert!(refused(&path).contains("chmod 600"), "{mode:o}");
        }
        for text in ["", "\n", &ONE[..63], &format!("{ONE}\n{}", &TWO[..10]), &"a".repeat(5_000)] {
            write(text, 0o600);
            assert!(refused(&path).contains("not usable"), "{text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        write(&format!("{TWO}\n{ONE}\n"), 0o400);
        assert_eq!(SealKey::at(&path).unwrap()[0].id(), ids(TWO)[0]);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(refused(&path).contains("it is no file"));
        let nowhere = folder.path().join("no/at.secret-key");
        assert!(SealKey::at(&nowhere).unwrap_err().to_string().contains("No such file"));
    }

    #[test]
    fn processes_that_make_a_key_at_once_have_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("at.secret-key");
        let made: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| SealKey::at(&path).unwrap()[0].id().to_owned()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(made.iter().all(|id| *id == made[0]), "{made:?}");
    }
}
