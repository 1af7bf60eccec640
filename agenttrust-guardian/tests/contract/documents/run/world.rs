//! The world of a document: a folder of this machine that it says everything to, and `world.sh`, which makes the rest.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::Block;
use crate::documents::repository;

const HERE: &str = "agenttrust-guardian/tests/contract/documents/run";

/// The programs that documents name, and those that make a world, as Debian has them.
const PROGRAMS: [&str; 20] = [
    "unshare",
    "script",
    "ip",
    "timeout",
    "setpriv",
    "runuser",
    "useradd",
    "install",
    "curl",
    "jq",
    "openssl",
    "sqlite3",
    "psql",
    "pg_dump",
    "pg_restore",
    "createuser",
    "createdb",
    "promtool",
    "pgbouncer",
    "python3",
];

pub(super) struct World(TempDir);

impl World {
    /// Returns a world in which the files that documents show are there.
    pub(super) fn with(shown: &[Block<'_>]) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("shown")).unwrap();
        // Its account is not the only one that goes through it.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        // A scene finds them by a line, and says which it used.
        for block in shown {
            let name = block.place.replace('/', "%");
            std::fs::write(folder.path().join("shown").join(name), &block.code).unwrap();
        }
        Self(folder)
    }

    /// Runs lines in the world's shell, which ends the world; returns how long it took, and how it failed.
    pub(super) fn run(&self, script: &str) -> (Duration, Result<(), String>) {
        let begun = Instant::now();
        std::fs::write(self.0.path().join("script.sh"), script).unwrap();
        let output = command(self.0.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let is_good = output.status.success();
        let ended = if is_good { Ok(()) } else { Err(format!("{}: {said}", output.status)) };
        (begun.elapsed(), ended)
    }

    /// Returns everything that was printed in it.
    pub(super) fn said(&self) -> String {
        let said = std::fs::read(self.0.path().join("said")).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }
}

/// Returns the command that makes a world and runs its script.
fn command(folder: &Path) -> Command {
    let mut command = Command::new("timeout");
    command
        .args(["--kill-after=5", "150"])
        .args(["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child"])
        .args(["bash", "-eu"])
        .arg(repository().join(HERE).join("world.sh"))
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("LC_ALL", "C.UTF-8")
        .env("WORLD", folder)
        .env("REPOSITORY", repository())
        .env("BUILT", built())
        .env("PROGRAM", env!("CARGO_BIN_EXE_agenttrust"));
    command
}

/// Returns the folder of the programs that were built.
fn built() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_agenttrust"));
    program.parent().unwrap().canonicalize().unwrap()
}

/// Returns why no world can be made here, where none can be.
pub(super) fn impossible() -> Option<String> {
    let is_there = |program: &&&str| {
        ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
            .iter()
            .any(|folder| Path::new(folder).join(program).exists())
    };
    let missing: Vec<_> = PROGRAMS.iter().filter(|program| !is_there(program)).collect();
    if !missing.is_empty() {
        return Some(format!("these programs are not installed: {missing:?}"));
    }
    let (_, ended) = World::with(&[]).run("true");
    ended.err().map(|said| format!("no world of their own can be made, which root may: {said}"))
}
