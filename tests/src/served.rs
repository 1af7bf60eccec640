//! [`Served`]: the program `agenttrust serve`, as a process that can be killed.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::admin::Admin;

/// The time that the program may take to be ready.
const READY: Duration = Duration::from_secs(60);
/// The beginning of its ready line.
const LISTENING: &str = "listening on http://";
/// The admin key that it is given.
const ADMIN_KEY: &str = "sk_live_admin_of_these_tests";

/// The settings that the program is started with; by default on a free port, in memory, and without self-approval.
#[derive(Clone, Debug)]
pub struct Serve {
    program: &'static str,
    listen: String,
    database: String,
    allow_self_approval: bool,
    flags: Vec<String>,
}

impl Serve {
    /// Returns the program at this path: `env!("CARGO_BIN_EXE_agenttrust-under-test")`, which only a test is told.
    #[must_use]
    pub fn new(program: &'static str) -> Self {
        Self {
            program,
            listen: "127.0.0.1:0".to_owned(),
            database: "memory".to_owned(),
            allow_self_approval: false,
            flags: Vec::new(),
        }
    }

    /// Adds one more setting, such as `--log` and `warn`.
    #[must_use]
    pub fn flag(mut self, name: &str, value: impl Into<String>) -> Self {
        self.flags.extend([name.to_owned(), value.into()]);
        self
    }

    /// Adds one more setting that takes no value.
    #[must_use]
    pub fn switch(mut self, name: &str) -> Self {
        self.flags.push(name.to_owned());
        self
    }

    /// Listens here.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address.to_string();
        self
    }

    /// Keeps everything in this database.
    #[must_use]
    pub fn database(mut self, url: impl Into<String>) -> Self {
        self.database = url.into();
        self
    }

    /// Sets whether a key may decide what it asked for.
    #[must_use]
    pub fn allow_self_approval(mut self, allow: bool) -> Self {
        self.allow_self_approval = allow;
        self
    }

    /// Starts the program and waits until it says that it is ready.
    ///
    /// # Errors
    ///
    /// When it ends or stays silent; the error has what it printed.
    pub fn start(self) -> Result<Served> {
        let mut command = Command::new(self.program);
        command
            .args(["serve", "--listen", &self.listen, "--database", &self.database])
            .args(&self.flags)
            .env("AGENTTRUST_ADMIN_KEY", ADMIN_KEY)
            .env_remove("AGENTTRUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if self.allow_self_approval {
            command.arg("--allow-self-approval");
        }
        let child = command.spawn().with_context(|| format!("cannot start {}", self.program))?;
        let mut process = Process(child);
        let lines = process.lines()?;
        let log = process.log()?;
        loop {
            match lines.recv_timeout(READY) {
                Ok(line) => {
                    if let Some(address) = line.strip_prefix(LISTENING) {
                        let address = address.trim().parse()?;
                        return Ok(Served { address, process });
                    }
                }
                Err(error) => {
                    drop(process);
                    let log = log.recv_timeout(READY).unwrap_or_default();
                    return Err(anyhow!("the program was not ready ({error}); it said:\n{log}"));
                }
            }
        }
    }
}

/// A running `agenttrust serve`; killed when dropped.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    process: Process,
}

impl Served {
    /// Returns where it is, such as `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its id as a process.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.0.id()
    }

    /// Returns its admin key.
    #[must_use]
    pub fn admin_key(&self) -> &'static str {
        ADMIN_KEY
    }

    /// Returns an admin of the program.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::outside(self.url(), ADMIN_KEY)
    }

    /// Kills it, without a word of warning. Afterwards no program listens there.
    ///
    /// # Errors
    ///
    /// When it had ended by itself.
    pub fn kill(mut self) -> Result<()> {
        let Process(child) = &mut self.process;
        anyhow::ensure!(child.try_wait()?.is_none(), "the program had ended by itself");
        child.kill()?;
        child.wait()?;
        Ok(())
    }
}

/// A child that does not outlive its owner.
#[derive(Debug)]
struct Process(Child);

impl Process {
    /// Returns its standard output, line by line.
    fn lines(&mut self) -> Result<Receiver<String>> {
        let output = self.0.stdout.take().context("the output is piped")?;
        let (line, lines) = channel();
        // Read to its end even when nobody listens any more: a full pipe would stop the program.
        thread::spawn(move || {
            BufReader::new(output)
                .lines()
                .map_while(Result::ok)
                .for_each(|read| drop(line.send(read)));
        });
        Ok(lines)
    }

    /// Returns what it logged, once it has ended.
    fn log(&mut self) -> Result<Receiver<String>> {
        let mut errors = self.0.stderr.take().context("the log is piped")?;
        let (whole, log) = channel();
        thread::spawn(move || {
            let mut text = Vec::new();
            if errors.read_to_end(&mut text).is_ok() {
                // Nobody waits for the log of a program that was ready.
                let _ = whole.send(String::from_utf8_lossy(&text).into_owned());
            }
        });
        Ok(log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing left to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
