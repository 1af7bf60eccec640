//! What a token would do, step by step and each with its reason: for those who set federation up. Nothing comes of it.

use std::sync::Arc;

use agenttrust::model::{FederationTest, FederationTestStep};
use serde_json::{Value, json};

use super::cut;
use super::sessions::{Terms, planned};
use super::tokens::{self, TOKEN_PREFIX};
use super::verify::{
    Audiences, NotVerified, Verified, audiences_of, held, keys_of, provider_of, read,
};
use crate::domain::names::spelt;
use crate::domain::{Error, Key, Reach};
use crate::engine::Engine;
use crate::jose::{KeySet, Unverified};
use crate::registry::ProviderEntry;

/// The claims that are told, beside those that a rule looks at.
const CLAIMS: [&str; 10] =
    ["iss", "sub", "aud", "exp", "nbf", "iat", "azp", "client_id", "scope", "scp"];

/// What was found, up to the first step that failed.
#[derive(Debug, Default)]
struct Found(FederationTest);

/// The step that failed is among those that were found.
#[derive(Debug)]
struct Failed;

impl Found {
    fn good(&mut self, step: &'static str, says: impl Into<String>) {
        self.0.steps.push(FederationTestStep::new(step, true, says));
    }

    /// What came of a step, or that it failed and why.
    fn need<T, E>(
        &mut self,
        step: &'static str,
        came: Result<T, E>,
        why: impl FnOnce(&E) -> String,
    ) -> Result<T, Failed> {
        came.map_err(|error| {
            self.0.steps.push(FederationTestStep::new(step, false, why(&error)));
            Failed
        })
    }
}

/// Tells what a token would do for a caller of this reach. The audit is told that it was asked, within bounds.
pub(crate) async fn test(
    engine: &Engine,
    key: &Key,
    reach: Reach<'_>,
    (token, issuer_hint): (&str, Option<&str>),
) -> FederationTest {
    let mut found = Found::default();
    let done = match token.starts_with(TOKEN_PREFIX) {
        true => of_ours(engine, reach, token, &mut found),
        false => of_others(engine, &key.org_id, (token, issuer_hint), &mut found).await,
    };
    let mut found = found.0;
    found.ok = done.is_ok();
    let last = found.steps.last().map(|step| step.step.clone());
    engine.refused("federation.tested", key, || json!({ "ok": found.ok, "last_step": last }));
    found
}

async fn of_others(
    engine: &Engine,
    org_id: &str,
    (token, issuer_hint): (&str, Option<&str>),
    found: &mut Found,
) -> Result<(), Failed> {
    let unverified = found.need("token", read(token), NotVerified::to_string)?;
    found.good("token", described(&unverified));
    let provider = provider_of(engine, org_id, &unverified, issuer_hint);
    let provider = found.need("provider", provider, NotVerified::to_string)?;
    found.good("provider", of_provider(&provider));
    let audiences = audiences_of(engine, &provider, Audiences::OfProvider);
    let audiences = found.need("audience", audiences, ToString::to_string)?;
    found.good("audience", format!("the token must be for one of {}", spelt(&audiences)));
    let keys = keys_of(engine, &provider, &unverified).await;
    let keys = found.need("keys", keys, NotVerified::to_string)?;
    found.good("keys", of_keys(&keys, &provider));
    let held = held(engine, &provider, keys, (&unverified, Audiences::OfProvider)).await;
    let held = found.need("claims", held, NotVerified::to_string)?;
    found.good("claims", told(&held.1.all));
    let verified = Verified::new(held, token);
    let terms = planned(engine, &verified, engine.clock.now());
    let step = if verified.agent_id.is_some() { "agent" } else { "rule" };
    let terms = found.need(step, terms, |error: &Error| error.message().to_owned())?;
    of_session(found, &terms);
    Ok(())
}

fn of_session(found: &mut Found, terms: &Terms) {
    let agent = &terms.agent.agent;
    found.good("rule", format!("rule {} makes it agent {:?}", terms.rule + 1, agent.id));
    found.good("agent", format!("agent {:?} is active", agent.name));
    let ceiling = match &terms.ceiling {
        None => "all that the agent may".to_owned(),
        Some(names) if names.is_empty() => {
            "nothing, since no scope of the token is in the rule".to_owned()
        }
        Some(names) => spelt(names),
    };
    let level = terms.provider.row.vouching.trust_level;
    let (mode, ends) = (terms.mode, terms.expires_at);
    let trusted = format!("trust level {level}: {mode}, reaches {ceiling}, ends at {ends}");
    found.good("session", trusted);
    let test = &mut found.0;
    test.agent_id = Some(agent.id.clone());
    test.mode = Some(mode);
    test.scope_ceiling.clone_from(&terms.ceiling);
    test.expires_at = Some(ends);
}

fn of_ours(
    engine: &Engine,
    reach: Reach<'_>,
    token: &str,
    found: &mut Found,
) -> Result<(), Failed> {
    let worth = tokens::worth_anywhere(engine, reach, token);
    let worth = found.need("token", worth, ToString::to_string)?;
    let row = &worth.token.row;
    found.good("token", format!("federation token {:?} of this organisation works", row.id));
    let audience = match row.audience.is_empty() {
        true => "anywhere".to_owned(),
        false => format!("at {}", spelt(&row.audience)),
    };
    found.good("audience", format!("it may be used {audience}"));
    found.good("agent", format!("it speaks for agent {:?}", row.agent_id));
    let (carried, scopes) = (worth.scopes.len(), row.scopes.len());
    let says = format!("it carries {}, {carried} of its {scopes}", spelt(&worth.scopes));
    found.good("scopes", says);
    let test = &mut found.0;
    test.agent_id = Some(row.agent_id.clone());
    test.scope_ceiling = Some(worth.scopes);
    test.expires_at = Some(row.expires_at);
    Ok(())
}

fn described(token: &Unverified<'_>) -> String {
    match token.kid() {
        Some(kid) => format!("a signed token of issuer {:?}, key {kid:?}", cut(token.issuer())),
        None => format!("a signed token of issuer {:?}, which names no key", cut(token.issuer())),
    }
}

fn of_provider(provider: &ProviderEntry) -> String {
    let row = &provider.row;
    format!("provider {:?}, {:?}, trusted {}", row.id, row.vouching.name, row.vouching.trust_level)
}

fn of_keys(keys: &Arc<KeySet>, provider: &ProviderEntry) -> String {
    let at = cut(&provider.row.jwks_uri);
    match keys.unusable() {
        [] => format!("the keys at {at} are known, and all of them are used"),
        left_out => format!("the keys at {at} are known; not used: {}", cut(&left_out.join("; "))),
    }
}

/// The claims that matter to everyone.
fn told(claims: &serde_json::Map<String, Value>) -> String {
    let said = CLAIMS.into_iter().filter_map(|name| {
        let value = claims.get(name)?;
        Some(format!("{name} {}", cut(&value.to_string())))
    });
    let others = claims.keys().filter(|name| !CLAIMS.contains(&name.as_str()));
    let others: Vec<&str> = others.map(String::as_str).collect();
    let said = said.collect::<Vec<_>>().join(", ");
    match others.is_empty() {
        true => format!("the signature is right: {said}"),
        false => format!("the signature is right: {said}; beside these: {}", spelt(&others)),
    }
}
