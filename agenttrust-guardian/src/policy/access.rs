//! What an evaluation of AuthZEN says beside the agent and the tool, and how policies see it.
//!
//! Its properties are JSON of any shape, and a Cedar schema knows none of their names. So each is a tag: a record with
//! one member, whose type follows from the value.
//!
//! | JSON | tag |
//! |---|---|
//! | a text | `string` |
//! | a whole number | `long` |
//! | another number | `string`, in canonical form (RFC 8785) |
//! | `true`, `false` | `bool` |
//! | a list | `set` of texts; what is no text in it, as JSON in canonical form |
//! | an object | the tags of its members, `outer.inner` |
//! | `null` | none |

use std::collections::BTreeMap;
use std::fmt;

use agenttrust::internal::whole_number;
use agenttrust::model::{AGENT_SUBJECT, AccessEvaluation};
use cedar_policy::{Entity, EntityUid, RestrictedExpression};
use serde_json::{Map, Value};

/// The largest number of properties of a subject, an action, a resource or the context.
const PROPERTIES_MOST: usize = 256;

/// The members of a context that policies do not see: those of the protocol itself, and `time`, in which the caller
/// would choose the time; `context.now` is the Guardian's.
const NOT_TOLD: [&str; 6] =
    ["access_request", "approval", "evaluated_at", "evaluation_id", "reason", "time"];

/// The facts of an evaluation of AuthZEN beside the agent and the tool: `context.access` of a policy.
///
/// ```
/// use agenttrust::Effect;
/// use agenttrust::model::{AccessAction, AccessEvaluation, AccessResource, AccessSubject};
/// use agenttrust_guardian::policy::{AccessFacts, AuthorizationRequest, PolicySet};
///
/// let set = PolicySet::parse("todo.cedar", r#"
///     permit (principal, action, resource == Tool::"can_update_todo")
///     when {
///         context has access && context.access.subject.id == "morty" &&
///         context.access.resource.hasTag("owner") && context.access.resource.getTag("owner") has string &&
///         context.access.resource.getTag("owner").string == "morty"
///     };
/// "#)?;
/// let asked = |owner: &str| {
///     let resource = AccessResource::new("todo", "1").with("owner", owner);
///     AccessEvaluation::new(AccessSubject::new("user", "morty"), AccessAction::new("can_update_todo"), resource)
/// };
/// for (owner, verdict) in [("morty", "allow"), ("rick", "deny")] {
///     let access = AccessFacts::new(&asked(owner))?;
///     let mut call = AuthorizationRequest::new("org_1", "agt_1", "can_update_todo", Effect::Mutating, 1_800_000_000);
///     call.access = Some(&access);
///     assert_eq!(set.decide(&call).as_str(), verdict);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccessFacts {
    subject: Party,
    action: Properties,
    resource: Party,
    context: Properties,
}

/// A subject or a resource.
#[derive(Clone, Debug, Default, PartialEq)]
struct Party {
    kind: String,
    id: String,
    properties: Properties,
}

type Properties = BTreeMap<String, Property>;

#[derive(Clone, Debug, PartialEq)]
enum Property {
    String(String),
    Long(i64),
    Bool(bool),
    Set(Vec<String>),
}

/// The property that policies cannot see, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessFactsError {
    /// The part that has too many: `subject`, `action`, `resource` or `context`.
    of: &'static str,
    problem: String,
}

impl AccessFactsError {
    /// Returns whose property it is: `subject`, `action`, `resource` or `context`.
    #[must_use]
    pub const fn of(&self) -> &'static str {
        self.of
    }

    /// Returns what is wrong with it.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for AccessFactsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.of, self.problem)
    }
}

impl std::error::Error for AccessFactsError {}

impl AccessFacts {
    /// Returns the facts that policies see of this evaluation.
    ///
    /// # Errors
    ///
    /// For more than 256 properties of one of them, and for two that would be one tag.
    pub fn new(evaluation: &AccessEvaluation) -> Result<Self, AccessFactsError> {
        let AccessEvaluation { subject, action, resource, context, .. } = evaluation;
        let mut told = context.clone();
        told.retain(|name, _| is_told(name));
        // What no approval is bound to, and no approver sees, decides nothing.
        let mut of_subject = subject.properties.clone();
        of_subject.remove(ACTOR);
        let properties = |of, properties| {
            flattened(properties).map_err(|problem| AccessFactsError { of, problem })
        };
        Ok(Self {
            subject: Party {
                kind: subject.kind.clone(),
                id: subject.id.clone(),
                properties: properties("subject", &of_subject)?,
            },
            action: properties("action", &action.properties)?,
            resource: Party {
                kind: resource.kind.clone(),
                id: resource.id.clone(),
                properties: properties("resource", &resource.properties)?,
            },
            context: properties("context", &told)?,
        })
    }

    /// Returns whether the subject is an agent, which is the principal then. Any other subject is a person or program
    /// for which the agent acts.
    pub(crate) fn is_of_agent(&self) -> bool {
        self.subject.kind == AGENT_SUBJECT
    }

    /// Returns the type and the id of the subject and of the resource.
    pub(crate) fn parties(&self) -> [(&str, &str); 2] {
        [&self.subject, &self.resource].map(|party| (party.kind.as_str(), party.id.as_str()))
    }
}

/// The property of a subject in which the profile has who acts for it. Nothing verifies it: the agent that asks is
/// known by its key.
pub(crate) const ACTOR: &str = "act";

/// Returns whether policies see this member of a context. An approval is bound to those.
pub(crate) fn is_told(member: &str) -> bool {
    !NOT_TOLD.contains(&member)
}

/// The names of the four entities that an evaluation is to Cedar.
pub(super) struct Uids {
    pub(super) subject: EntityUid,
    pub(super) action: EntityUid,
    pub(super) resource: EntityUid,
    pub(super) context: EntityUid,
}

impl AccessFacts {
    /// Returns the four as entities.
    pub(super) fn entities(&self, uids: Uids) -> Result<[Entity; 4], String> {
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let party = |party: &Party| {
            vec![("type".to_owned(), text(&party.kind)), ("id".to_owned(), text(&party.id))]
        };
        let entity = |uid, about, properties: &Properties| {
            let tags = properties.iter().map(|(name, value)| Ok((name.clone(), value.record()?)));
            let tags = tags.collect::<Result<Vec<_>, String>>()?;
            Entity::new_with_tags(uid, about, [], tags).map_err(|error| error.to_string())
        };
        Ok([
            entity(uids.subject, party(&self.subject), &self.subject.properties)?,
            entity(uids.action, Vec::new(), &self.action)?,
            entity(uids.resource, party(&self.resource), &self.resource.properties)?,
            entity(uids.context, Vec::new(), &self.context)?,
        ])
    }
}

impl Property {
    fn record(&self) -> Result<RestrictedExpression, String> {
        let (name, value) = match self {
            Self::String(text) => ("string", RestrictedExpression::new_string(text.clone())),
            Self::Long(number) => ("long", RestrictedExpression::new_long(*number)),
            Self::Bool(truth) => ("bool", RestrictedExpression::new_bool(*truth)),
            Self::Set(texts) => {
                let texts = texts.iter().cloned().map(RestrictedExpression::new_string);
                ("set", RestrictedExpression::new_set(texts))
            }
        };
        RestrictedExpression::new_record([(name.to_owned(), value)])
            .map_err(|error| error.to_string())
    }
}

fn flattened(members: &Map<String, Value>) -> Result<Properties, String> {
    let mut found = Properties::new();
    flatten(members, "", &mut found)?;
    Ok(found)
}

/// Adds what the members are, each behind the names of the objects that it is in. How deep they nest is looked at
/// before.
fn flatten(
    members: &Map<String, Value>,
    within: &str,
    found: &mut Properties,
) -> Result<(), String> {
    for (name, value) in members {
        let name = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
        let property = match value {
            Value::Null => continue,
            Value::Object(inner) => {
                flatten(inner, &name, found)?;
                continue;
            }
            Value::Bool(truth) => Property::Bool(*truth),
            Value::String(text) => Property::String(text.clone()),
            Value::Number(number) => match whole_number(number).map(i64::try_from) {
                Some(Ok(whole)) => Property::Long(whole),
                _ => Property::String(as_text(value)),
            },
            Value::Array(items) => Property::Set(items.iter().map(as_text).collect()),
        };
        if found.len() >= PROPERTIES_MOST {
            return Err(format!("has more than {PROPERTIES_MOST} properties; send fewer"));
        }
        let shown: String = name.chars().take(100).collect();
        if found.insert(name, property).is_some() {
            return Err(format!(
                "says twice what property {shown:?} is, which an object in an object may be too; say it once"
            ));
        }
    }
    Ok(())
}

/// Returns a text as it is, and all else as the digest has it that approvals are bound by: `1` and `1.0`, or two orders
/// of members, are one value to that, and must not be two to policies.
fn as_text(item: &Value) -> String {
    match item {
        Value::String(text) => text.clone(),
        other => serde_json_canonicalizer::to_string(other).unwrap_or_else(|_| other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(members: Value) -> Result<Properties, String> {
        match members {
            Value::Object(members) => flattened(&members),
            _ => Err("no object".to_owned()),
        }
    }

    #[test]
    fn every_json_value_is_a_tag_of_one_type() {
        let found = of(json!({
            "text": "a", "whole": 60.0, "long": -7, "part": 1.5, "huge": 1e300, "yes": true, "none": null,
            "list": ["a", 1, null, ["b"], {"c": 2}], "outer": {"inner": {"deep": "d"}, "empty": {}},
        }))
        .unwrap();
        let text = |text: &str| Property::String(text.to_owned());
        let expected = [
            ("huge", text("1e+300")),
            (
                "list",
                Property::Set(["a", "1", "null", "[\"b\"]", "{\"c\":2}"].map(str::to_owned).into()),
            ),
            ("long", Property::Long(-7)),
            ("outer.inner.deep", text("d")),
            ("part", text("1.5")),
            ("text", text("a")),
            ("whole", Property::Long(60)),
            ("yes", Property::Bool(true)),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)).into());
    }

    #[test]
    fn what_is_one_value_to_an_approval_is_one_to_policies() {
        let one = of(json!({ "list": [1, -0.0, [2.0], { "a": 1, "b": 2 }], "part": 0.5 }));
        let other: Value = serde_json::from_str(
            r#"{ "list": [1.0, 0, [2], { "b": 2.0, "a": 1 }], "part": 5e-1 }"#,
        )
        .unwrap();
        assert_eq!(one, of(other));
        let texts = ["1", "0", "[2]", r#"{"a":1,"b":2}"#].map(str::to_owned);
        assert_eq!(one.unwrap()["list"], Property::Set(texts.into()));
    }

    #[test]
    fn who_acts_for_a_subject_is_not_told_because_no_approval_is_bound_to_it() {
        let told = |properties: Value| {
            let evaluation = json!({
                "subject": { "type": "user", "id": "alice", "properties": properties },
                "action": { "name": "read" }, "resource": { "type": "document", "id": "1" },
            });
            AccessFacts::new(&serde_json::from_value(evaluation).unwrap()).unwrap()
        };
        let acted_for = told(json!({ "role": "x", "act": { "sub": "ceo", "roles": ["all"] } }));
        assert_eq!(acted_for, told(json!({ "role": "x" })));
        assert_ne!(acted_for, told(json!({ "role": "y" })));
    }

    #[test]
    fn two_properties_are_never_one_tag_and_too_many_are_refused() {
        let twice = of(json!({ "a.b": 1, "a": { "b": 2 } })).unwrap_err();
        assert!(twice.contains("twice"), "{twice}");
        let many: Map<String, Value> = (0..257).map(|n| (n.to_string(), json!(n))).collect();
        assert!(flattened(&many).unwrap_err().contains("256"));
        let many: Map<String, Value> = (0..256).map(|n| (n.to_string(), json!(n))).collect();
        assert_eq!(flattened(&many).unwrap().len(), 256);
    }
}
