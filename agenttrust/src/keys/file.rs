//! Keys in files that only their owner can read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::{KeyStore, no_key, parse_private_key, sign_with};
use crate::error::{AgentTrustError, Result};

/// More than any key in PEM has.
const MAX_BYTES: u64 = 4_096;

/// The characters of an id that are encoded in the name of its file. Capital letters are too: there are file systems
/// that do not tell them from small ones.
const ENCODED: &AsciiSet = &{
    let mut set = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~');
    let mut letter = b'A';
    while letter <= b'Z' {
        set = set.add(letter);
        letter += 1;
    }
    set
};

/// Keys in a folder, one file in PKCS #8 PEM for each agent.
///
/// A file is made with the mode 600, whole or not at all, and one that others can reach is refused. Where files have no
/// such modes, on Windows, the folder is as private as it was made: name one of the user that runs the program.
///
/// ```
/// use agenttrust::{FileKeyStore, KeyStore, generate_agent_key};
///
/// # let folder = std::env::temp_dir().join(format!("at-keys-doc-{}", std::process::id()));
/// let mut keys = FileKeyStore::open(&folder)?;
/// keys.store("agt_1", &generate_agent_key()?.private_key_pem)?;
///
/// // Another process, later.
/// let keys = FileKeyStore::open(&folder)?;
/// assert_eq!(keys.sign("agt_1", b"what it says")?.len(), 64);
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), agenttrust::AgentTrustError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileKeyStore {
    folder: PathBuf,
}

impl FileKeyStore {
    /// Opens a folder, and makes it for this user alone where it is not there yet.
    ///
    /// # Errors
    ///
    /// [`Crypto`](AgentTrustError::Crypto) where it is no folder and cannot be made.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&folder) {
            Ok(()) => Ok(Self { folder }),
            Err(error) => Err(AgentTrustError::crypto(format!(
                "the folder of keys {} cannot be opened: {error}; name a folder, in one that is there and can be \
                 written",
                folder.display()
            ))),
        }
    }

    fn path(&self, agent_id: &str) -> PathBuf {
        self.folder.join(format!("{}.pem", utf8_percent_encode(agent_id, ENCODED)))
    }
}

impl KeyStore for FileKeyStore {
    fn store(&mut self, agent_id: &str, private_key_pem: &str) -> Result<()> {
        parse_private_key(private_key_pem)?;
        let path = self.path(agent_id);
        write(&path, private_key_pem).map_err(|error| {
            fault(
                &path,
                format!(
                    "cannot be written: {error}; see that its folder is there and can be written"
                ),
            )
        })
    }

    fn sign(&self, agent_id: &str, message: &[u8]) -> Result<Vec<u8>> {
        let path = self.path(agent_id);
        let pem = match read(&path) {
            Ok(Some(pem)) => pem,
            Ok(None) => return Err(no_key(agent_id)),
            Err(why) => return Err(fault(&path, why)),
        };
        let key = parse_private_key(&pem).map_err(|_| {
            fault(
                &path,
                "holds no Ed25519 key in PKCS #8 PEM; store the key of the agent once more",
            )
        })?;
        Ok(sign_with(&key, message))
    }

    fn delete(&mut self, agent_id: &str) -> Result<()> {
        let path = self.path(agent_id);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(fault(&path, format!("cannot be removed: {error}")))
            }
            _ => Ok(()),
        }
    }
}

fn fault(path: &Path, why: impl AsRef<str>) -> AgentTrustError {
    AgentTrustError::crypto(format!("the key file {} {}", path.display(), why.as_ref()))
}

/// Writes a file for its owner alone, whole or not at all, in place of one that is there.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension(format!("pem.{}", uuid::Uuid::new_v4()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // What went wrong first is what is told.
        let _ = fs::remove_file(&unfinished);
    }
    written?;
    // The name too is to be there after a power cut.
    #[cfg(unix)]
    File::open(path.parent().unwrap_or(path))?.sync_all()?;
    Ok(())
}

/// Reads a file that only its owner can reach; the error goes on from its path.
fn read(path: &Path) -> Result<Option<Zeroizing<String>>, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    // Looked at before it is opened: opening a pipe would wait for its writer.
    match fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err("is no file; remove it, and store the key of the agent".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    }
    let file = File::open(path).map_err(unreadable)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // Of what was opened: another one may have taken its place.
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!(
                "can be reached by others (its mode is {mode:o}); give it the mode 600, and if others may have read \
                 it, give the agent another key"
            ));
        }
    }
    let mut pem = Zeroizing::new(String::with_capacity(MAX_BYTES as usize + 1));
    file.take(MAX_BYTES + 1).read_to_string(&mut pem).map_err(unreadable)?;
    Ok(Some(pem))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::keys::generate_agent_key;

    /// A folder of its own, removed when dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("at-keys-{}", uuid::Uuid::new_v4())))
        }

        fn keys(&self) -> FileKeyStore {
            FileKeyStore::open(&self.0).unwrap()
        }

        fn names(&self) -> Vec<String> {
            let found = fs::read_dir(&self.0).unwrap();
            found.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn key_is_kept_for_the_next_process_and_for_its_owner_alone() {
        let (folder, pair) = (Folder::new(), generate_agent_key().unwrap());
        folder.keys().store("agt_1", &pair.private_key_pem).unwrap();
        assert_eq!((mode(&folder.0), mode(&folder.0.join("agt_1.pem"))), (0o700, 0o600));
        let signed = folder.keys().sign("agt_1", b"x").unwrap();
        assert_eq!(
            signed,
            crate::keys::sign_with_private_key_pem(&pair.private_key_pem, b"x").unwrap()
        );
        // Another one takes its place, and nothing is left of writing it.
        folder.keys().store("agt_1", &generate_agent_key().unwrap().private_key_pem).unwrap();
        assert_ne!(folder.keys().sign("agt_1", b"x").unwrap(), signed);
        assert_eq!(folder.names(), ["agt_1.pem"]);
        folder.keys().delete("agt_1").unwrap();
        folder.keys().delete("agt_1").unwrap();
        let error = folder.keys().sign("agt_1", b"x").unwrap_err();
        assert!(error.to_string().contains("no key of agent \"agt_1\""), "{error}");
    }

    #[test]
    fn file_that_others_can_reach_or_that_holds_no_key_is_refused_with_what_to_do() {
        let (folder, pair) = (Folder::new(), generate_agent_key().unwrap());
        let mut keys = folder.keys();
        keys.store("agt_1", &pair.private_key_pem).unwrap();
        let path = folder.0.join("agt_1.pem");
        for open in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
            let error = keys.sign("agt_1", b"x").unwrap_err().to_string();
            assert!(error.contains(&format!("its mode is {open:o}")), "{error}");
            assert!(error.contains("give it the mode 600"), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        keys.sign("agt_1", b"x").unwrap();
        for text in ["", "secret", &pair.public_key_pem, &"secret".repeat(2_000)] {
            fs::remove_file(&path).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = keys.sign("agt_1", b"x").unwrap_err().to_string();
            assert!(error.contains("holds no Ed25519 key"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        keys.store("agt_1", "no key").unwrap_err();
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let error = keys.sign("agt_1", b"x").unwrap_err().to_string();
        assert!(error.contains("is no file"), "{error}");
        let error = FileKeyStore::open(folder.0.join("agt_1.pem/x/\0")).unwrap_err().to_string();
        assert!(error.contains("name a folder"), "{error}");
    }

    #[test]
    fn agent_id_never_leaves_its_folder_nor_is_another_agents() {
        let (folder, pair) = (Folder::new(), generate_agent_key().unwrap());
        let mut keys = folder.keys();
        for id in ["", ".", "..", "../x", "/x", "a/b", "A", "a", "é", "%41", "a.pem"] {
            assert!(keys.sign(id, b"x").is_err(), "{id:?}");
            keys.store(id, &pair.private_key_pem).unwrap();
            keys.sign(id, b"x").unwrap();
        }
        let mut names: Vec<_> =
            folder.names().into_iter().map(|name| name.to_lowercase()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 11, "{names:?}");
    }
}
