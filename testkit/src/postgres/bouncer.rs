//! PgBouncer before the server of a test's database.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::Fresh;
use super::server::{as_account, free_port};
use crate::eventually_blocking;

/// The path at which Debian has pgbouncer; the variable `PATH` of many accounts leaves it out.
const PROGRAM: &str = "/usr/sbin/pgbouncer";
/// The time after which a pgbouncer counts as one that does not come up.
const NEVER: Duration = Duration::from_secs(10);

/// A pooler in one of its modes; ends when dropped.
#[derive(Debug)]
pub struct Bouncer {
    child: Child,
    settings: PathBuf,
    url: String,
}

impl Bouncer {
    /// Creates one before this database, in `session`, `transaction` or `statement` mode; where PgBouncer is missing,
    /// says that the test is skipped.
    pub fn or_skip(database: &Fresh, mode: &str) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            println!("skipped: no PgBouncer at {PROGRAM}");
            return None;
        }
        let (address, name) = (database.address(), &database.name);
        let (host, port) = address.split_once(':').unwrap_or((&address, "5432"));
        let (user, password) = database.account();
        let password = match password {
            "" => String::new(),
            password => format!(" password='{password}'"),
        };
        let port_here = free_port();
        let settings = format!(
            "[databases]\n{name} = host={host} port={port} user={user}{password}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port_here}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = {mode}\ndefault_pool_size = 40\n"
        );
        let path = std::env::temp_dir().join(format!("{name}.ini"));
        fs::write(&path, settings).unwrap();
        let mut command = as_account(Path::new(PROGRAM));
        let child = command.arg("-q").arg(&path).stderr(Stdio::null()).spawn().unwrap();
        let url = format!("postgres://{user}@127.0.0.1:{port_here}/{name}?sslmode=disable");
        let bouncer = Self { child, settings: path, url };
        let listens = || TcpStream::connect(("127.0.0.1", port_here)).map(drop);
        eventually_blocking(NEVER, "PgBouncer does not listen", listens);
        Some(bouncer)
    }

    /// Returns how a Guardian finds the database by it.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.settings);
    }
}
