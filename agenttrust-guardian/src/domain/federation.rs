//! What the word of a federation provider is worth: which of its tokens are which agent, and how far that agent may go
//! in a session of one.
//!
//! | level | mode of the session | its ceiling |
//! |---|---|---|
//! | high | the agent's floor alone says | the rule's scopes, if it has any |
//! | medium | supervised at least | the rule's scopes, if it has any |
//! | low | supervised at least | the rule's scopes, which it must have |
//!
//! Scopes that the token itself lists narrow each of these further; they never widen it. Those of OpenID Connect
//! itself ([`OF_OPENID`]) say nothing of tools, and count for nothing here.

use agenttrust::model::{CapabilitySet, FederationRule, SessionMode, TrustLevel};
use serde_json::{Map, Value};

use super::Error;
use super::names::{check_capability, check_line, check_name, check_names};

/// The scopes that say which facts about a person are shown.
pub(crate) const OF_OPENID: [&str; 6] =
    ["openid", "profile", "email", "address", "phone", "offline_access"];
/// The number of rules that a provider may have ...
const RULES_MOST: usize = 200;
/// ... and how long they may be together, as JSON, in bytes: a row of the audit holds them.
const RULES_MAX_BYTES: usize = 32 << 10;
/// The number of claims that a rule may want.
const CLAIMS_MOST: usize = 32;
/// The number of a token's scopes that are looked at. Those behind them allow nothing, so a session may reach less.
const SCOPES_MOST: usize = 256;
/// The greatest whole number, and by its sign the least, that every reader of JSON reads as the same.
const NUMBER_MOST: u64 = (1 << 53) - 1;

/// The terms of a session of a federated token, beside what its agent may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The least strict mode of the session; the floor of the agent may be stricter.
    pub(crate) mode: SessionMode,
    pub(crate) ceiling: Option<Vec<String>>,
}

/// Returns the first rule that is for a token of this subject and these claims, and its place.
pub(crate) fn rule_for<'r>(
    rules: &'r [FederationRule],
    subject: &str,
    claims: &Map<String, Value>,
) -> Option<(usize, &'r FederationRule)> {
    rules.iter().enumerate().find(|(_, rule)| is_for(rule, subject, claims))
}

fn is_for(rule: &FederationRule, subject: &str, claims: &Map<String, Value>) -> bool {
    rule.subject.as_deref().is_none_or(|wanted| wanted == subject)
        && rule.claims.iter().all(|(name, wanted)| match claims.get(name) {
            Some(Value::Array(values)) => values.iter().any(|value| is_same(value, wanted)),
            Some(value) => is_same(value, wanted),
            None => false,
        })
}

/// Returns whether two values are the same one, however a number is written.
fn is_same(value: &Value, wanted: &Value) -> bool {
    let number = |value: &Value| value.as_number().and_then(serde_json::Number::as_f64);
    value == wanted || number(value).is_some_and(|value| number(wanted) == Some(value))
}

/// Returns how far a session goes of a token that lists these scopes, by a rule of these scopes of a provider of this
/// level.
pub(crate) fn terms(level: TrustLevel, of_rule: Option<&[String]>, scopes: &[String]) -> Terms {
    let mode = match level {
        TrustLevel::High => SessionMode::Open,
        _ => SessionMode::Supervised,
    };
    let of_rule = of_rule.map(<[String]>::to_vec);
    let of_rule = match level {
        TrustLevel::High | TrustLevel::Medium => of_rule,
        // Of one that has none nothing is allowed, and so of a level that is not known.
        _ => Some(of_rule.unwrap_or_default()),
    };
    let ceiling = match (of_rule, of_token(scopes)) {
        (of_rule, None) => of_rule,
        (None, of_token) => of_token,
        (Some(of_rule), Some(of_token)) => Some(in_common(&of_rule, &of_token)),
    };
    Terms { mode, ceiling }
}

/// Returns what a token's scopes allow; `None` where none of them is about that.
fn of_token(scopes: &[String]) -> Option<Vec<String>> {
    let mut about = scopes.iter().filter(|scope| !OF_OPENID.contains(&scope.as_str())).peekable();
    about.peek()?;
    let mut kept: Vec<String> = Vec::new();
    for scope in about.take(SCOPES_MOST) {
        kept.push(scope.clone());
        // What is no capability allows nothing; nor does what another one covers in its other spelling.
        if CapabilitySet::parse(&kept).is_err() {
            kept.pop();
        }
    }
    Some(kept)
}

fn in_common(of_rule: &[String], of_token: &[String]) -> Vec<String> {
    match (CapabilitySet::parse(of_rule), CapabilitySet::parse(of_token)) {
        (Ok(of_rule), Ok(of_token)) => of_rule.in_common_with(&of_token).as_slice().to_vec(),
        _ => Vec::new(),
    }
}

/// Refuses rules that cannot be kept apart, those for agents that `is_known` does not know, and at level low those
/// that allow everything.
///
/// # Errors
///
/// Invalid; the message names the rule by its place.
pub(crate) fn check_rules(
    level: TrustLevel,
    rules: &[FederationRule],
    is_known: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    if rules.len() > RULES_MOST {
        let many = format!("has {} entries; {RULES_MOST} is the most", rules.len());
        return Err(Error::invalid("rules", many));
    }
    for (place, rule) in rules.iter().enumerate() {
        let field = |member: &str| format!("rules[{place}].{member}");
        check_name(&field("agent_id"), &rule.agent_id)?;
        if !is_known(&rule.agent_id) {
            let unknown = format!("is {:?}, and there is no such agent", rule.agent_id);
            return Err(Error::invalid(&field("agent_id"), unknown));
        }
        if let Some(subject) = &rule.subject {
            check_subject(&field("subject"), subject)?;
        }
        check_claims(&field("claims"), &rule.claims)?;
        match &rule.scopes {
            Some(scopes) => check_scopes(&field("scopes"), scopes)?,
            None if level == TrustLevel::Low => {
                let problem = "is missing, and the provider is of trust level low, whose tokens may do only what a rule \
                               lists; list it, or trust the provider more";
                return Err(Error::invalid(&field("scopes"), problem));
            }
            None => {}
        }
    }
    let bytes = serde_json::to_string(rules).map_or(usize::MAX, |text| text.len());
    if bytes > RULES_MAX_BYTES {
        let long = format!("is {bytes} bytes long in all; {RULES_MAX_BYTES} is the most");
        return Err(Error::invalid("rules", long));
    }
    Ok(())
}

fn check_subject(field: &str, subject: &str) -> Result<(), Error> {
    if subject.is_empty() {
        let problem = "is empty, which no token's is; leave it out for every subject";
        return Err(Error::invalid(field, problem));
    }
    check_line(field, subject)
}

fn check_claims(field: &str, claims: &Map<String, Value>) -> Result<(), Error> {
    if claims.len() > CLAIMS_MOST {
        let many = format!("has {} entries; {CLAIMS_MOST} is the most", claims.len());
        return Err(Error::invalid(field, many));
    }
    for (name, value) in claims {
        check_name(&format!("{field}: the name of a claim"), name)?;
        let at = format!("{field}.{name}");
        match value {
            Value::Bool(_) => {}
            Value::String(text) => check_line(&at, text)?,
            Value::Number(number)
                if number.as_i64().is_some_and(|it| it.unsigned_abs() <= NUMBER_MOST) => {}
            Value::Number(_) => {
                let problem = format!("is no whole number within {NUMBER_MOST} of zero");
                return Err(Error::invalid(&at, problem));
            }
            Value::Null | Value::Array(_) | Value::Object(_) => {
                let problem = "is no text, number or boolean; a token's claim that is a list fits when it holds the value \
                               of the rule";
                return Err(Error::invalid(&at, problem));
            }
        }
    }
    Ok(())
}

fn check_scopes(field: &str, scopes: &[String]) -> Result<(), Error> {
    if scopes.is_empty() {
        let problem = "is empty, which would allow nothing; name some, or leave it out for all that the agent may";
        return Err(Error::invalid(field, problem));
    }
    check_names(field, scopes)?;
    for (place, scope) in scopes.iter().enumerate() {
        check_capability(&format!("{field}[{place}]"), scope)?;
    }
    CapabilitySet::parse(scopes).map(drop).map_err(|error| Error::capability(field, &error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(claims: Value) -> Map<String, Value> {
        claims.as_object().cloned().unwrap()
    }

    fn rule(rule: Value) -> FederationRule {
        serde_json::from_value(rule).unwrap()
    }

    #[test]
    fn first_rule_whose_subject_and_every_claim_fit_counts() {
        let rules = [
            rule(json!({ "subject": "alice", "claims": { "groups": "ops" }, "agent_id": "both" })),
            rule(json!({ "subject": "alice", "agent_id": "alice" })),
            rule(
                json!({ "claims": { "groups": "ops", "level": 3, "verified": true }, "agent_id": "ops" }),
            ),
            rule(json!({ "claims": { "team": "a" }, "agent_id": "team" })),
        ];
        let found = |subject: &str, sent: Value| {
            rule_for(&rules, subject, &claims(sent)).map(|(place, rule)| {
                assert_eq!(rules[place], *rule);
                rule.agent_id.clone()
            })
        };
        let is = |agent: &str| Some(agent.to_owned());
        assert_eq!(found("alice", json!({ "groups": ["dev", "ops"] })), is("both"));
        assert_eq!(found("alice", json!({ "groups": ["dev"] })), is("alice"));
        assert_eq!(found("Alice", json!({})), None);
        let bob = json!({ "groups": "ops", "level": 3.0, "verified": true });
        assert_eq!(found("bob", bob), is("ops"));
        // One that does not fit, or is missing, or of another type, and the rule does not.
        for other in [
            json!({ "groups": "ops", "level": 3 }),
            json!({ "groups": "ops", "level": "3", "verified": true }),
            json!({ "groups": "ops", "level": 3, "verified": "true" }),
            json!({ "groups": ["op", "s"], "level": 3, "verified": true }),
            json!({ "groups": { "ops": 1 }, "level": 3, "verified": true }),
            json!({ "groups": [["ops"]], "level": 3, "verified": true }),
            json!({ "team": "ab" }),
            json!({ "team": null }),
        ] {
            assert_eq!(found("bob", other.clone()), None, "{other}");
        }
        let every = [rule(json!({ "agent_id": "every" }))];
        assert!(rule_for(&every, "anyone", &Map::new()).is_some());
        assert!(rule_for(&[], "anyone", &Map::new()).is_none());
    }

    #[test]
    fn level_says_how_far_a_session_goes() {
        let (free, bound) = (
            rule(json!({ "agent_id": "a" })),
            rule(json!({ "agent_id": "a", "scopes": ["files:*", "mail:send"] })),
        );
        let found = |level, rule: &FederationRule| {
            let terms = terms(level, rule.scopes.as_deref(), &[]);
            (terms.mode, terms.ceiling.map(|names| names.join(" ")))
        };
        let listed = Some("files:* mail:send".to_owned());
        for (level, mode, of_free) in [
            (TrustLevel::High, SessionMode::Open, None),
            (TrustLevel::Medium, SessionMode::Supervised, None),
            // A rule without scopes is refused at this level; were there one, it would allow nothing.
            (TrustLevel::Low, SessionMode::Supervised, Some(String::new())),
            (TrustLevel::Unknown, SessionMode::Supervised, Some(String::new())),
        ] {
            assert_eq!(found(level, &free), (mode, of_free), "{level}");
            assert_eq!(found(level, &bound), (mode, listed.clone()), "{level}");
        }
    }

    #[test]
    fn scopes_of_a_token_narrow_and_never_widen() {
        let (free, bound) = (
            rule(json!({ "agent_id": "a" })),
            rule(json!({ "agent_id": "a", "scopes": ["files:*", "mail:send"] })),
        );
        let ceiling = |rule: &FederationRule, scopes: &str| {
            let scopes: Vec<String> = scopes.split(' ').map(str::to_owned).collect();
            terms(TrustLevel::Medium, rule.scopes.as_deref(), &scopes)
                .ceiling
                .map(|names| names.join(" "))
        };
        let is = |names: &str| Some(names.to_owned());
        for (scopes, of_free, of_bound) in [
            ("openid profile email address phone offline_access", None, is("files:* mail:send")),
            ("openid files:read", is("files:read"), is("files:read")),
            ("*", is("*"), is("files:* mail:send")),
            ("files:* db:read", is("files:* db:read"), is("files:*")),
            ("db:read", is("db:read"), is("")),
            // What is no capability is a word all the same, and allows nothing.
            ("https://example.com/*.all", is(""), is("")),
            ("files:read files_read", is("files:read"), is("files:read")),
        ] {
            assert_eq!(ceiling(&free, scopes), of_free, "{scopes}");
            assert_eq!(ceiling(&bound, scopes), of_bound, "{scopes}");
        }
        let many: Vec<String> = (0..1_000).map(|n| format!("tool_{n}")).collect();
        let terms = terms(TrustLevel::High, None, &many);
        assert_eq!(terms.ceiling.unwrap().len(), SCOPES_MOST);
    }

    #[test]
    fn rule_that_could_not_be_meant_is_refused_by_its_place() {
        let check = |level, rules: Value| {
            let rules: Vec<FederationRule> = serde_json::from_value(rules).unwrap();
            check_rules(level, &rules, |id| id.starts_with("agt_"))
                .map_err(|error| error.message().to_owned())
        };
        let good = json!([
            { "subject": "alice", "claims": { "a": "b", "n": -3, "yes": false }, "agent_id": "agt_1",
              "scopes": ["files:*"] },
            { "agent_id": "agt_2", "scopes": ["http/*"] },
        ]);
        check(TrustLevel::Low, good).unwrap();
        check(TrustLevel::Medium, json!([{ "agent_id": "agt_1" }])).unwrap();
        check(TrustLevel::High, json!([])).unwrap();
        let low = check(TrustLevel::Low, json!([{ "agent_id": "agt_1" }])).unwrap_err();
        assert!(low.starts_with("rules[0].scopes is missing"), "{low}");
        let whole: Vec<u32> = vec![0; 201];
        let whole: Vec<Value> = whole.iter().map(|_| json!({ "agent_id": "agt_1" })).collect();
        let nested: Map<String, Value> = (0..33).map(|n| (n.to_string(), json!(n))).collect();
        for (rules, said) in [
            (json!([{ "agent_id": "" }]), "rules[0].agent_id is empty"),
            (
                json!([{ "agent_id": "agt_1" }, { "agent_id": "other" }]),
                "rules[1].agent_id is \"other\"",
            ),
            (json!([{ "agent_id": "agt_1", "subject": "" }]), "rules[0].subject is empty"),
            (
                json!([{ "agent_id": "agt_1", "subject": "a\nb" }]),
                "rules[0].subject holds a control",
            ),
            (json!([{ "agent_id": "agt_1", "subject": "x".repeat(1_001) }]), "1000 is the most"),
            (json!([{ "agent_id": "agt_1", "claims": { "": 1 } }]), "the name of a claim is empty"),
            (
                json!([{ "agent_id": "agt_1", "claims": { "a": null } }]),
                "rules[0].claims.a is no text",
            ),
            (json!([{ "agent_id": "agt_1", "claims": { "a": ["b"] } }]), "holds the value"),
            (json!([{ "agent_id": "agt_1", "claims": { "a": 1.5 } }]), "is no whole number"),
            (
                json!([{ "agent_id": "agt_1", "claims": { "a": 9_007_199_254_740_992_u64 } }]),
                "is no whole",
            ),
            (json!([{ "agent_id": "agt_1", "claims": nested }]), "32 is the most"),
            (json!([{ "agent_id": "agt_1", "scopes": [] }]), "would allow nothing"),
            (json!([{ "agent_id": "agt_1", "scopes": ["a*"] }]), "rules[0].scopes"),
            (json!([{ "agent_id": "agt_1", "scopes": [" a"] }]), "rules[0].scopes[0] has spaces"),
            (json!(whole), "rules has 201 entries; 200 is the most"),
        ] {
            let problem = check(TrustLevel::Medium, rules.clone()).unwrap_err();
            assert!(problem.contains(said), "{rules}: {problem}");
        }
        let long: Vec<Value> =
            (0..200).map(|_| json!({ "agent_id": "agt_1", "subject": "x".repeat(200) })).collect();
        let problem = check(TrustLevel::Medium, json!(long)).unwrap_err();
        assert!(problem.starts_with("rules is "), "{problem}");
    }
}
