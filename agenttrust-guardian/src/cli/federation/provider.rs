//! `agenttrust federation register|list|show|set|rule|remove`: the providers that are registered, and their rules.

use std::num::NonZeroUsize;

use agenttrust::AgentTrustClient;
use agenttrust::client::RegisterFederationProviderOptions;
use agenttrust::model::{
    FederationProvider, FederationRule, RegisterFederationProviderRequest, TrustLevel,
    UpdateFederationProviderRequest,
};
use clap::{Args, Subcommand};
use serde_json::json;

use super::super::out;
use super::super::remote::Remote;
use super::failed;
use super::rule::{self, Rules};
use crate::domain::GuardianError;

/// The begin of the id of a provider.
const PROVIDER_PREFIX: &str = "fedp_";

/// A provider that is to be registered.
#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// Its issuer, to the letter as its tokens name it (`iss`): https, at a public address, unless the Guardian was
    /// started with --allow-outbound. Its keys are found by /.well-known/openid-configuration below it
    issuer: String,
    /// A name for people
    #[arg(long)]
    name: String,
    /// The trust level of the provider: high, as far as the rule and the agent; medium, at least supervised; low,
    /// restricted to the scopes of the rule
    #[arg(long, value_name = "LEVEL", default_value = "medium")]
    trust_level: TrustLevel,
    /// The audiences that its tokens must have (`aud`); may be given several times. By default the first --public-url
    /// of the Guardian
    #[arg(long = "audience", value_name = "URL")]
    audiences: Vec<String>,
    #[command(flatten)]
    rules: Rules,
}

/// The arguments of an update of a provider.
#[derive(Debug, Args)]
pub(in crate::cli) struct ProviderUpdateArgs {
    /// The id of the provider, fedp_…, or its name
    provider: String,
    /// Give it this name
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Trust it so: low, medium or high
    #[arg(long, value_name = "LEVEL")]
    trust_level: Option<TrustLevel>,
    /// Take its tokens for these audiences alone; may be given several times
    #[arg(long = "audience", value_name = "URL")]
    audiences: Vec<String>,
    /// Take its tokens for the first --public-url of the Guardian
    #[arg(long, conflicts_with = "audiences")]
    no_audiences: bool,
    /// Take all its rules out: none of its tokens is an agent then
    #[arg(long, conflicts_with_all = ["rules", "file"])]
    no_rules: bool,
    #[command(flatten)]
    rules: Rules,
}

/// The arguments of `agenttrust federation rule`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RuleOf {
    /// Add a rule after those that are there, and list them all
    Add {
        /// The id of the provider, fedp_…, or its name
        provider: String,
        /// The rule, as in claim:groups=agents,agent=agt_…,scope=files:read
        #[arg(value_parser = rule::rule)]
        rule: FederationRule,
        /// Put it before the others, so that it decides where it fits
        #[arg(long)]
        first: bool,
        #[command(flatten)]
        remote: Remote,
    },
    /// Take a rule out, and list those that stay
    Remove {
        /// The id of the provider, fedp_…, or its name
        provider: String,
        /// Its number, as `agenttrust federation show` has it
        number: NonZeroUsize,
        #[command(flatten)]
        remote: Remote,
    },
}

impl New {
    pub(super) async fn register(self, remote: &Remote) -> Result<(), GuardianError> {
        let client = remote.client()?;
        let mut options = RegisterFederationProviderOptions::default();
        options.audiences = self.audiences;
        options.rules = self.rules.said(&client).await?.unwrap_or_default();
        let request = RegisterFederationProviderRequest {
            issuer: self.issuer,
            name: self.name,
            trust_level: Some(self.trust_level.to_string()),
        };
        let registered = client.federation().register_provider_with(&request, &options).await;
        let provider = registered.map_err(failed)?;
        if provider.rules.is_empty() && !remote.json {
            eprintln!(
                "note: none of its tokens is an agent yet; say which are: `agenttrust federation rule add {}`",
                out::harmless(&provider.id)
            );
        }
        match remote.json {
            true => out::json(&provider),
            false => out::say(&provider.id),
        }
    }
}

impl ProviderUpdateArgs {
    pub(super) async fn run(self, remote: &Remote) -> Result<(), GuardianError> {
        let client = remote.client()?;
        let mut change = UpdateFederationProviderRequest::default();
        change.name = self.name;
        change.trust_level = self.trust_level;
        change.audiences =
            Some(self.audiences).filter(|given| self.no_audiences || !given.is_empty());
        change.rules = match self.no_rules {
            true => Some(Vec::new()),
            false => self.rules.said(&client).await?,
        };
        if change == UpdateFederationProviderRequest::default() {
            return Err(GuardianError::Invalid(
                "nothing is to change; say --name, --trust-level, --audience, --rule or --rules"
                    .to_owned(),
            ));
        }
        let provider = find(&client, &self.provider).await?;
        tell(&update(&client, &provider, &change).await?, remote)
    }
}

impl RuleOf {
    pub(super) async fn run(self) -> Result<(), GuardianError> {
        match self {
            Self::Add { provider, mut rule, first, remote } => {
                let client = remote.client()?;
                rule::named(&client, &mut rule).await?;
                let provider = find(&client, &provider).await?;
                let mut rules = provider.rules.clone();
                rules.insert(if first { 0 } else { rules.len() }, rule);
                tell(&with_rules(&client, &provider, rules).await?, &remote)
            }
            Self::Remove { provider, number, remote } => {
                let client = remote.client()?;
                let provider = find(&client, &provider).await?;
                let mut rules = provider.rules.clone();
                if number.get() > rules.len() {
                    return Err(GuardianError::Invalid(format!(
                        "{} has no rule {number}, of {}; `agenttrust federation show` numbers them",
                        provider.id,
                        rules.len()
                    )));
                }
                rules.remove(number.get() - 1);
                tell(&with_rules(&client, &provider, rules).await?, &remote)
            }
        }
    }
}

async fn with_rules(
    client: &AgentTrustClient,
    provider: &FederationProvider,
    rules: Vec<FederationRule>,
) -> Result<FederationProvider, GuardianError> {
    let mut change = UpdateFederationProviderRequest::default();
    change.rules = Some(rules);
    update(client, provider, &change).await
}

async fn update(
    client: &AgentTrustClient,
    provider: &FederationProvider,
    change: &UpdateFederationProviderRequest,
) -> Result<FederationProvider, GuardianError> {
    client.federation().update_provider(&provider.id, change).await.map_err(failed)
}

pub(super) async fn list(remote: &Remote) -> Result<(), GuardianError> {
    let providers = remote.client()?.federation().list_providers().await.map_err(failed)?;
    if remote.json {
        return out::json(&providers);
    }
    if providers.is_empty() {
        return out::say(
            "no provider is registered; register one with `agenttrust federation register`",
        );
    }
    let row = |provider: &FederationProvider| {
        let rules = provider.rules.len().to_string();
        let level = provider.trust_level.to_string();
        [provider.id.clone(), provider.name.clone(), provider.issuer.clone(), level, rules]
    };
    let rows: Vec<_> = providers.iter().map(row).collect();
    out::table(["PROVIDER", "NAME", "ISSUER", "TRUST LEVEL", "RULES"], &rows)
}

/// Returns the provider that is meant: by its id, or by its name where only one has it.
async fn find(client: &AgentTrustClient, said: &str) -> Result<FederationProvider, GuardianError> {
    if said.starts_with(PROVIDER_PREFIX) {
        return client.federation().get_provider(said).await.map_err(failed);
    }
    let providers = client.federation().list_providers().await.map_err(failed)?;
    let mut named = providers.into_iter().filter(|provider| provider.name == said);
    let said = out::harmless(said);
    match (named.next(), named.next()) {
        (Some(provider), None) => Ok(provider),
        (Some(_), Some(_)) => Err(GuardianError::Invalid(format!(
            "several providers have the name {said:?}; give the id of one, as `agenttrust federation list` shows it"
        ))),
        (None, _) => Err(GuardianError::Invalid(format!(
            "there is no provider of the id or name {said:?}; `agenttrust federation list` shows those that are there"
        ))),
    }
}

pub(super) async fn show(said: &str, remote: &Remote) -> Result<(), GuardianError> {
    let client = remote.client()?;
    tell(&find(&client, said).await?, remote)
}

/// Prints everything about a provider.
fn tell(provider: &FederationProvider, remote: &Remote) -> Result<(), GuardianError> {
    if remote.json {
        return out::json(provider);
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let audiences = match provider.audiences.is_empty() {
        true => "the first --public-url of the Guardian".to_owned(),
        false => provider.audiences.join(", "),
    };
    let mut facts = vec![
        ("provider", provider.id.clone()),
        ("name", provider.name.clone()),
        ("issuer", provider.issuer.clone()),
        ("keys", provider.jwks_uri.clone()),
        ("authorization", text(&provider.authorization_endpoint)),
        ("tokens", text(&provider.token_endpoint)),
        ("trust level", provider.trust_level.to_string()),
        ("status", provider.status.clone()),
        ("audiences", audiences),
        ("registered", out::when_exactly(provider.created_at)),
        ("changed", out::when_exactly(provider.updated_at)),
    ];
    let rules = provider.rules.iter().enumerate();
    let rules = rules.map(|(index, rule)| {
        // Whatever is in it, a rule is one line.
        format!("{} {}", index + 1, out::harmless(&rule::written(rule)))
    });
    facts.push(("rules", rules.collect::<Vec<_>>().join("\n")));
    out::facts_and_texts(&facts, &["rules"])
}

pub(super) async fn remove(said: &str, remote: &Remote) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let provider = find(&client, said).await?;
    client.federation().delete_provider(&provider.id).await.map_err(failed)?;
    match remote.json {
        true => {
            out::json(&json!({ "id": provider.id, "name": provider.name, "status": "removed" }))
        }
        false => {
            out::say(&format!("{} ({}) is removed", provider.id, out::harmless(&provider.name)))
        }
    }
}
