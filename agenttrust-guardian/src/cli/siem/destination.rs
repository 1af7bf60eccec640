//! `agenttrust siem list|show|create|update|pause|resume|delete`: the destinations that are there.

use std::fmt;
use std::time::Duration;

use agenttrust::AgentTrustClient;
use agenttrust::client::SiemDestinationOptions;
use agenttrust::model::{
    CreateSiemDestinationRequest, SiemDestination, SiemFormat, UpdateSiemDestinationRequest,
};
use clap::Args;
use serde_json::json;

use super::token::Token;
use super::warnings;
use super::words::failed;
use crate::cli::out;
use crate::cli::remote::Remote;
use crate::domain::GuardianError;
use crate::domain::duration;
use crate::domain::ids::DESTINATION_PREFIX;

/// The longest that an event waits for others.
const FLUSH_MOST: Duration = Duration::from_secs(3_600);

/// The settings by which events are sent to a destination.
#[derive(Debug, Args)]
struct How {
    /// Send so many events at once, 1 to 1000
    #[arg(long, value_name = "NUMBER")]
    batch_size: Option<u32>,
    /// Let an event wait so long for others to go with it, such as 5s or 10m; 1h is the most
    #[arg(long, value_name = "DURATION", value_parser = flush)]
    flush: Option<Duration>,
    /// Send what is of this kind and nothing else: a kind of the audit such as decision, a family such as approval.*,
    /// or decision.allowed, decision.denied or decision.held; may be given several times
    #[arg(long = "event", value_name = "KIND")]
    events: Vec<String>,
    /// Send events in this form: ocsf, or raw as the audit shows them
    #[arg(long, value_name = "FORM")]
    format: Option<SiemFormat>,
    #[command(flatten)]
    token: Token,
}

fn flush(text: &str) -> Result<Duration, String> {
    let parsed = duration::parse(text, &duration::UNITS, FLUSH_MOST);
    let parsed = parsed.filter(|parsed| parsed.as_secs() > 0 && parsed.subsec_nanos() == 0);
    parsed.ok_or_else(|| "write it as 5s, 10m or 1h; 1s is the least and 1h the most".to_owned())
}

impl How {
    fn flush_seconds(&self) -> Option<u32> {
        self.flush.and_then(|flush| u32::try_from(flush.as_secs()).ok())
    }

    fn options(&self) -> SiemDestinationOptions {
        let options = SiemDestinationOptions::default();
        match self.format {
            Some(format) => options.format(format),
            None => options,
        }
    }

    fn events(self) -> Option<Vec<String>> {
        Some(self.events).filter(|events| !events.is_empty())
    }
}

/// A destination that is to be made.
#[derive(Args)]
pub(in crate::cli) struct New {
    /// A name for people
    name: String,
    /// The kind of receiver: splunk, datadog, elastic, webhook, syslog or file
    #[arg(long = "type", value_name = "TYPE")]
    kind: String,
    /// The URL: https, at a public address unless the Guardian was started with --allow-outbound; for syslog
    /// syslog+tls://HOST:6514 or syslog+tcp://HOST:601; for a file file:///PATH, in a folder that --siem-files opened
    #[arg(long, value_name = "URL")]
    url: String,
    #[command(flatten)]
    how: How,
}

/// The arguments of an update of a destination.
#[derive(Args)]
pub(in crate::cli) struct DestinationUpdateArgs {
    /// The id of the destination, dst_…, or its name
    destination: String,
    /// Give it this name
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Send to this URL; where it is of another host, the token must be given again
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Send everything, whatever kinds were named before
    #[arg(long, conflicts_with = "events")]
    all_events: bool,
    #[command(flatten)]
    how: How,
}

// A URL may be as good as a password.
impl fmt::Debug for New {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("New").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for DestinationUpdateArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DestinationUpdateArgs")
            .field("destination", &self.destination)
            .finish_non_exhaustive()
    }
}

impl New {
    pub(super) async fn create(self, remote: &Remote) -> Result<(), GuardianError> {
        let client = remote.client()?;
        let options = self.how.options();
        let request = CreateSiemDestinationRequest {
            name: self.name,
            destination_type: self.kind,
            endpoint_url: self.url,
            auth_token: self.how.token.read()?,
            batch_size: self.how.batch_size,
            flush_interval_seconds: self.how.flush_seconds(),
            filter_event_types: self.how.events(),
        };
        let made = client.streaming().create_with(&request, &options).await.map_err(failed)?;
        warnings::warn(&made);
        if remote.json {
            return out::json(&made);
        }
        let id = out::harmless(&made.id);
        eprintln!("note: see that it takes what is sent: `agenttrust siem test {id}`");
        out::say(&made.id)
    }
}

impl DestinationUpdateArgs {
    pub(super) async fn run(self, remote: &Remote) -> Result<(), GuardianError> {
        let client = remote.client()?;
        let options = self.how.options();
        let mut request = UpdateSiemDestinationRequest {
            name: self.name,
            endpoint_url: self.url,
            auth_token: self.how.token.read()?,
            is_active: None,
            batch_size: self.how.batch_size,
            flush_interval_seconds: self.how.flush_seconds(),
            filter_event_types: None,
        };
        request.filter_event_types = match self.all_events {
            true => Some(Vec::new()),
            false => self.how.events(),
        };
        if request == UpdateSiemDestinationRequest::default() && options.format.is_none() {
            return Err(GuardianError::Invalid(
                "nothing is to change; say --name, --url, --token-file, --batch-size, --flush, --event, --all-events or \
                 --format"
                    .to_owned(),
            ));
        }
        let found = find(&client, &self.destination).await?;
        let changed = client.streaming().update_with(&found.id, &request, &options).await;
        tell(&changed.map_err(failed)?, remote)
    }
}

pub(super) async fn switch(
    said: &str,
    is_active: bool,
    remote: &Remote,
) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let found = find(&client, said).await?;
    let request = UpdateSiemDestinationRequest {
        is_active: Some(is_active),
        ..UpdateSiemDestinationRequest::default()
    };
    let changed = client.streaming().update(&found.id, &request).await.map_err(failed)?;
    if remote.json {
        return out::json(&changed);
    }
    let is = if changed.is_active { "is sent to again" } else { "is paused" };
    out::say(&format!("{} ({}) {is}", changed.id, out::harmless(&changed.name)))
}

pub(super) async fn list(remote: &Remote) -> Result<(), GuardianError> {
    let destinations = remote.client()?.streaming().list().await.map_err(failed)?;
    if remote.json {
        return out::json(&destinations);
    }
    if destinations.is_empty() {
        return out::say("no destination is there; make one with `agenttrust siem create`");
    }
    let row = |it: &SiemDestination| {
        let where_to = [it.destination_type.clone(), it.endpoint_url.clone()];
        let [kind, url] = where_to;
        [it.id.clone(), it.name.clone(), kind, url, standing(it), behind(it)]
    };
    let rows: Vec<_> = destinations.iter().map(row).collect();
    out::table(["DESTINATION", "NAME", "TYPE", "WHERE", "STANDS", "BEHIND"], &rows)
}

/// Returns how it stands, in a word or two.
fn standing(destination: &SiemDestination) -> String {
    match (destination.is_active, destination.failing_since) {
        (false, _) => "paused".to_owned(),
        (true, None) => "active".to_owned(),
        (true, since) => format!("fails since {}", out::when(since)),
    }
}

/// Returns how old the oldest event is that it is owed.
fn behind(destination: &SiemDestination) -> String {
    destination
        .lag_seconds
        .map(|seconds| duration::say(Duration::from_secs(seconds)))
        .unwrap_or_default()
}

/// Returns the destination that is meant: by its id, or by its name where only one has it.
pub(super) async fn find(
    client: &AgentTrustClient,
    said: &str,
) -> Result<SiemDestination, GuardianError> {
    if said.starts_with(DESTINATION_PREFIX) {
        return client.streaming().get(said).await.map_err(failed);
    }
    let destinations = client.streaming().list().await.map_err(failed)?;
    let mut named = destinations.into_iter().filter(|destination| destination.name == said);
    let said = out::harmless(said);
    match (named.next(), named.next()) {
        (Some(destination), None) => Ok(destination),
        (Some(_), Some(_)) => Err(GuardianError::Invalid(format!(
            "several destinations have the name {said:?}; give the id of one, as `agenttrust siem list` shows it"
        ))),
        (None, _) => Err(GuardianError::Invalid(format!(
            "there is no destination of the id or name {said:?}; `agenttrust siem list` shows those that are there"
        ))),
    }
}

pub(super) async fn show(said: &str, remote: &Remote) -> Result<(), GuardianError> {
    let client = remote.client()?;
    tell(&find(&client, said).await?, remote)
}

/// Prints everything about a destination.
pub(super) fn tell(destination: &SiemDestination, remote: &Remote) -> Result<(), GuardianError> {
    if remote.json {
        return out::json(destination);
    }
    let events = destination.filter_event_types.clone().unwrap_or_default();
    let events = if events.is_empty() { "all".to_owned() } else { events.join(", ") };
    out::facts(&[
        ("destination", destination.id.clone()),
        ("name", destination.name.clone()),
        ("type", destination.destination_type.clone()),
        ("where", destination.endpoint_url.clone()),
        ("stands", standing(destination)),
        ("behind", behind(destination)),
        ("warning", destination.warning.clone().unwrap_or_default()),
        ("last error", destination.last_error.clone().unwrap_or_default()),
        ("events", events),
        ("form", destination.format.map(|format| format.to_string()).unwrap_or_default()),
        ("at once", destination.batch_size.to_string()),
        ("waits at most", format!("{}s", destination.flush_interval_seconds)),
        ("made", out::when_exactly(destination.created_at)),
        ("changed", out::when_exactly(destination.updated_at)),
    ])
}

pub(super) async fn delete(said: &str, remote: &Remote) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let found = find(&client, said).await?;
    client.streaming().delete(&found.id).await.map_err(failed)?;
    match remote.json {
        true => out::json(&json!({ "id": found.id, "name": found.name, "status": "deleted" })),
        false => out::say(&format!("{} ({}) is deleted", found.id, out::harmless(&found.name))),
    }
}
