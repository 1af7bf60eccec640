//! PostgreSQL servers of a test's own, which may be stopped, promoted and made to follow one another.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::on;
use crate::siem::Authority;

/// The folder in which Debian has the programs of each version.
const OF_DEBIAN: &str = "/usr/lib/postgresql";
/// The account of Debian's packages.
const ACCOUNT: &str = "postgres";

/// The settings of each server. It keeps nothing for longer than the test, so it need not be safe from a power cut.
const SETTINGS: &str = "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n\
                        shared_buffers = '16MB'\nssl = on\n";

/// A server on a port of its own, with a folder of its own; both go with it. It speaks TLS to those who want that.
#[derive(Debug)]
pub struct Server {
    programs: PathBuf,
    data: PathBuf,
    port: u16,
}

impl Server {
    /// Creates a new server; without PostgreSQL's programs, says that the test is skipped.
    pub fn or_skip() -> Option<Self> {
        let Some(programs) = programs() else {
            println!("skipped: no initdb of PostgreSQL is installed");
            return None;
        };
        let server = Self::in_new_folder(programs);
        let data = server.data.to_str().expect("a path in UTF-8");
        let make = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"];
        server.must("initdb", &[&make[..], &["--no-sync"]].concat());
        server.write_certificate();
        server.set(SETTINGS);
        server.start();
        Some(server)
    }

    /// Returns a standby of this server, which waits for it before it answers a commit from then on.
    pub fn standby(&self) -> Self {
        let standby = Self::in_new_folder(self.programs.clone());
        let data = standby.data.to_str().expect("a path in UTF-8");
        let port = self.port.to_string();
        let from = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-w", "-X", "stream"];
        let to = ["-D", data, "-R", "-c", "fast", "--no-sync"];
        standby.must("pg_basebackup", &[&from[..], &to[..]].concat());
        standby.start();
        self.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.execute("SELECT pg_reload_conf()");
        standby
    }

    /// Makes a standby the primary.
    pub fn promote(&self) {
        self.control(&["-w", "promote"]);
    }

    /// Stops it as an administrator does: connections are ended, what was committed is kept.
    pub fn stop(&self) {
        self.control(&["-w", "-m", "fast", "stop"]);
    }

    /// Starts it again as a standby of `primary`, which takes no writes.
    pub fn follow(&self, primary: &Self) {
        self.set(&format!(
            "primary_conninfo = 'host=127.0.0.1 port={} user=postgres'\n",
            primary.port
        ));
        File::create(self.data.join("standby.signal")).unwrap();
        self.start();
    }

    /// Runs one statement.
    ///
    /// # Panics
    ///
    /// When it does not answer, or with what is wrong with the statement.
    pub fn execute(&self, statement: &str) {
        on(&self.url(), statement).expect("a server that answers").unwrap();
    }

    /// Returns how a Guardian finds its one database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.address())
    }

    /// Returns how a Guardian finds it by way of a proxy, and speaks TLS with it.
    pub fn url_by(&self, proxy: SocketAddr) -> String {
        format!("postgres://postgres@{proxy}/postgres?sslmode=require")
    }

    /// Returns host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn in_new_folder(programs: PathBuf) -> Self {
        let data = std::env::temp_dir().join(format!("at_{}", uuid::Uuid::now_v7().simple()));
        Self { programs, data, port: free_port() }
    }

    fn start(&self) {
        // The last word counts, and a copy of another server has that one's.
        self.set(&format!("port = {}\n", self.port));
        let log = self.data.join("log");
        self.control(&["-w", "-l", log.to_str().expect("a path in UTF-8"), "start"]);
    }

    fn set(&self, settings: &str) {
        let file = OpenOptions::new().append(true).open(self.data.join("postgresql.conf"));
        file.unwrap().write_all(settings.as_bytes()).unwrap();
    }

    /// Writes a certificate of an authority that no client trusts. Clients that do not verify it speak TLS all the
    /// same.
    fn write_certificate(&self) {
        let (certificate, key) = Authority::new().certificate("127.0.0.1");
        for (name, pem) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.data.join(name);
            fs::write(&path, pem).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            if let Some((user, group)) = account() {
                chown(&path, Some(user), Some(group)).unwrap();
            }
        }
    }

    fn control(&self, arguments: &[&str]) {
        let data = self.data.to_str().expect("a path in UTF-8");
        self.must("pg_ctl", &[&["-s", "-D", data], arguments].concat());
    }

    fn must(&self, program: &str, arguments: &[&str]) {
        let done = as_account(&self.programs.join(program)).args(arguments).output().unwrap();
        let log = fs::read_to_string(self.data.join("log")).unwrap_or_default();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{program} {arguments:?}: {said}{log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be stopped already, or never have begun.
        let _ = as_account(&self.programs.join("pg_ctl"))
            .args(["-s", "-w", "-m", "immediate", "stop", "-D"])
            .arg(&self.data)
            .stderr(Stdio::null())
            .status();
        let _ = fs::remove_dir_all(&self.data);
    }
}

/// Returns a port of this machine that was free a moment ago.
pub(super) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Returns a program that refuses to run as root, by the account that has it installed where this is root.
pub(super) fn as_account(program: &Path) -> Command {
    let mut command = Command::new(program);
    // That account cannot read every folder.
    command.current_dir("/").stdin(Stdio::null());
    if let Some((user, group)) = account() {
        command.uid(user).gid(group);
    }
    command
}

/// Returns user and group to change to; none where this is not root.
fn account() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").is_ok_and(|own| own.uid() != 0) {
        return None;
    }
    let accounts = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let account = accounts.lines().map(fields).find(|account| account[0] == ACCOUNT)?;
    Some((account[2].parse().ok()?, account[3].parse().ok()?))
}

/// Returns the newest version that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(OF_DEBIAN).into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin"));
    found.filter(|programs| programs.join("initdb").exists()).max()
}
