//! The trial of a token, step by step and each with its reason, for admins that set federation up. It changes nothing.

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

/// The report of a test of a token, up to the first step that failed.
#[derive(Debug, Default)]
struct StepReport(FederationTest);

/// The step that failed is among those that were found.
#[derive(Debug)]
struct Failed;

impl StepReport {
    fn good(&mut self, step: &'static str, says: impl Into<String>) {
        self.0.steps.push(FederationTestStep::new(step, true, says));
    }

    /// Returns what came of a step, or that it failed and why.
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
    let mut report = StepReport::default();
    let done = match token.starts_with(TOKEN_PREFIX) {
        true => of_ours(engine, reach, token, &mut report),
        false => of_others(engine, &key.org_id, (token, issuer_hint), &mut report).await,
    };
    let mut report = report.0;
    report.ok = done.is_ok();
    let last = report.steps.last().map(|step| step.step.clone());
    engine.refused("federation.tested", key, || json!({ "ok": report.ok, "last_step": last }));
    report
}

async fn of_others(
    engine: &Engine,
    org_id: &str,
    (token, issuer_hint): (&str, Option<&str>),
    report: &mut StepReport,
) -> Result<(), Failed> {
    let unverified = report.need("token", read(token), NotVerified::to_string)?;
    report.good("token", described(&unverified));
    let provider = provider_of(engine, org_id, &unverified, issuer_hint);
    let provider = report.need("provider", provider, NotVerified::to_string)?;
    report.good("provider", of_provider(&provider));
    let audiences = audiences_of(engine, &provider, Audiences::OfProvider);
    let audiences = report.need("audience", audiences, ToString::to_string)?;
    report.good("audience", format!("the token must be for one of {}", spelt(&audiences)));
    let keys = keys_of(engine, &provider, &unverified).await;
    let keys = report.need("keys", keys, NotVerified::to_string)?;
    report.good("keys", of_keys(&keys, &provider));
    let held = held(engine, &provider, keys, (&unverified, Audiences::OfProvider)).await;
    let held = report.need("claims", held, NotVerified::to_string)?;
    report.good("claims", told(&held.1.all));
    let verified = Verified::new(held, token);
    let terms = planned(engine, &verified, engine.clock.now());
    let step = if verified.agent_id.is_some() { "agent" } else { "rule" };
    let terms = report.need(step, terms, |error: &Error| error.message().to_owned())?;
    of_session(report, &terms);
    Ok(())
}

fn of_session(report: &mut StepReport, terms: &Terms) {
    let agent = &terms.agent.agent;
    report.good("rule", format!("rule {} makes it agent {:?}", terms.rule + 1, agent.id));
    report.good("agent", format!("agent {:?} is active", agent.name));
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
    report.good("session", trusted);
    let test = &mut report.0;
    test.agent_id = Some(agent.id.clone());
    test.mode = Some(mode);
    test.scope_ceiling.clone_from(&terms.ceiling);
    test.expires_at = Some(ends);
}

fn of_ours(
    engine: &Engine,
    reach: Reach<'_>,
    token: &str,
    report: &mut StepReport,
) -> Result<(), Failed> {
    let introspected = tokens::introspect_anywhere(engine, reach, token);
    let introspected = report.need("token", introspected, ToString::to_string)?;
    let row = &introspected.token.row;
    report.good("token", format!("federation token {:?} of this organisation works", row.id));
    let audience = match row.audience.is_empty() {
        true => "anywhere".to_owned(),
        false => format!("at {}", spelt(&row.audience)),
    };
    report.good("audience", format!("it may be used {audience}"));
    report.good("agent", format!("it speaks for agent {:?}", row.agent_id));
    let (carried, scopes) = (introspected.scopes.len(), row.scopes.len());
    let says = format!("it carries {}, {carried} of its {scopes}", spelt(&introspected.scopes));
    report.good("scopes", says);
    let test = &mut report.0;
    test.agent_id = Some(row.agent_id.clone());
    test.scope_ceiling = Some(introspected.scopes);
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

/// Returns the well-known claims with their values, and of the others the names.
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
