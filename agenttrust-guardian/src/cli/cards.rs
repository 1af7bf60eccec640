//! `agenttrust cards`: what agents tell others of themselves, and the keys that sign it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use agenttrust::model::{
    CardBinding, CardInterface, CardKeys, CardOptions, CardVersion, TrustedKey,
};
use agenttrust::{AgentCard, AgentTrustClient, AgentTrustError};
use clap::{Args, Subcommand};

use super::agents::id_of;
use super::out;
use super::remote::{self, Remote, in_our_words};
use crate::domain::file::read_text_at_most;
use crate::domain::ids::AGENT_PREFIX;
use crate::domain::{GuardianError, duration};

/// A file of a card or of keys is no longer than this.
const FILE_MOST: u64 = 1 << 20;
/// The longest time that a former key goes on signing.
const OVERLAP_MOST: Duration = Duration::from_secs(30 * 86_400);

/// The arguments of `agenttrust cards`.
#[derive(Debug, Subcommand)]
pub(super) enum Cards {
    /// Generate the card of an agent from what is known of it, and print it
    ///
    /// What is not said stays as it was said before. A card that is published changes for everybody.
    Generate {
        /// The agent: its id, or its name where only one has it
        agent: String,
        #[command(flatten)]
        said: Box<Said>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show the card of an agent, published or not
    Show {
        /// The agent: its id, or its name where only one has it
        agent: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Publish the card of an agent, and print where it is
    Publish {
        /// The agent: its id, or its name where only one has it
        agent: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Publish the card of an agent no more
    Withdraw {
        /// The agent: its id, or its name where only one has it
        agent: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Show the published card of an agent, as everybody may, without an API key
    Public {
        /// The id of the agent, agt_…
        agent: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Verify the signature of a card: of the published one of an agent, or of one in a file
    ///
    /// It is verified by the keys of a file, else by those of the Guardian that AGENTTRUST_URL names. Where a card says
    /// that its keys are is never asked.
    Verify {
        /// The id of the agent, agt_…
        #[arg(required_unless_present = "card", conflicts_with = "card")]
        agent: Option<String>,
        /// The file of a card, as JSON
        #[arg(long, value_name = "FILE")]
        card: Option<PathBuf>,
        /// The file of the keys that are trusted: a JSON Web Key Set, or one key in PEM
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
        #[command(flatten)]
        remote: Remote,
    },
    /// List the keys that cards are signed with, without an API key
    Keys {
        #[command(flatten)]
        remote: Remote,
    },
    /// Have cards signed by a new key, and list the keys that there are then
    RotateKey {
        /// For how long the former keys sign beside it, such as 1h or 7d; 0s ends them at once
        #[arg(long, value_name = "DURATION", value_parser = overlap)]
        overlap: Option<Duration>,
        #[command(flatten)]
        remote: Remote,
    },
}

/// The contents that are set of a card.
#[derive(Debug, Args)]
pub(super) struct Said {
    /// The purpose of the agent; empty for what is known without
    #[arg(long)]
    description: Option<String>,
    /// The version of the agent; empty for 1.0.0
    #[arg(long = "agent-version", value_name = "VERSION")]
    version: Option<String>,
    /// The address of the agent itself, such as https://agent.example/a2a, or JSONRPC/0.3=https://…, or
    /// HTTP+JSON=https://…; may be given several times, the preferred one first. Only the Guardian sees it
    #[arg(long = "interface", value_name = "[BINDING[/VERSION]=]URL", value_parser = interface)]
    interfaces: Vec<CardInterface>,
    /// The agent is reached nowhere, and fetches its tasks from its inbox
    #[arg(long, conflicts_with = "interfaces")]
    no_interfaces: bool,
    /// A media type that the agent reads, such as text/plain; may be given several times
    #[arg(long = "input-mode", value_name = "TYPE")]
    input_modes: Vec<String>,
    /// A media type that it writes; may be given several times
    #[arg(long = "output-mode", value_name = "TYPE")]
    output_modes: Vec<String>,
    /// The address of the agent's documentation; empty for none
    #[arg(long, value_name = "URL")]
    documentation_url: Option<String>,
    /// A picture of it; empty for none
    #[arg(long, value_name = "URL")]
    icon_url: Option<String>,
}

fn overlap(text: &str) -> Result<Duration, String> {
    if text == "0s" {
        return Ok(Duration::ZERO);
    }
    let parsed = duration::parse(text, &duration::UNITS, OVERLAP_MOST);
    parsed.ok_or_else(|| "write it as 0s, 30m, 2h or 7d; 30d is the most".to_owned())
}

/// Reads `[BINDING[/VERSION]=]URL`. What stands before the first `=` is a binding only where it is no part of a URL.
fn interface(text: &str) -> Result<CardInterface, String> {
    let (how, url) = match text.split_once('=') {
        Some((how, url)) if !how.contains(':') => (Some(how), url),
        _ => (None, text),
    };
    if !url.contains("://") {
        return Err("it is no absolute URL; write it as in https://agent.example/a2a".to_owned());
    }
    let mut interface = CardInterface::new(url);
    if let Some(how) = how {
        let (binding, version) = match how.split_once('/') {
            Some((binding, version)) => (binding, Some(version)),
            None => (how, None),
        };
        interface = interface
            .protocol_binding(binding.parse::<CardBinding>().map_err(|error| error.to_string())?);
        if let Some(version) = version {
            let version = version.parse::<CardVersion>().map_err(|error| error.to_string())?;
            interface = interface.protocol_version(version);
        }
    }
    Ok(interface)
}

impl Said {
    fn options(self) -> CardOptions {
        let mut options = CardOptions::default();
        let listed = |modes: Vec<String>| Some(modes).filter(|modes| !modes.is_empty());
        options.description = self.description;
        options.version = self.version;
        options.interfaces = match self.no_interfaces {
            true => Some(Vec::new()),
            false => Some(self.interfaces).filter(|interfaces| !interfaces.is_empty()),
        };
        options.default_input_modes = listed(self.input_modes);
        options.default_output_modes = listed(self.output_modes);
        options.documentation_url = self.documentation_url;
        options.icon_url = self.icon_url;
        options
    }
}

/// The members of the API, and the options that give them here.
const OPTIONS: [(&str, &str); 8] = [
    ("input_modes", "--input-mode"),
    ("output_modes", "--output-mode"),
    ("documentation_url", "--documentation-url"),
    ("icon_url", "--icon-url"),
    ("description", "--description"),
    ("version", "--agent-version"),
    ("interfaces", "--interface"),
    ("overlap", "--overlap"),
];

/// Says what the Guardian said, with the option that is meant.
fn failed(error: AgentTrustError) -> GuardianError {
    in_our_words(remote::failed(error), &OPTIONS)
}

impl Cards {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::Generate { agent, said, remote } => {
                let client = remote.client()?;
                let id = id_of(&client, &agent).await?;
                let options = said.options();
                let card = client.agent_cards().generate_with(&id, &options).await;
                show(&card.map_err(failed)?, &remote)?;
            }
            Self::Show { agent, remote } => {
                show_whole(&agent, &remote).await?;
            }
            Self::Publish { agent, remote } => {
                let client = remote.client()?;
                let id = id_of(&client, &agent).await?;
                let card = client.agent_cards().publish(&id).await.map_err(failed)?;
                match remote.json {
                    true => out::json(&card)?,
                    false => out::say(&out::harmless(&format!(
                        "{}/agent.json",
                        card.primary_url().unwrap_or_default()
                    )))?,
                }
            }
            Self::Withdraw { agent, remote } => {
                let client = remote.client()?;
                let id = id_of(&client, &agent).await?;
                client.agent_cards().withdraw(&id).await.map_err(failed)?;
                match remote.json {
                    true => {
                        out::json(&serde_json::json!({ "agent_id": id, "status": "withdrawn" }))?
                    }
                    false => out::say(&format!("the card of {id} is withdrawn"))?,
                }
            }
            Self::Public { agent, remote } => {
                let client = remote.client_without_key()?;
                show(&public(&client, &agent).await?, &remote)?;
            }
            Self::Verify { agent, card, keys, remote } => {
                verify(agent.as_deref(), card.as_deref(), keys.as_deref(), &remote).await?;
            }
            Self::Keys { remote } => {
                let client = remote.client_without_key()?;
                list(&client.agent_cards().signing_keys().await.map_err(failed)?, &remote)?;
            }
            Self::RotateKey { overlap, remote } => {
                let client = remote.client()?;
                let keys = client.agent_cards().rotate_key(overlap).await.map_err(failed)?;
                list(&keys, &remote)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the published card of an agent. Names are not published, so it is asked for by the id alone.
async fn public(client: &AgentTrustClient, id: &str) -> Result<AgentCard, GuardianError> {
    let card = client.agent_cards().get_public(id).await;
    card.map_err(|error| match error {
        AgentTrustError::NotFound { .. } if !id.starts_with(AGENT_PREFIX) => {
            GuardianError::Invalid(format!(
                "there is no published card of an agent of the id {:?}; say the id of the agent (agt_…), not its name",
                out::harmless(id)
            ))
        }
        other => failed(other),
    })
}

/// Shows a card, and what is known of it beside.
async fn show_whole(agent: &str, remote: &Remote) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let id = id_of(&client, agent).await?;
    let card = client.agent_cards().get(&id).await.map_err(failed)?;
    if remote.json {
        return out::json(&card);
    }
    let published = if is_published(&client, &id).await? { "yes" } else { "no" };
    let mut about = about(&card);
    about.push(("published", published.to_owned()));
    match client.agent_cards().options(&id).await {
        Ok(said) => about.push(("is itself at", itself_at(&said))),
        // For those who may generate it, and a Guardian of before does not tell.
        Err(AgentTrustError::Authorization { .. } | AgentTrustError::NotFound { .. }) => {}
        Err(other) => return Err(failed(other)),
    }
    out::facts(&about)
}

/// Returns where the agent itself is reached.
fn itself_at(said: &CardOptions) -> String {
    let interfaces = said.interfaces.iter().flatten().map(|it| {
        let how = [it.protocol_binding.as_str(), it.protocol_version.as_str()];
        format!("{} ({})", it.url, how.join(" "))
    });
    let all: Vec<String> = interfaces.collect();
    match all.is_empty() {
        true => "no address; its workers fetch from its inbox".to_owned(),
        false => all.join(", "),
    }
}

/// Returns whether the card of an agent is public.
async fn is_published(client: &AgentTrustClient, id: &str) -> Result<bool, GuardianError> {
    match client.agent_cards().get_public(id).await {
        Ok(_) => Ok(true),
        Err(AgentTrustError::NotFound { .. }) => Ok(false),
        Err(other) => Err(failed(other)),
    }
}

async fn verify(
    agent: Option<&str>,
    card: Option<&Path>,
    keys: Option<&Path>,
    remote: &Remote,
) -> Result<(), GuardianError> {
    let client = remote.client_without_key()?;
    let trusted = match keys {
        Some(path) => trusted(path)?,
        None => client.agent_cards().signing_keys().await.map_err(failed)?.trusted(),
    };
    let card: AgentCard = match (card, agent) {
        (Some(path), _) => serde_json::from_str(&text(path)?).map_err(|error| {
            GuardianError::Invalid(format!("{} holds no agent card: {error}", path.display()))
        })?,
        (None, agent) => public(&client, agent.unwrap_or_default()).await?,
    };
    let key = card.verify_signature(&trusted);
    let key = key.map_err(|error| GuardianError::Invalid(out::harmless(&error.to_string())))?;
    let kid = out::harmless(key.kid().unwrap_or("without an id"));
    match remote.json {
        true => {
            out::json(&serde_json::json!({ "name": card.name, "verified": true, "kid": key.kid() }))
        }
        false => out::say(&format!(
            "the card of {} is signed by the trusted key {kid}",
            out::harmless(&card.name)
        )),
    }
}

/// Returns the keys of a file, in either of its forms.
fn trusted(path: &Path) -> Result<Vec<TrustedKey>, GuardianError> {
    let text = text(path)?;
    if text.trim_start().starts_with("-----BEGIN") {
        let key = TrustedKey::from_pem(&text);
        return key.map(|key| vec![key]).map_err(|error| GuardianError::Invalid(error.to_string()));
    }
    let keys: CardKeys = serde_json::from_str(&text).map_err(|error| {
        GuardianError::Invalid(format!("{} holds no JSON Web Key Set: {error}", path.display()))
    })?;
    Ok(keys.trusted())
}

fn text(path: &Path) -> Result<String, GuardianError> {
    read_text_at_most(path, FILE_MOST).map_err(|error| {
        GuardianError::Invalid(format!("{} cannot be read: {error}", path.display()))
    })
}

fn show(card: &AgentCard, remote: &Remote) -> Result<(), GuardianError> {
    match remote.json {
        true => out::json(card),
        false => out::facts(&about(card)),
    }
}

/// Returns everything about a card that a person asks for, line by line.
fn about(card: &AgentCard) -> Vec<(&'static str, String)> {
    let skills: Vec<&str> = card.skills.iter().map(|skill| skill.name.as_str()).collect();
    let interfaces = card.supported_interfaces.iter().map(|interface| {
        let how = [interface.protocol_binding.as_str(), interface.protocol_version.as_str()];
        format!("{} ({})", interface.url, how.join(" "))
    });
    vec![
        ("name", card.name.clone()),
        ("description", card.description.clone()),
        ("version", card.version.clone()),
        ("reached at", interfaces.collect::<Vec<_>>().join(", ")),
        ("skills", skills.join(", ")),
        ("reads", card.default_input_modes.join(", ")),
        ("writes", card.default_output_modes.join(", ")),
        ("trust score", card.trust_score().map(|score| score.to_string()).unwrap_or_default()),
        ("documentation", card.documentation_url.clone().unwrap_or_default()),
        ("icon", card.icon_url.clone().unwrap_or_default()),
        ("signatures", card.signatures.len().to_string()),
    ]
}

fn list(keys: &CardKeys, remote: &Remote) -> Result<(), GuardianError> {
    if remote.json {
        return out::json(keys);
    }
    if keys.keys.is_empty() {
        return out::say("no key signs cards yet; the first card that is generated makes one");
    }
    let rows: Vec<_> = keys
        .keys
        .iter()
        .map(|key| {
            let ends = out::when_exactly(key.ends_at);
            [key.kid.clone().unwrap_or_default(), ends, key.x.clone()]
        })
        .collect();
    out::table(["KEY", "ENDS", "PUBLIC"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_is_a_url_and_how_it_is_spoken_to() {
        for (text, url, binding, version) in [
            (
                "https://a.example/x?a=b",
                "https://a.example/x?a=b",
                CardBinding::JsonRpc,
                CardVersion::V1,
            ),
            (
                "JSONRPC/0.3=https://a.example",
                "https://a.example",
                CardBinding::JsonRpc,
                CardVersion::V03,
            ),
            (
                "HTTP+JSON=https://a.example",
                "https://a.example",
                CardBinding::HttpJson,
                CardVersion::V1,
            ),
        ] {
            let read = interface(text).unwrap();
            assert_eq!(
                (&*read.url, read.protocol_binding, read.protocol_version),
                (url, binding, version)
            );
        }
        assert!(interface("a.example/a2a").unwrap_err().contains("https://agent.example/a2a"));
        assert!(interface("GRPC=https://a.example").unwrap_err().contains("JSONRPC or HTTP+JSON"));
        assert!(interface("JSONRPC/2.0=https://a.example").unwrap_err().contains("1.0 or 0.3"));
    }
}
