//! What the card of an agent says.
//!
//! Nothing in it is empty: those who verify a card do not agree on whether an empty member was signed.

use agenttrust::model::{
    ATI_TRUST_EXTENSION_URI, Agent, AgentCapabilities, AgentCard, AgentCardSkill, AgentExtension,
    AgentInterface, AgentProvider, CardKey, CardOptions, CardVersion, SecurityScheme,
};
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey;
use serde_json::{Map, Value, json};

use super::Base;

/// The path below which agents are, for other agents.
pub(crate) const PATH: &str = "/a2a/agents/";
/// The version of an agent of which nothing else is said.
const VERSION: &str = "1.0.0";
/// The media types of an agent of which nothing else is said.
const MODES: [&str; 2] = ["text/plain", "application/json"];
/// The tier that decides about the calls of an agent.
const TIER: &str = "fast";
/// The number of known outcomes below which they say nothing.
const OUTCOMES_LEAST: i64 = 10;
/// The description of the trust extension: the formula belongs to the number.
const TRUST: &str = "How far the Guardian of this agent trusts it. ati_trust_score is \
    100 × (verified successes + 1) / (verified outcomes + 2) over the 30 days before this card was generated, rounded \
    to two decimals; it is absent under 10 verified outcomes. ati_agent_key is the agent's own public key, which does \
    not sign this card.";

/// The facts that a card is made from.
#[derive(Debug)]
pub(crate) struct CardFacts<'a> {
    pub(crate) agent: &'a Agent,
    pub(crate) options: &'a CardOptions,
    /// The skills of the agent.
    pub(crate) skills: Vec<AgentCardSkill>,
    pub(crate) trust_score: Option<f64>,
    /// The address under which the Guardian is reached.
    pub(crate) base: &'a Base,
}

/// Returns the trust score, 0 to 100, of so many outcomes of which so many are good; `None` where that says too little.
pub(crate) fn trust_score(good: i64, all: i64) -> Option<f64> {
    if all < OUTCOMES_LEAST {
        return None;
    }
    // Exact for more outcomes than there could be.
    let score = 100.0 * (good as f64 + 1.0) / (all as f64 + 2.0);
    Some((score * 100.0).round() / 100.0)
}

/// Returns the card of an agent, not yet signed.
pub(crate) fn card(facts: CardFacts<'_>) -> AgentCard {
    let CardFacts { agent, options, skills, trust_score, base } = facts;
    let mut card = AgentCard::default();
    card.name.clone_from(&agent.name);
    card.description = options.description.clone().unwrap_or_else(|| description(agent));
    card.version = options.version.clone().unwrap_or_else(|| VERSION.to_owned());
    let address = base.below(PATH, &agent.id);
    card.supported_interfaces = [CardVersion::V1, CardVersion::V03]
        .map(|version| AgentInterface::new(&address, "JSONRPC", version.as_str()))
        .into();
    let mut provider = AgentProvider::default();
    provider.organization.clone_from(&agent.org_id);
    provider.url.clone_from(&base.0);
    card.provider = Some(provider);
    card.capabilities = capabilities(agent, trust_score);
    for (name, member, scheme) in schemes() {
        let mut kept = SecurityScheme::default();
        kept.other.insert(member.to_owned(), scheme);
        card.security_schemes.insert(name.to_owned(), kept);
        // The word is the role of the key: an empty list is no list to some who verify.
        card.security_requirements.push(json!({ "schemes": { name: { "list": ["agent"] } } }));
    }
    let modes = || MODES.map(str::to_owned).to_vec();
    card.default_input_modes = options.default_input_modes.clone().unwrap_or_else(modes);
    card.default_output_modes = options.default_output_modes.clone().unwrap_or_else(modes);
    card.skills = if skills.is_empty() { vec![messages()] } else { skills };
    card.documentation_url.clone_from(&options.documentation_url);
    card.icon_url.clone_from(&options.icon_url);
    card
}

/// Returns what an agent is for, of which nothing else is said.
fn description(agent: &Agent) -> String {
    let said = agent.metadata.get("description").and_then(Value::as_str);
    let said = said.filter(|text| !text.trim().is_empty() && text.len() <= 2_000);
    said.map_or_else(|| format!("The agent {} behind AgentTrust", agent.name), str::to_owned)
}

fn capabilities(agent: &Agent, trust_score: Option<f64>) -> AgentCapabilities {
    let mut params = Map::new();
    if let Some(score) = trust_score {
        params.insert("ati_trust_score".to_owned(), score.into());
    }
    params.insert("ati_guardian_tier".to_owned(), TIER.into());
    if let Ok(key) = VerifyingKey::from_public_key_pem(&agent.public_key) {
        let CardKey { kty, crv, x, .. } = CardKey::ed25519(&key.to_bytes());
        params.insert("ati_agent_key".to_owned(), json!({ "kty": kty, "crv": crv, "x": x }));
    }
    let mut trust = AgentExtension::default();
    ATI_TRUST_EXTENSION_URI.clone_into(&mut trust.uri);
    trust.description = Some(TRUST.to_owned());
    trust.params = Some(params);
    let mut capabilities = AgentCapabilities::default();
    capabilities.streaming = Some(true);
    capabilities.push_notifications = Some(true);
    capabilities.extensions = vec![trust];
    capabilities
}

/// Returns how a caller may prove who it is: each by its name, the member that A2A has for it and what that says.
fn schemes() -> [(&'static str, &'static str, Value); 2] {
    [
        ("apiKey", "apiKeySecurityScheme", json!({ "location": "header", "name": "X-API-Key" })),
        ("bearer", "httpAuthSecurityScheme", json!({ "scheme": "Bearer" })),
    ]
}

/// Returns something that an agent can do, with what it is described and found by.
pub(crate) fn skill(name: &str, description: String, tag: &str) -> AgentCardSkill {
    let mut skill = AgentCardSkill::default();
    name.clone_into(&mut skill.id);
    name.clone_into(&mut skill.name);
    skill.description = description;
    skill.tags = vec![tag.to_owned()];
    skill
}

/// Returns what an agent can do of which nothing is known.
fn messages() -> AgentCardSkill {
    skill("messages", "Takes messages, and works on the tasks that they are".to_owned(), "messages")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empties(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty() || items.iter().any(empties),
            Value::Object(members) => members.is_empty() || members.values().any(empties),
            // Of these, Protocol Buffers leave out what is false and zero.
            Value::Bool(truth) => !truth,
            Value::Number(_) => false,
        }
    }

    #[test]
    fn nothing_in_a_card_is_empty_however_little_is_known_of_its_agent() {
        let mut agent = Agent::new("agt_1".to_owned(), "Ünïcode \u{1f980}\u{2028}".to_owned());
        "org".clone_into(&mut agent.org_id);
        let facts = CardFacts {
            agent: &agent,
            options: &CardOptions::default(),
            skills: Vec::new(),
            trust_score: trust_score(0, 9),
            base: &Base("https://guardian.example".to_owned()),
        };
        let card = card(facts);
        let written = serde_json::to_value(&card).unwrap();
        assert!(!empties(&written), "{written:#}");
        assert_eq!(card.primary_url(), Some("https://guardian.example/a2a/agents/agt_1"));
        assert_eq!(card.trust_score(), None);
        // So what is served is what is signed, to the last byte.
        assert_eq!(
            card.signed_payload().unwrap(),
            serde_json_canonicalizer::to_vec(&written).unwrap()
        );
    }

    #[test]
    fn score_is_what_the_formula_says_and_absent_where_little_is_known() {
        assert_eq!(trust_score(9, 9), None);
        assert_eq!(trust_score(10, 10), Some(91.67));
        assert_eq!(trust_score(0, 10), Some(8.33));
        assert_eq!(trust_score(98, 98), Some(99.0));
    }
}
