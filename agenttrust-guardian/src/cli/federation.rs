//! `agenttrust federation`: identity providers of others, who of theirs is which agent, and what their tokens are
//! worth.

mod provider;
mod rule;
mod token;

use std::process::ExitCode;
use std::time::Duration;

use agenttrust::model::{FederatedIntrospection, Session};
use agenttrust::{AgentTrustError, IssueFederatedTokenRequest};
use clap::{Args, Subcommand};
use serde_json::json;

use self::token::Token;
use super::agents::id_of;
use super::out;
use super::remote::{self, Remote, in_our_words};
use crate::domain::{GuardianError, duration};

const EXAMPLES: &str = "\
Examples:
  agenttrust federation register https://login.partner.example --name partner \\
      --audience https://guardian.example --rule claim:groups=agents,agent=desk,scope=files:read
      A token of the group `agents` there is the agent `desk`, and may read.
  agenttrust federation test - < token.txt
      What a token would do, step by step.";

/// The longest life of a token.
const LIVES_MOST: Duration = Duration::from_secs(86_400);

/// The arguments of `agenttrust federation`.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum Federation {
    /// Register an OpenID provider, whose tokens are taken from then on, and print its id
    Register {
        #[command(flatten)]
        new: Box<provider::New>,
        #[command(flatten)]
        remote: Remote,
    },
    /// List the providers
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Show everything about a provider
    Show {
        /// The id of the provider, fedp_…, or its name
        provider: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Change a provider; what is not said stays as it is
    Set {
        #[command(flatten)]
        change: Box<provider::ProviderUpdateArgs>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Add a rule to a provider, or take one out
    #[command(subcommand)]
    Rule(provider::RuleOf),
    /// Remove a provider: its tokens are refused, and every session that came of them ends
    Remove {
        /// The id of the provider, fedp_…, or its name
        provider: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Tell step by step what a token would do, and why it would not: for operators, and nothing comes of it
    Test {
        #[command(flatten)]
        token: Token,
        #[command(flatten)]
        remote: Remote,
    },
    /// Tell what a token is worth, as its bearer may know it
    Verify {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        remote: Remote,
    },
    /// Open the session of a token and print its id, for AGENTTRUST_SESSION_ID
    ///
    /// Take it in two steps, SESSION=$(agenttrust federation init - < FILE) || exit, then export
    /// AGENTTRUST_SESSION_ID=$SESSION: an empty variable counts as unset, and the agent would act on its own.
    Init {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        remote: Remote,
    },
    /// Issue an opaque token of an agent, to be shown elsewhere, and print it, once
    Issue {
        #[command(flatten)]
        new: NewToken,
        #[command(flatten)]
        remote: Remote,
    },
    /// Revoke a token that was issued so
    Revoke {
        #[command(flatten)]
        token: Token,
        #[command(flatten)]
        remote: Remote,
    },
}

/// A token, and who is said to have issued it.
#[derive(Debug, Args)]
pub(super) struct Asked {
    #[command(flatten)]
    token: Token,
    /// Refuse the token where another one than this issued it
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

/// A token that is to be issued.
#[derive(Debug, Args)]
pub(super) struct NewToken {
    /// The agent that it is of: its id, or its name where only one has it
    #[arg(long, value_name = "AGENT")]
    agent: String,
    /// The audience of the token
    #[arg(long, value_name = "URL")]
    audience: Option<String>,
    /// The scopes of the token, such as files:read; may be given several times. Without any, all that the agent may do
    /// now
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The time that it lives, such as 30m or 2h
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = lifetime)]
    ttl: Duration,
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let parsed = duration::parse(text, &duration::UNITS, LIVES_MOST);
    parsed.ok_or_else(|| "write it as 90s, 30m or 2h; 24h is the most".to_owned())
}

/// The members of the API, and the options that give them here.
const OPTIONS: [(&str, &str); 7] = [
    ("trust_level", "--trust-level"),
    ("agent_id", "--agent"),
    ("issuer_hint", "--issuer"),
    ("audiences", "--audience"),
    ("audience", "--audience"),
    ("scopes", "--scope"),
    ("ttl", "--ttl"),
];

/// Says what the Guardian said, with the option that is meant.
fn failed(error: AgentTrustError) -> GuardianError {
    in_our_words(remote::failed(error), &OPTIONS)
}

impl Federation {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self {
            Self::Register { new, remote } => new.register(&remote).await?,
            Self::List { remote } => provider::list(&remote).await?,
            Self::Show { provider, remote } => provider::show(&provider, &remote).await?,
            Self::Set { change, remote } => change.run(&remote).await?,
            Self::Rule(rule) => rule.run().await?,
            Self::Remove { provider, remote } => provider::remove(&provider, &remote).await?,
            Self::Test { token, remote } => return test(token, &remote).await,
            Self::Verify { asked, remote } => return verify(asked, &remote).await,
            Self::Init { asked, remote } => init(asked, &remote).await?,
            Self::Issue { new, remote } => issue(new, &remote).await?,
            Self::Revoke { token, remote } => {
                let client = remote.client()?;
                client.federation().revoke_token(&token.read()?).await.map_err(failed)?;
                match remote.json {
                    true => out::json(&json!({ "status": "revoked" }))?,
                    false => out::say("the token is revoked")?,
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns whether it is good, as the program says it by its exit code.
fn code(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn test(token: Token, remote: &Remote) -> Result<ExitCode, GuardianError> {
    let client = remote.client()?;
    let asked = token.asked(None)?;
    let told = client.federation().test_token(&asked).await.map_err(failed)?;
    match remote.json {
        true => out::json(&told)?,
        false => {
            let rows = told.steps.iter().map(|step| {
                let good = if step.ok { "yes" } else { "no" };
                [step.step.clone(), good.to_owned(), step.says.clone()]
            });
            out::table(["STEP", "GOOD", "WHAT IS SAID OF IT"], &rows.collect::<Vec<_>>())?;
        }
    }
    Ok(code(told.ok))
}

async fn verify(asked: Asked, remote: &Remote) -> Result<ExitCode, GuardianError> {
    let client = remote.client()?;
    let asked = asked.token.asked(asked.issuer)?;
    let told = client.federation().verify_token(&asked).await.map_err(failed)?;
    match remote.json {
        true => out::json(&told)?,
        false => out::facts(&rows(&told))?,
    }
    Ok(code(told.valid))
}

/// Returns what a token is worth, line by line.
fn rows(told: &FederatedIntrospection) -> Vec<(&'static str, String)> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let agent = match (&told.agent_id, told.valid) {
        (Some(agent), _) => agent.clone(),
        (None, true) => "none: no rule of the provider fits".to_owned(),
        (None, false) => String::new(),
    };
    vec![
        ("valid", if told.valid { "yes" } else { "no" }.to_owned()),
        ("because", text(&told.error)),
        ("agent", agent),
        ("issuer", text(&told.issuer)),
        ("subject", text(&told.subject)),
        ("provider", text(&told.provider_id)),
        ("trust level", told.trust_level.map(|it| it.to_string()).unwrap_or_default()),
        ("scopes", told.scopes.join(", ")),
        ("ends", out::when_exactly(told.expires_at)),
    ]
}

async fn init(asked: Asked, remote: &Remote) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let asked = asked.token.asked(asked.issuer)?;
    let session: Session = client.federation().init_session(&asked).await.map_err(failed)?;
    match remote.json {
        true => out::json(&session),
        false => out::say(&session.session_id),
    }
}

async fn issue(new: NewToken, remote: &Remote) -> Result<(), GuardianError> {
    let client = remote.client()?;
    let agent = id_of(&client, &new.agent).await?;
    let wanted = IssueFederatedTokenRequest {
        audience: new.audience,
        scopes: new.scopes,
        ttl: Some(new.ttl.as_secs()),
    };
    let issued = client.federation().issue_token(&agent, &wanted).await.map_err(failed)?;
    match remote.json {
        // `Debug` and what is kept hide it; whoever asked for it sees it once.
        true => out::json_once(&json!({
            "token": issued.id_token, "expires_in": issued.expires_in, "agent_id": agent,
        })),
        false => out::say(&issued.id_token),
    }
}
