//! A provider's rules as a person writes them: one in an argument, or all of them in a file.

use std::path::{Path, PathBuf};

use agenttrust::AgentTrustClient;
use agenttrust::model::FederationRule;
use clap::Args;

use super::super::agents::id_of;
use crate::domain::GuardianError;
use crate::domain::file::read_text_at_most;

/// The advice how a rule is written, for those that are written otherwise.
const WRITTEN: &str = "write it as subject=NAME,claim:CLAIM=TEXT,agent=AGENT,scope=SCOPE, of which agent alone is needed";
/// A file of rules is no longer than this, in bytes.
const FILE_MOST: u64 = 1 << 20;

/// Rules, where they are said.
#[derive(Debug, Args)]
pub(in crate::cli) struct Rules {
    /// The rules which agent a token is, as in claim:groups=agents,agent=agt_…,scope=files:read. The first rule that
    /// fits decides. `subject=` is the token's `sub`, to the letter; `claim:NAME=` fits a claim that is this text, or
    /// a list with it in it; `claim:` and `scope=` may stand several times. May be given several times
    #[arg(long = "rule", value_name = "RULE", value_parser = rule)]
    rules: Vec<FederationRule>,
    /// The rules from a file, as `show --json` prints them: a JSON list of {"subject", "claims", "agent_id", "scopes"}.
    /// Needed where a value has a comma in it, or is no text
    #[arg(long = "rules", value_name = "FILE", conflicts_with = "rules")]
    file: Option<PathBuf>,
}

impl Rules {
    /// Returns the rules that were given, with the ids of the agents that were named; `None` without any.
    pub(super) async fn said(
        self,
        client: &AgentTrustClient,
    ) -> Result<Option<Vec<FederationRule>>, GuardianError> {
        let mut rules = match &self.file {
            Some(file) => of_file(file)?,
            None if self.rules.is_empty() => return Ok(None),
            None => self.rules,
        };
        for rule in &mut rules {
            named(client, rule).await?;
        }
        Ok(Some(rules))
    }
}

/// Puts the id of the agent into a rule that says its name.
pub(super) async fn named(
    client: &AgentTrustClient,
    rule: &mut FederationRule,
) -> Result<(), GuardianError> {
    rule.agent_id = id_of(client, &rule.agent_id).await?;
    Ok(())
}

fn of_file(file: &Path) -> Result<Vec<FederationRule>, GuardianError> {
    let shown = file.display();
    let text = read_text_at_most(file, FILE_MOST)
        .map_err(|error| GuardianError::Invalid(format!("{shown} cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| {
        GuardianError::Invalid(format!(
            "{shown} is no list of rules: {error}; write it as [{{\"claims\": {{\"groups\": \"agents\"}}, \
             \"agent_id\": \"agt_…\", \"scopes\": [\"files:read\"]}}]"
        ))
    })
}

/// Reads a rule as it is written in one argument.
pub(super) fn rule(text: &str) -> Result<FederationRule, String> {
    let mut rule = FederationRule::new("");
    for part in text.split(',') {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) if !value.is_empty() => (name, value),
            Some((name, _)) => return Err(format!("nothing comes after {name}=; {WRITTEN}")),
            None => {
                return Err(format!(
                    "{part:?} has no = in it; {WRITTEN}, and a value that has a comma in it in a file, with --rules"
                ));
            }
        };
        match name {
            "subject" if rule.subject.is_some() => return Err(twice(name)),
            "subject" => rule.subject = Some(value.to_owned()),
            "agent" if !rule.agent_id.is_empty() => return Err(twice(name)),
            "agent" => value.clone_into(&mut rule.agent_id),
            "scope" => rule.scopes.get_or_insert_default().push(value.to_owned()),
            _ => match name.strip_prefix("claim:") {
                Some("") => return Err(format!("no claim is named in claim:={value}; {WRITTEN}")),
                Some(claim) if rule.claims.contains_key(claim) => return Err(twice(name)),
                Some(claim) => rule = rule.claim(claim, value),
                None => return Err(format!("a rule has no {name:?}; {WRITTEN}")),
            },
        }
    }
    match rule.agent_id.is_empty() {
        true => Err(format!("it says no agent; {WRITTEN}")),
        false => Ok(rule),
    }
}

fn twice(name: &str) -> String {
    format!("{name} is said twice; a rule that is to fit either is two rules")
}

/// Returns a rule as [`rule`] reads it, for people.
pub(super) fn written(rule: &FederationRule) -> String {
    let text = |value: &serde_json::Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    let subject = rule.subject.iter().map(|subject| format!("subject={subject}"));
    let claims = rule.claims.iter().map(|(name, value)| format!("claim:{name}={}", text(value)));
    let agent = std::iter::once(format!("agent={}", rule.agent_id));
    let scopes = rule.scopes.iter().flatten().map(|scope| format!("scope={scope}"));
    subject.chain(claims).chain(agent).chain(scopes).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_is_read_as_it_is_shown() {
        for said in [
            "agent=agt_1",
            "subject=auth0|ada,agent=agt_1",
            "claim:groups=agents,agent=agt_1,scope=files:read,scope=files:list",
            "subject=a=b,claim:https://example.com/role=x=y,claim:team=blue,agent=desk bot",
        ] {
            assert_eq!(written(&rule(said).unwrap()), said);
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_how_one_is_written() {
        for (said, why) in [
            ("", "has no = in it"),
            ("subject=ada", "it says no agent"),
            ("agent=", "nothing comes after agent="),
            ("agent=a,agent=b", "agent is said twice"),
            ("subject=a,subject=b,agent=c", "subject is said twice"),
            ("claim:g=a,claim:g=b,agent=c", "claim:g is said twice"),
            ("claim:=a,agent=b", "no claim is named"),
            ("group=a,agent=b", "a rule has no \"group\""),
            ("subject=CN=Ada,O=Example,agent=c", "a rule has no \"O\""),
            ("subject=Ada, Countess,agent=c", "with --rules"),
        ] {
            let refused = rule(said).unwrap_err();
            assert!(refused.contains(why), "{said}: {refused}");
        }
    }
}
