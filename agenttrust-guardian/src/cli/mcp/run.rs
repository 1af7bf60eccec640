//! `agenttrust mcp run`: a guard in front of a local MCP server, which a client starts in its place.

mod approval_server;
mod call;
mod child;
mod guardian;
mod lines;
mod malformed;
mod pending;
mod pins;
mod relay;
mod server_messages;
mod tool_visibility;
mod tools;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures_util::future::{Either, select};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub(super) use self::child::supervise;
use self::child::{Child, FAILED};
use self::guardian::GuardianClient;
use self::lines::{LINE_MAX_BYTES, Line};
use self::relay::{Relay, Stop};
use self::tools::Tools;
use crate::cli::stop;
use crate::domain::GuardianError;
use crate::domain::duration::{self, UNITS};
use crate::services::mcp_servers::check_server_name;

pub(super) const EXAMPLES: &str = "\
Examples:
  agenttrust mcp run --server files -- npx -y @modelcontextprotocol/server-filesystem /home/ada/notes
      In front of a server of files: reads and changes run, what destroys does not. In a client's configuration:
      \"command\": \"agenttrust\", \"args\": [\"mcp\", \"run\", \"--server\", \"files\", \"--\", \"npx\", \"-y\", ...]
  agenttrust mcp run --server files --listen 127.0.0.1:0 --hold 2m -- npx -y @modelcontextprotocol/server-filesystem ...
      The same, served on this machine while it runs: standard error says where, and with which key, a person
      approves what is held, for two minutes while the call waits.
  AGENTTRUST_URL=https://guardian.example AGENTTRUST_API_KEY=sk_live_... \\
  agenttrust mcp run --server files --hold 30s -- npx -y @modelcontextprotocol/server-filesystem /home/ada/notes
      Checked by a Guardian that is served, where a person approves what is held, for half a minute while the call
      waits. The two variables go into \"env\" of the client's configuration; the server does not see them.";

/// The longest that a held call may wait: clients give up sooner.
const HOLD_MOST: Duration = Duration::from_secs(3_600);
/// The time that a server may take to end once its input has ended, before it is asked to: clients give it two
/// seconds, and this program with it.
const GRACE: Duration = Duration::from_millis(1_500);
/// The time that the last lines may take to pass.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The arguments of `agenttrust mcp run`.
#[derive(Args, Debug)]
pub(in crate::cli) struct Run {
    /// The name of the server: its tools are checked as NAME/TOOL [default: the name of the command, unless that is
    /// http, mcp or another that names of AgentTrust's own begin with]
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// Check with a Guardian inside of this program, by the Cedar policies of this folder
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Check with a Guardian inside of this program, which keeps its audit and approvals in this file
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Serve the Guardian inside of this program here, such as 127.0.0.1:0, so that a person approves what is held:
    /// standard error says where, and shows the key for it
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Keep in this file what the tools were when they were first seen, and hold later runs to it [default: beside
    /// --database]
    #[arg(long, value_name = "FILE")]
    pins: Option<PathBuf>,
    /// Let a held call wait so long for its approval, such as 30s; without it is answered at once
    #[arg(long, value_name = "TIME", value_parser = hold)]
    hold: Option<Duration>,
    /// The agent that calls, agt_… [default: AGENTTRUST_AGENT_ID, or the only agent of the key]
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// Show approvers the inputs of held calls
    #[arg(long)]
    disclose: bool,
    /// The command of the MCP server, which speaks on standard input and output
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn hold(text: &str) -> Result<Duration, String> {
    duration::parse(text, &UNITS, HOLD_MOST)
        .ok_or_else(|| "write a whole number and a unit, such as 30s or 2m, up to 1h".to_owned())
}

impl Run {
    /// Guards the server until one side ends; returns the server's exit code.
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        let server = self.name()?;
        let tools = Tools::new(&server, guardian::pins(&self, &server)?);
        let asked = GuardianClient::open(&self, &server).await?;
        let child = Child::start(&self.command)?;
        let client = lines::read("mcp-client-in", std::io::stdin())?;
        let (to_client, written) = lines::write("mcp-client-out", std::io::stdout())?;
        let both = (to_client.clone(), child.input.clone());
        let relay = Arc::new(Relay::new((server, tools), asked, self.hold, both));
        let ended = carry(&relay, client, child).await;
        relay.end().await;
        to_client.close().await;
        // A client that reads no more is not waited for.
        let _ = tokio::time::timeout(LAST_LINES, written).await;
        relay.asked.close().await;
        ended.map(ExitCode::from)
    }

    /// Returns what the server is called.
    fn name(&self) -> Result<String, GuardianError> {
        let command = self.command.first().and_then(|program| Path::new(program).file_stem());
        let name = self.server.clone().or_else(|| command?.to_str().map(str::to_owned));
        let name = name.ok_or_else(|| {
            GuardianError::Invalid("say with --server what the server is called".to_owned())
        })?;
        // Those of commands that are no name for a server are refused too: which one was meant has to be said.
        check_server_name("--server", &name)?;
        Ok(name)
    }
}

/// The part that ends first.
enum First {
    /// The program got a signal to end.
    Told,
    Client,
    /// The output of the server, or the look at it.
    Output(Result<(), Stop>),
    Server(u8),
}

/// Carries messages until the server has ended; returns its exit code.
async fn carry(
    relay: &Arc<Relay>,
    client: mpsc::Receiver<Line>,
    mut child: Child,
) -> Result<u8, GuardianError> {
    let output = child.take_output();
    let input = tokio::spawn(from_client(Arc::clone(relay), client));
    let mut output = tokio::spawn(from_server(Arc::clone(relay), output));
    let mut told = pin!(stop::signal_or_sighup());
    let sides = select(select(input, &mut output), &mut child.ended);
    let first = match select(told.as_mut(), sides).await {
        Either::Left(_) => First::Told,
        Either::Right((Either::Left((Either::Left(_), _)), _)) => First::Client,
        Either::Right((Either::Left((Either::Right((read, _)), _)), _)) => {
            First::Output(read.unwrap_or(Ok(())))
        }
        Either::Right((Either::Right((code, _)), _)) => First::Server(code.unwrap_or(FAILED)),
    };
    relay.begin_shutdown();
    let code = match first {
        First::Told => child.is_ended().await,
        First::Output(Err(Stop::Unreadable)) => return Err(unreadable()),
        // A client that ends a server does not wait for long, and tells this program to stop then.
        First::Client | First::Output(_) => match in_time(&mut child, told).await {
            Some(code) => code,
            None => child.is_ended().await,
        },
        First::Server(code) => code,
    };
    if !output.is_finished() {
        // What it wrote before it ended.
        let _ = tokio::time::timeout(LAST_LINES, output).await;
    }
    Ok(code)
}

/// Waits for the end of the server; `None` where this program is to stop meanwhile.
async fn in_time(child: &mut Child, told: impl Future<Output = ()> + Unpin) -> Option<u8> {
    match select(pin!(child.ends(GRACE)), told).await {
        Either::Left((code, _)) => Some(code),
        Either::Right(_) => None,
    }
}

/// Takes the lines of the client, and closes the server's input after the last one.
async fn from_client(relay: Arc<Relay>, mut lines: mpsc::Receiver<Line>) {
    let mut calls = JoinSet::new();
    while let Some(line) = lines.recv().await {
        while calls.try_join_next().is_some() {}
        if relay.from_client(line, &mut calls).await.is_err() {
            break;
        }
    }
    // What was sent before the end is done, unless it waits for a person.
    relay.begin_shutdown();
    while calls.join_next().await.is_some() {}
    relay.to_server.close().await;
}

/// Takes the lines of the server.
async fn from_server(relay: Arc<Relay>, mut lines: mpsc::Receiver<Line>) -> Result<(), Stop> {
    while let Some(line) = lines.recv().await {
        relay.handle_server_line(line).await?;
    }
    Ok(())
}

fn unreadable() -> GuardianError {
    GuardianError::Unavailable(format!(
        "the MCP server sent a message that is longer than {LINE_MAX_BYTES} bytes or holds too many values, and \
         was ended; have it send less at a time"
    ))
}
