//! A Guardian that is served somewhere: where it is and with which key it is asked, which the environment says.

use std::env;
use std::ffi::OsString;
use std::fmt;

use agenttrust::{AgentTrustClient, AgentTrustError, TransportErrorKind};
use clap::Args;
use reqwest::Url;

use crate::domain::GuardianError;

/// The arguments of every command that asks a served Guardian.
#[derive(Args)]
pub(super) struct Remote {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Taken so that it can be refused with the reason.
    #[arg(long, hide = true, num_args = 0..=1, value_name = "KEY")]
    api_key: Option<Option<String>>,
}

// A key that was given all the same is one.
impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("json", &self.json).finish_non_exhaustive()
    }
}

impl Remote {
    /// Refuses an API key among the arguments.
    pub(super) fn refuse_key_in_arguments(&self) -> Result<(), GuardianError> {
        let is_key = |word: OsString| word.to_str().is_some_and(|word| word.starts_with("sk_"));
        if self.api_key.is_some() || env::args_os().any(is_key) {
            return Err(GuardianError::Invalid(
                "an API key in an argument can be read by everybody on this machine and stays in the \
                 shell's history; set AGENTTRUST_API_KEY instead, and rotate this key"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// Connects to the Guardian that `AGENTTRUST_URL` names, with the key `AGENTTRUST_API_KEY`.
    pub(super) fn client(&self) -> Result<AgentTrustClient, GuardianError> {
        self.refuse_key_in_arguments()?;
        if env::var_os("AGENTTRUST_API_KEY").is_none_or(|key| key.is_empty()) {
            return Err(GuardianError::Invalid(
                "there is no API key; set AGENTTRUST_API_KEY to one of the role operator or admin, and \
                 AGENTTRUST_URL to where the Guardian is served"
                    .to_owned(),
            ));
        }
        AgentTrustClient::from_env().map_err(failed)
    }

    /// Connects to it for what is public, with a key or without.
    pub(super) fn client_without_key(&self) -> Result<AgentTrustClient, GuardianError> {
        self.refuse_key_in_arguments()?;
        AgentTrustClient::from_env().map_err(failed)
    }
}

/// Returns what the Guardian says of its API, with the option that is meant here: of each pair, its word and ours. A
/// word of every day is the name of a member at the beginning alone.
pub(super) fn in_our_words(error: GuardianError, words: &[(&str, &str)]) -> GuardianError {
    let GuardianError::Invalid(said) = error else { return error };
    let said = words.iter().fold(said, |said, (theirs, ours)| in_ours(&said, theirs, ours));
    GuardianError::Invalid(said)
}

fn in_ours(said: &str, theirs: &str, ours: &str) -> String {
    let is_of_every_day = theirs.bytes().all(|byte| byte.is_ascii_lowercase());
    if is_of_every_day {
        return match said.strip_prefix(theirs) {
            Some(rest) if rest.starts_with([' ', ':', '[']) => {
                format!("{ours}{}", unnumbered(rest))
            }
            _ => said.to_owned(),
        };
    }
    let mut parts = said.split(theirs);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |said, rest| said + ours + unnumbered(rest))
}

/// Leaves out which of several it is: what is wrong with it says that.
fn unnumbered(rest: &str) -> &str {
    match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => rest,
    }
}

/// Returns where the Guardian is asked, without what may be secret, and what says so.
fn address() -> String {
    let set = |name| env::var(name).ok().filter(|value| !value.is_empty()).map(|url| (name, url));
    let Some((name, url)) = set("AGENTTRUST_URL").or_else(|| set("AGENTTRUST_BASE_URL")) else {
        return "at http://localhost:8080 (AGENTTRUST_URL names another address)".to_owned();
    };
    let origin = Url::parse(&url).map(|url| url.origin().ascii_serialization());
    match origin {
        Ok(origin) => super::out::harmless(&format!("at {origin}, as {name} says")),
        Err(_) => format!("at the address that {name} says"),
    }
}

/// Says what the Guardian said.
pub(super) fn failed(error: AgentTrustError) -> GuardianError {
    let why = super::out::harmless(&error.to_string());
    match error {
        AgentTrustError::Network(error) if error.kind() == TransportErrorKind::Exhausted => {
            GuardianError::Unavailable(why)
        }
        AgentTrustError::Network(_) => {
            GuardianError::Unavailable(format!("{why}; see that the Guardian runs {}", address()))
        }
        AgentTrustError::Json(_) => {
            GuardianError::Invalid(format!("{why}; see that a Guardian answers {}", address()))
        }
        // The word of something that is no Guardian, or of one before it.
        _ if why.contains("see that this is the address of a Guardian") => {
            GuardianError::Invalid(format!("{why}; it was asked {}", address()))
        }
        // Of a token that was sent along, or its proof, the Guardian says what is wrong.
        AgentTrustError::Authentication { message, .. }
            if !["token", "proof"].iter().any(|sent| message.contains(sent)) =>
        {
            GuardianError::Invalid(format!("{why}; see AGENTTRUST_API_KEY"))
        }
        _ => GuardianError::Invalid(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_is_said_as_the_option_that_gives_it_and_no_word_of_every_day_within_a_sentence() {
        let words = [
            ("to_agent_id", "--to"),
            ("from_agent_id", "--from"),
            ("scope", "--scope"),
            ("restrictions.tools", "--tool"),
        ];
        for (theirs, ours) in [
            ("scope is empty", "--scope is empty"),
            ("scope[2]: a capability has no name", "--scope: a capability has no name"),
            ("scopes are many, of one scope", "scopes are many, of one scope"),
            ("to_agent_id is from_agent_id", "--to is --from"),
            ("restrictions.tools[0] is empty", "--tool is empty"),
            ("the rule \"x[a]\" of scope[1]", "the rule \"x[a]\" of scope[1]"),
        ] {
            let said = in_our_words(GuardianError::Invalid(theirs.to_owned()), &words);
            assert_eq!(said.to_string(), ours);
        }
    }
}
