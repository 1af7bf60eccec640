//! `agenttrust siem`: where the audit's events are sent, and what became of them there.

mod destination;
mod sent;
mod token;
mod warnings;
mod words;

use std::process::ExitCode;

use clap::Subcommand;

use super::remote::Remote;
use crate::domain::GuardianError;

const EXAMPLES: &str = "\
Examples:
  agenttrust siem create prod --type splunk --url https://splunk.example/services/collector --token-file - < token.txt
      Whatever the audit says from now on goes to Splunk; the token is kept sealed and shown by nothing.
  agenttrust siem create denied --type syslog --url syslog+tls://log.example:6514 --event decision.denied --event 'approval.*'
      Only what was denied, and what becomes of approvals, goes to a receiver of syslog.
  agenttrust siem test prod
      Send one event for trial, now, and say what the receiver said.";

/// The arguments of `agenttrust siem`.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Siem {
    /// List the destinations, and how they stand
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Show everything about a destination
    Show {
        /// The id of the destination, dst_…, or its name
        destination: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Make a destination, which is sent what the audit says from then on, and print its id
    Create {
        #[command(flatten)]
        new: Box<destination::New>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Change a destination; what is not said stays as it is
    Update {
        #[command(flatten)]
        change: Box<destination::DestinationUpdateArgs>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Send it nothing for now; what happens meanwhile it is sent once it is resumed
    Pause {
        /// The id of the destination, dst_…, or its name
        destination: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Go on sending, from where it was paused
    Resume {
        /// The id of the destination, dst_…, or its name
        destination: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Delete a destination: what it was not sent yet it is not sent any more
    Delete {
        /// The id of the destination, dst_…, or its name
        destination: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Send it one event for trial, and say what the receiver said; exits with 1 where it was not taken
    Test {
        /// The id of the destination, dst_…, or its name
        destination: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// List what was sent to it last, and whether it was taken
    Logs {
        #[command(flatten)]
        wanted: sent::Records,
        #[command(flatten)]
        remote: Remote,
    },
    /// List what it refused for good, so that others could follow
    SetAside {
        #[command(flatten)]
        wanted: sent::Records,
        #[command(flatten)]
        remote: Remote,
    },
    /// Send it once more what happened since a point in time; events keep their ids
    Replay {
        #[command(flatten)]
        replay: sent::Again,
        #[command(flatten)]
        remote: Remote,
    },
}

impl Siem {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::List { remote } => destination::list(&remote).await?,
            Self::Show { destination, remote } => destination::show(&destination, &remote).await?,
            Self::Create { new, remote } => new.create(&remote).await?,
            Self::Update { change, remote } => change.run(&remote).await?,
            Self::Pause { destination, remote } => {
                destination::switch(&destination, false, &remote).await?;
            }
            Self::Resume { destination, remote } => {
                destination::switch(&destination, true, &remote).await?;
            }
            Self::Delete { destination, remote } => {
                destination::delete(&destination, &remote).await?;
            }
            Self::Test { destination, remote } => return sent::test(&destination, &remote).await,
            Self::Logs { wanted, remote } => wanted.deliveries(&remote).await?,
            Self::SetAside { wanted, remote } => wanted.set_aside(&remote).await?,
            Self::Replay { replay, remote } => replay.run(&remote).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
