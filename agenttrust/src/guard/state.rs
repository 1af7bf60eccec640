//! What of a guard outlives its process: the session and the key that an approval is bound by.
//!
//! Kept in one file of JSON, which only its owner may read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::hex;

const VERSION: u32 = 1;
/// More than any state file has.
const MAX_BYTES: u64 = 4_096;

/// The session and the key that are kept.
pub(super) struct GuardState {
    pub(super) session_id: String,
    pub(super) binding_key: [u8; 32],
}

/// The file, as it is written.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    agent_id: String,
    session_id: String,
    binding_key: String,
}

/// The members that every version of the file has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl GuardState {
    /// Reads the state of `agent_id` from the file at `path`, or makes the file with `new` in it.
    pub(super) fn load_or_create(
        path: &Path,
        agent_id: &str,
        new: impl FnOnce() -> Result<Self, String>,
    ) -> Result<Self, String> {
        let fault = |why: String| format!("the guard's state file {} {why}", path.display());
        match fs::metadata(path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path, agent_id, &new()?).map_err(|error| {
                    fault(format!(
                        "cannot be made: {error}; name a file in a folder that is there and can be \
                         written"
                    ))
                })?;
            }
            Err(error) => return Err(fault(format!("cannot be read: {error}"))),
        }
        read(path, agent_id).map_err(fault)
    }
}

/// Makes the file, whole or not at all. Where another process made it meanwhile, that one stays.
fn create(path: &Path, agent_id: &str, state: &GuardState) -> io::Result<()> {
    let kept = Kept {
        version: VERSION,
        agent_id: agent_id.to_owned(),
        session_id: state.session_id.clone(),
        binding_key: hex::encode(&state.binding_key),
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", uuid::Uuid::new_v4()));
    let unfinished = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    let linked = file
        .write_all(&serde_json::to_vec(&kept)?)
        .and_then(|()| file.sync_all())
        // Not renamed: that would put it in the place of one that is there.
        .and_then(|()| fs::hard_link(&unfinished, path));
    fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

/// Reads the file; the error goes on from its path.
fn read(path: &Path, agent_id: &str) -> Result<GuardState, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let no_file = || Err("is no file; name a file, or one that is not there yet".to_owned());
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return no_file();
    }
    let file = File::open(path).map_err(unreadable)?;
    // And after it: another one may have taken its place.
    if !file.metadata().map_err(unreadable)?.is_file() {
        return no_file();
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!(
                "can be reached by others (its mode is {mode:o}), and it holds a key; give it the mode \
                 600, or remove it to begin again"
            ));
        }
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let broken = "is no state file of a guard, or was cut off; remove it to begin again, which no \
                  approval of before outlives";
    if bytes.len() as u64 > MAX_BYTES {
        return Err(broken.to_owned());
    }
    // The version first: what else another one has is not known.
    if let Ok(Versioned { version }) = serde_json::from_slice(&bytes)
        && version != VERSION
    {
        return Err(format!(
            "has the version {version}, and this program reads version {VERSION}; use the program that wrote \
             it, or name another file"
        ));
    }
    let kept: Kept = serde_json::from_slice(&bytes).map_err(|_| broken.to_owned())?;
    if kept.agent_id != agent_id {
        return Err(format!(
            "is of agent {:?}, and this guard asks for {agent_id:?}; remove the file if that agent is gone, as \
             with a `--dev` Guardian that was started again, and name one for each agent otherwise",
            kept.agent_id
        ));
    }
    let binding_key = hex::decode(&kept.binding_key).ok_or_else(|| broken.to_owned())?;
    if kept.session_id.is_empty() {
        return Err(broken.to_owned());
    }
    Ok(GuardState { session_id: kept.session_id, binding_key })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    /// A folder of its own, removed when dropped.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("at-state-{}", uuid::Uuid::new_v4()));
            fs::create_dir(&folder).unwrap();
            Self(folder)
        }

        fn file(&self) -> PathBuf {
            self.0.join("agent.state")
        }

        fn write(&self, text: &str, mode: u32) -> PathBuf {
            fs::write(self.file(), text).unwrap();
            fs::set_permissions(self.file(), fs::Permissions::from_mode(mode)).unwrap();
            self.file()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn new() -> Result<GuardState, String> {
        let mut binding_key = [0; 32];
        getrandom::fill(&mut binding_key).unwrap();
        Ok(GuardState { session_id: uuid::Uuid::new_v4().to_string(), binding_key })
    }

    fn load(path: &Path) -> Result<GuardState, String> {
        GuardState::load_or_create(path, "agt_1", new)
    }

    #[test]
    fn what_was_made_once_is_read_ever_after_and_by_its_owner_alone() {
        let folder = Folder::new();
        let made = load(&folder.file()).unwrap();
        let read = load(&folder.file()).unwrap();
        assert_eq!((&read.session_id, read.binding_key), (&made.session_id, made.binding_key));
        assert_eq!(fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777, 0o600);
        // Nothing is left of making it.
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
    }

    #[test]
    fn processes_that_begin_at_once_have_one_state() {
        let folder = Folder::new();
        let file = folder.file();
        let states: Vec<_> = std::thread::scope(|scope| {
            let begun: Vec<_> = (0..16).map(|_| scope.spawn(|| load(&file).unwrap())).collect();
            begun.into_iter().map(|thread| thread.join().unwrap().session_id).collect()
        });
        assert!(states.iter().all(|state| *state == states[0]), "{states:?}");
    }

    #[test]
    fn a_file_that_is_not_ours_alone_or_not_whole_is_refused_with_what_to_do() {
        let folder = Folder::new();
        load(&folder.file()).unwrap();
        let whole = fs::read_to_string(folder.file()).unwrap();
        for (text, mode, says) in [
            (whole.clone(), 0o640, "can be reached by others (its mode is 640)"),
            (whole.clone(), 0o604, "give it the mode 600"),
            (whole[..whole.len() / 2].to_owned(), 0o600, "was cut off; remove it"),
            (String::new(), 0o600, "was cut off; remove it"),
            ("x".repeat(5_000), 0o600, "is no state file"),
            (whole.replace("\"version\":1", "\"version\":2"), 0o600, "has the version 2"),
            (whole.replace("agt_1", "agt_2"), 0o600, "is of agent \"agt_2\""),
            (whole.replace("binding_key\":\"", "binding_key\":\"0"), 0o600, "is no state file"),
        ] {
            let path = folder.write(&text, mode);
            let error = load(&path).err().unwrap();
            assert!(error.contains(says), "{error}");
            assert!(error.contains("agent.state"), "{error}");
            // It is left as it was.
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let error = load(&folder.0).err().unwrap();
        assert!(error.contains("is no file; name a file"), "{error}");
        let error = load(&folder.0.join("missing/agent.state")).err().unwrap();
        assert!(error.contains("a folder that is there"), "{error}");
    }

    #[test]
    fn a_name_that_leads_elsewhere_makes_nothing_there_and_a_pipe_is_not_waited_for() {
        let folder = Folder::new();
        let target = folder.0.join("target");
        std::os::unix::fs::symlink(&target, folder.file()).unwrap();
        let error = load(&folder.file()).err().unwrap();
        assert!(error.contains("cannot be read"), "{error}");
        assert!(!target.exists(), "nothing is made through a link");
        // What a link leads to is held to what holds for every state file.
        load(&target).unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
        let error = load(&folder.file()).err().unwrap();
        assert!(error.contains("can be reached by others"), "{error}");
        let pipe = folder.0.join("pipe");
        let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status();
        assert!(made.unwrap().success());
        let error = load(&pipe).err().unwrap();
        assert!(error.contains("is no file"), "{error}");
    }

    #[test]
    fn no_error_shows_the_key() {
        let folder = Folder::new();
        load(&folder.file()).unwrap();
        let whole = fs::read_to_string(folder.file()).unwrap();
        let key = serde_json::from_str::<serde_json::Value>(&whole).unwrap()["binding_key"].clone();
        let path = folder.write(&whole.replace("agt_1", "agt_2"), 0o600);
        let error = load(&path).err().unwrap();
        assert!(!error.contains(key.as_str().unwrap()), "{error}");
    }
}
