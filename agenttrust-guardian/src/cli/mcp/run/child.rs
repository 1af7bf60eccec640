//! The server: a process group of its own, which ends with this program.
//!
//! Between the two stands this program once more (`agenttrust mcp supervise`), the leader of that group. If this one is
//! killed, the kernel tells that one, which kills the group. That ends also what a server has started, and a server
//! that does not look at the end of its input. Only what has left the group outlives it.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child as Process, Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, getpid, getppid, kill_process_group, waitid,
};
use tokio::sync::{mpsc, oneshot};

use super::lines::{self, Line, Out};
use crate::cli::out::harmless;
use crate::domain::GuardianError;

/// The signal that tells the process in between that this program is gone. SIGTERM is for the server.
const GONE: Signal = Signal::HUP;
/// The exit code of a shell for a command that cannot be found.
const NOT_FOUND: u8 = 127;
/// The number that a shell adds to that of the signal that ended a command.
const BY_SIGNAL: i32 = 128;
/// The exit code where the server had none to pass on.
pub(super) const FAILED: u8 = 1;
/// The time that a server may take to end once it was asked to.
const TERMINATED: Duration = Duration::from_secs(2);
/// The time between two looks at the parent of this process, where the kernel does not tell when it ends.
const LOOK: Duration = Duration::from_secs(1);

/// The server while it runs; killed when dropped.
pub(super) struct Child {
    pub(super) input: Out,
    output: Option<mpsc::Receiver<Line>>,
    /// Its exit code.
    pub(super) ended: oneshot::Receiver<u8>,
    group: Group,
}

/// The group of processes, as long as there is one.
#[derive(Clone)]
struct Group(Arc<Mutex<Option<Pid>>>);

impl Group {
    fn signal(&self, signal: Signal) {
        let group = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = *group {
            // Gone is what is wanted.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Kills what is left of it, before its number may be another's.
    fn end(&self) {
        self.signal(Signal::KILL);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Keeps the variables and the memory of this program from what runs as the same user, the server among it: Linux shows
/// them in `/proc`. Where another kernel shows them it is not hidden.
fn hide_from_processes_of_this_user() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}

impl Child {
    /// Starts the command. Settings of this program are not its to read: there are keys among them.
    ///
    /// Call it on the main thread: the kernel takes the end of the thread that starts a process for that of all.
    pub(super) fn start(command: &[OsString]) -> Result<Self, GuardianError> {
        let failed = |error: io::Error| {
            GuardianError::Unavailable(format!("the MCP server cannot be started: {error}"))
        };
        hide_from_processes_of_this_user().map_err(failed)?;
        let mut supervise = Command::new(myself().map_err(failed)?);
        supervise.args(["mcp", "supervise", &getpid().as_raw_nonzero().to_string(), "--"]);
        supervise.args(command).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("AGENTTRUST_")) {
                supervise.env_remove(name);
            }
        }
        let mut process = supervise.spawn().map_err(failed)?;
        let group = Group(Arc::new(Mutex::new(Pid::from_child(&process).into())));
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (ended, has_ended) = oneshot::channel();
        let of_thread = group.clone();
        let watched = thread::Builder::new().name("mcp-server".to_owned()).spawn(move || {
            // The one that waits is told by nothing, where nothing waits any more.
            let _ = ended.send(watch(process, &of_thread));
        });
        let (input, output) = pipes
            .filter(|_| watched.is_ok())
            .ok_or_else(|| io::Error::other("no thread or no pipe"))
            .map_err(failed)?;
        let (input, _) = lines::write("mcp-server-in", input)?;
        let output = lines::read("mcp-server-out", output)?;
        Ok(Self { input, output: Some(output), ended: has_ended, group })
    }

    /// Returns what it writes; nothing, the second time.
    pub(super) fn take_output(&mut self) -> mpsc::Receiver<Line> {
        self.output.take().unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// Waits for its end: so long, then asks it to, and at last kills it. Returns the exit code.
    pub(super) async fn ends(&mut self, grace: Duration) -> u8 {
        for (wait, signal) in [(grace, Signal::TERM), (TERMINATED, Signal::KILL)] {
            if let Ok(code) = tokio::time::timeout(wait, &mut self.ended).await {
                return code.unwrap_or(FAILED);
            }
            self.group.signal(signal);
        }
        (&mut self.ended).await.unwrap_or(FAILED)
    }

    /// Asks it to end, and waits as [`ends`](Self::ends) does.
    pub(super) async fn is_ended(&mut self) -> u8 {
        self.ends(Duration::ZERO).await
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.group.signal(Signal::KILL);
    }
}

/// Returns where this very program is, also where its file has another one's place by now.
fn myself() -> io::Result<std::path::PathBuf> {
    match cfg!(target_os = "linux") {
        true => Ok("/proc/self/exe".into()),
        false => std::env::current_exe(),
    }
}

/// Waits for its end, and takes what is left of the group along.
fn watch(mut process: Process, group: &Group) -> u8 {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    // Not taken notice of yet, so that the number of the group stays its own.
    while waitid(WaitId::Pid(Pid::from_child(&process)), options)
        .is_err_and(|error| error == rustix::io::Errno::INTR)
    {}
    group.end();
    process.wait().map_or(FAILED, code)
}

/// Returns the exit code, as a shell says it.
fn code(status: ExitStatus) -> u8 {
    let by_signal = || status.signal().map(|signal| BY_SIGNAL + signal);
    let code = status.code().or_else(by_signal).unwrap_or(1);
    u8::try_from(code).unwrap_or(FAILED)
}

/// Runs the command in the group that this process leads, and ends with it; kills the group once the process that
/// started this one is gone.
pub(in crate::cli::mcp) async fn supervise(
    parent: u32,
    command: &[OsString],
) -> Result<ExitCode, GuardianError> {
    use tokio::signal::unix::{SignalKind, signal};

    let deaf = |error: io::Error| GuardianError::Unavailable(format!("no signals: {error}"));
    let mut gone = signal(SignalKind::hangup()).map_err(deaf)?;
    // Heard and not heeded: the server is sent it too, and ends as it likes.
    let _terminate = signal(SignalKind::terminate()).map_err(deaf)?;
    let _interrupt = signal(SignalKind::interrupt()).map_err(deaf)?;
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(GONE))
        .map_err(|error| deaf(error.into()))?;
    let parent = i32::try_from(parent).ok().and_then(Pid::from_raw);
    let [program, arguments @ ..] = command else {
        return Err(GuardianError::Invalid("there is no command".to_owned()));
    };
    if getppid() != parent {
        return Ok(ExitCode::FAILURE);
    }
    let mut process = match Command::new(program).args(arguments).spawn() {
        Ok(process) => process,
        Err(error) => {
            let program = harmless(&program.to_string_lossy());
            eprintln!("error: {program} cannot be started: {error}");
            return Ok(ExitCode::from(NOT_FOUND));
        }
    };
    let (ended, has_ended) = oneshot::channel();
    thread::spawn(move || ended.send(process.wait().map_or(FAILED, code)));
    tokio::spawn(async move {
        loop {
            let _ = tokio::time::timeout(LOOK, gone.recv()).await;
            if getppid() != parent {
                // This process too.
                let _ = kill_process_group(getpid(), Signal::KILL);
            }
        }
    });
    Ok(ExitCode::from(has_ended.await.unwrap_or(FAILED)))
}
