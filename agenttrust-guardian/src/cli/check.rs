//! `agenttrust check`: whether an agent may call a tool, asked as a guard asks it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use agenttrust::client::CheckOptions;
use agenttrust::guard::digest;
use agenttrust::internal::hex;
use agenttrust::model::CheckResult;
use agenttrust::{ActionCheckRequest, AgentTrustError, Effect};
use clap::Args;
use serde_json::Value;

use super::agents::id_of;
use super::remote::{self, Remote, in_our_words};
use super::{given, out};
use crate::domain::GuardianError;

/// The exit code where there is no decision.
const NOT_DECIDED: u8 = 2;
/// The most that is read of an input, in bytes.
const INPUT_MOST: u64 = 16 << 20;
/// The environment variable of a guard's binding key.
const BINDING_KEY: &str = "AGENTTRUST_BINDING_KEY";

/// The arguments of `agenttrust check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The agent that would call it: its id, agt_…, or its name where only one has it
    agent: String,
    /// The tool that it would call
    tool: String,
    /// The effect of the call: read, mutating, destructive or admin. It counts where it is more than the Guardian
    /// knows, and never makes it less
    #[arg(long, value_name = "EFFECT")]
    effect: Option<Effect>,
    /// A scope that the tool declares, such as files:read; may be given several times
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The session that it would call it in
    #[arg(long, value_name = "ID", env = "AGENTTRUST_SESSION_ID")]
    session: Option<String>,
    /// The input of the call, a file of JSON; - reads it from standard input. Its digest is sent, and nothing else of it:
    /// made with the key AGENTTRUST_BINDING_KEY, which a guard takes too
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

/// The members of the API, and the options that give them here.
const OPTIONS: [(&str, &str); 5] = [
    ("AgentTrust-Scopes", "--scope"),
    ("action_effect", "--effect"),
    ("session_id", "--session"),
    ("action_name", "the tool"),
    ("action_input_summary", "the summary of the input"),
];

/// Says what the Guardian said, with the option that is meant.
fn failed(error: AgentTrustError) -> GuardianError {
    in_our_words(remote::failed(error), &OPTIONS)
}

impl Check {
    pub(super) async fn run(self) -> Result<ExitCode, GuardianError> {
        match self.ask().await {
            Ok(true) => Ok(ExitCode::SUCCESS),
            Ok(false) => Ok(ExitCode::FAILURE),
            Err(error) => {
                super::failed(&error.to_string());
                Ok(ExitCode::from(NOT_DECIDED))
            }
        }
    }

    /// Asks, and says whether it may be called.
    async fn ask(&self) -> Result<bool, GuardianError> {
        let client = self.remote.client()?;
        let mut request = ActionCheckRequest {
            agent_id: id_of(&client, &self.agent).await?,
            tool_name: self.tool.clone(),
            session_id: self.session.clone().unwrap_or_default(),
            action_effect: self.effect.map(|effect| effect.to_string()),
            ..Default::default()
        };
        let mut options = CheckOptions::default().scopes(&self.scopes);
        let key = binding_key()?;
        if let Some(file) = &self.input {
            let input = input(file)?;
            request.tool_input_summary = format!("[{} chars]", input.to_string().chars().count());
            let key = key.map_or_else(made_up, Ok)?;
            let commitment = digest::commit(&key, &input).map_err(failed)?;
            options = options.input_digest(commitment.digest).key_id(digest::key_id(&key));
        }
        let answer = client.actions().check_with(&request, &options).await.map_err(failed)?;
        let result = answer.result;
        if answer.retry_after.is_some() {
            let why = result.reason.unwrap_or_else(|| "not decided; ask again".to_owned());
            return Err(GuardianError::Unavailable(out::harmless(&why)));
        }
        match self.remote.json {
            true => out::json(&result)?,
            false => out::facts(&about(&result))?,
        }
        if is_held(&result) && self.input.is_some() && key.is_none() {
            eprintln!(
                "note: an approval of this serves no other call, because the key of the digest was made up for it; set \
                 {BINDING_KEY} to that of the guard"
            );
        }
        Ok(result.allowed)
    }
}

fn is_held(result: &CheckResult) -> bool {
    !result.allowed && result.elevation_required == Some(true)
}

/// Returns the decision and why, line by line.
fn about(result: &CheckResult) -> Vec<(&'static str, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let decision = match (result.allowed, is_held(result)) {
        (true, _) => "allowed",
        (false, true) => "held",
        (false, false) => "denied",
    };
    let approval = text(&result.approval_id);
    let decide = match is_held(result) && !approval.is_empty() {
        true => format!("agenttrust approvals approve {approval}"),
        false => String::new(),
    };
    vec![
        ("decision", decision.to_owned()),
        ("because", text(&result.reason)),
        ("effect", result.action_effect.map(|effect| effect.to_string()).unwrap_or_default()),
        ("approval", approval),
        ("to approve", decide),
        ("check", text(&result.check_id)),
    ]
}

fn input(file: &Path) -> Result<Value, GuardianError> {
    let text = given::text(file, INPUT_MOST)?;
    serde_json::from_str(&text).map_err(|error| {
        GuardianError::Invalid(format!("the input is not JSON: {error}; write a text in quotes"))
    })
}

/// Returns the key of the digest, where the environment says it.
fn binding_key() -> Result<Option<[u8; 32]>, GuardianError> {
    let said = env::var_os(BINDING_KEY).filter(|key| !key.is_empty());
    let key = said.map(|key| key.to_str().and_then(hex::decode).ok_or(()));
    key.transpose().map_err(|()| {
        GuardianError::Invalid(format!(
            "{BINDING_KEY} is not 64 hexadecimal digits; make one with `openssl rand -hex 32`"
        ))
    })
}

fn made_up() -> Result<[u8; 32], GuardianError> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)?;
    Ok(key)
}
