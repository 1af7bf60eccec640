//! The `agenttrust` program: serves a Guardian and looks after its keys and its audit.

mod agents;
mod alerts;
mod approvals;
mod arguments;
mod audit;
mod cards;
mod check;
mod config;
mod delegations;
mod federation;
mod given;
mod keys;
mod listen;
mod log;
mod mcp;
mod notify;
mod openapi;
mod out;
mod policy;
mod records;
mod reload;
mod remote;
mod revoked;
mod serve;
mod siem;
mod stop;
mod tasks;
mod tls;

use std::fmt;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::domain::GuardianError;
use crate::store::{Database, Store};

/// The Guardian: decides whether an AI agent may run a tool.
#[derive(Debug, Parser)]
#[command(name = "agenttrust", version, arg_required_else_help = true)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  agenttrust serve --dev
      Try things out, on http://localhost:8080.
  agenttrust serve --public-url https://guardian.example --public-url http://guardian:8080
      On 127.0.0.1:8080 behind a proxy, which hands on the host that it was asked for: one of these two. A request
      under another name is answered 421: a page that turned its own name to this machine's address is not let in.

Signals:
  SIGTERM, or ctrl-c
      Take no new requests, give those under way 10 seconds, and end.
  SIGHUP
      End nothing, and read again: the settings (log, max-connections, tls-cert and tls-key are taken over; the log names
      others that changed, which wait for the next start), the certificate and the folder of policies. What cannot be
      used is logged, and what was before stays in force.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a Guardian over HTTP
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Box<config::Flags>),
    /// Ask whether an agent may call a tool, and say why or why not
    ///
    /// It is a check as a guard makes one: recorded and counted; one that is held opens an approval, and one that is
    /// approved uses it. Exits with 0 where the call is allowed, with 1 where it is denied or held, and with 2 where
    /// there is no decision.
    Check(check::Check),
    /// List, show, approve and deny what is held
    #[command(subcommand)]
    Approvals(approvals::Approvals),
    /// Register, list, show, change, suspend and revoke agents, and have them prove that they have their keys (workload
    /// identity)
    #[command(subcommand)]
    Agents(agents::Agents),
    /// Make, list, show and revoke delegations, and open their sessions
    #[command(subcommand)]
    Delegations(delegations::Delegations),
    /// Send, list, show and cancel what agents ask of each other, and fetch it
    #[command(subcommand)]
    Tasks(tasks::Tasks),
    /// Generate, show, publish, withdraw and verify agent cards, and rotate the keys that sign them and the tokens of
    /// workloads
    #[command(subcommand)]
    Cards(cards::Cards),
    /// Register, list, show, change and remove identity providers of others, and try, verify, issue and revoke tokens
    #[command(subcommand)]
    Federation(federation::Federation),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Guard MCP servers
    #[command(subcommand)]
    Mcp(mcp::Mcp),
    /// Check, test, replay and format policies
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Send what the audit says to SIEMs: make, list, change, pause, try, replay and delete destinations
    #[command(subcommand)]
    Siem(siem::Siem),
    /// Verify, print, export and shorten the audit log, and accept what became of it
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Print alert rules for Prometheus, on the metrics that a Guardian tells at /metrics
    Alerts,
    /// Print the OpenAPI document that a Guardian serves at /openapi.json
    Openapi,
}

/// The audit log that the command line writes on PostgreSQL; a database file has one for all.
const KEYS_LOG: &str = "agenttrust keys";

/// The database of a Guardian that was started without one.
const DEFAULT_DATABASE: &str = "agenttrust.db";

/// The database of a command.
#[derive(Args)]
struct DatabaseArgs {
    /// The database: sqlite://PATH, a path, or postgres://USER@HOST/NAME
    #[arg(
        long,
        value_name = "URL",
        env = "AGENTTRUST_DATABASE",
        hide_env_values = true,
        default_value = DEFAULT_DATABASE
    )]
    database: String,
}

impl fmt::Debug for DatabaseArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseArgs(..)")
    }
}

impl DatabaseArgs {
    /// Opens the database of another process, which must be there already.
    async fn open_existing(&self) -> Result<Store, GuardianError> {
        let database = Database::parse(&self.database)?;
        Store::open_existing(&database).await
    }

    /// Opens the database of another process to read its audit log, and changes nothing in it.
    async fn open_to_read(&self) -> Result<Store, GuardianError> {
        let database = Database::parse(&self.database)?;
        Store::open_to_read(&database).await
    }
}

/// Runs the program with the arguments of this process, and returns its exit code: 0 when it did what
/// was asked, 1 when it could not or found a fault, 2 when it was asked wrongly.
#[must_use]
pub fn main() -> ExitCode {
    let program = match Program::try_parse() {
        Ok(program) => program,
        Err(error) => {
            arguments::explain(&error);
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match &program.command {
        // A Guardian reads how to log with its other settings.
        Command::Serve(_) => {}
        Command::Mcp(mcp) => log::start_from_environment(mcp.log()),
        _ => log::start_from_environment("error"),
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("the operating system gave no threads: {error}")),
    };
    let done = runtime.block_on(async {
        match program.command {
            Command::Serve(flags) => serve::run(*flags).await,
            Command::Check(check) => check.run().await,
            Command::Approvals(approvals) => approvals.run().await,
            Command::Agents(agents) => agents.run().await,
            Command::Delegations(delegations) => delegations.run().await,
            Command::Tasks(tasks) => tasks.run().await,
            Command::Cards(cards) => cards.run().await,
            Command::Federation(federation) => federation.run().await,
            Command::Keys(keys) => keys.run().await,
            Command::Mcp(mcp) => mcp.run().await,
            Command::Policy(policy) => policy.run().await,
            Command::Siem(siem) => siem.run().await,
            Command::Audit(audit) => audit.run().await,
            Command::Alerts => alerts::print(),
            Command::Openapi => openapi::print(),
        }
    });
    match done {
        Ok(code) => code,
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::FAILURE
}
