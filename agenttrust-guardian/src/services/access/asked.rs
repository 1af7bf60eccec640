//! An evaluation as a check: whose it is, what policies are told, and what an approval of it is bound to.

use std::sync::Arc;

use agenttrust::model::AccessEvaluation;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::domain::limits::Share;
use crate::domain::names::check_input;
use crate::domain::{Elevating, Error, Key, Trace};
use crate::pipeline::{Asked, Check, Proof};
use crate::policy::{ACTOR, AccessFacts, is_told};

/// The largest whole number that every reader of JSON tells from the next (RFC 7493, section 2.2). What is bound to a
/// larger one would be bound to its neighbours too.
const EXACT_MOST: u64 = 1 << 53;
/// The name of the source of such checks.
const SOURCE: &str = "authzen";

/// An evaluation, complete and read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evaluation {
    pub(crate) said: AccessEvaluation,
    /// The same as it was sent: `subject`, `action`, `resource` and `context`.
    pub(crate) as_sent: Map<String, Value>,
    /// The session that its context names.
    pub(crate) session_id: Option<String>,
    /// The approval that its context presents.
    pub(crate) approval_id: Option<String>,
}

impl Evaluation {
    /// Returns the same, with those members alone in its context that are bound.
    ///
    /// A request for access may say more there than was evaluated, for people to read. No approval is bound to that,
    /// and the evaluation that presents the approval does not say it. So it must not decide either: else the requester
    /// would choose the policies, and by them quorum, window and session, that an approval of something else is opened
    /// with.
    pub(super) fn of_bound(mut self, bound: &Bound) -> Self {
        let is_bound = |name: &str| bound.members.iter().any(|member| member == name);
        self.said.context.retain(|name, _| is_bound(name));
        self.session_id = self.session_id.filter(|_| is_bound("session_id"));
        self
    }
}

/// The key that asks, and the agent that it asks for.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub(crate) key: Arc<Key>,
    pub(crate) agent_id: String,
    pub(crate) proof: Option<Proof>,
    /// The trace that the request is in.
    pub(crate) trace: Option<Trace>,
    pub(crate) place: Option<Arc<Share>>,
}

/// Returns how an evaluation is asked for: with an approval where it presents one.
pub(crate) fn check_of(asker: &Asker, evaluation: &Evaluation) -> Result<Check, Error> {
    let elevating = match &evaluation.approval_id {
        Some(id) => Elevating::Presented(id.clone()),
        None => Elevating::Told,
    };
    let bound = Bound::of(evaluation, None)?;
    let asked = Asked {
        facts: facts(evaluation)?,
        digest: bound.hex(),
        shown: String::new(),
        elevating,
        denied: None,
    };
    Ok(check(asker, evaluation, asked))
}

/// Returns the facts that policies see of it.
pub(super) fn facts(evaluation: &Evaluation) -> Result<AccessFacts, Error> {
    AccessFacts::new(&evaluation.said).map_err(|error| Error::invalid(error.of(), error.problem()))
}

/// Returns the check that the evaluation is.
pub(super) fn check(asker: &Asker, evaluation: &Evaluation, asked: Asked) -> Check {
    Check {
        key: Arc::clone(&asker.key),
        agent_id: asker.agent_id.clone(),
        session_id: evaluation.session_id.clone(),
        session_is_generated: false,
        tool: evaluation.said.action.name.clone(),
        hint: None,
        source: SOURCE.to_owned(),
        scopes: None,
        digest: None,
        binds: None,
        key_id: None,
        summary: None,
        task_message: None,
        proof: asker.proof.clone(),
        trace: asker.trace.clone(),
        access: Some(Arc::new(asked)),
        _place: asker.place.clone(),
    }
}

/// The part of an evaluation that a denial and an approval of it bind: subject, action and resource whole, and of the
/// context what policies see.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) value: Value,
    /// The members of the context that are bound.
    pub(super) members: Vec<String>,
    digest: [u8; 32],
}

impl Bound {
    /// Returns what is bound of this evaluation: of its context these `members`, or all that policies are told.
    ///
    /// # Errors
    ///
    /// Invalid for what no approver could be shown, and for numbers that readers do not tell from others.
    pub(super) fn of(evaluation: &Evaluation, members: Option<Vec<String>>) -> Result<Self, Error> {
        let of = |name: &str| evaluation.as_sent.get(name);
        let context = of("context").and_then(Value::as_object);
        let names = || context.into_iter().flatten().map(|(name, _)| name);
        let members =
            members.unwrap_or_else(|| names().filter(|name| is_told(name)).cloned().collect());
        let named = context.into_iter().flatten().filter(|(name, _)| members.contains(name));
        let context: Map<String, Value> =
            named.map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut subject = of("subject").cloned().unwrap_or_default();
        // Who submits may have written it elsewhere.
        if let Some(properties) = subject.pointer_mut("/properties").and_then(Value::as_object_mut)
        {
            properties.remove(ACTOR);
        }
        let value = json!({
            "subject": subject,
            "action": of("action"),
            "resource": of("resource"),
            "context": context,
        });
        check_input("evaluation", &value)?;
        if !is_exact(&value) {
            return Err(Error::invalid(
                "evaluation",
                "holds a number beyond 2^53, which readers of JSON do not tell from the next one; send it as a text",
            ));
        }
        let canonical = serde_json_canonicalizer::to_vec(&value).map_err(|error| {
            Error::invalid("evaluation", format!("has no canonical form: {error}"))
        })?;
        Ok(Self { value, members, digest: Sha256::digest(canonical).into() })
    }

    pub(super) fn hex(&self) -> String {
        agenttrust::internal::hex::encode(&self.digest)
    }

    /// Returns the same as `binding_hash` has it: base64url without padding.
    pub(super) fn binding_hash(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(self.digest)
    }
}

/// Returns whether every number is one that the whole numbers beside it are told from.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            match number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs)) {
                Some(whole) => whole <= EXACT_MOST,
                // Written as a decimal it is the nearest that a double has, and from there on not every whole number is one.
                None => number.as_f64().is_some_and(|decimal| decimal.abs() < EXACT_MOST as f64),
            }
        }
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(as_sent: Value) -> Evaluation {
        let said = serde_json::from_value(as_sent.clone()).unwrap();
        let Value::Object(as_sent) = as_sent else { panic!("an object") };
        Evaluation { said, as_sent, session_id: None, approval_id: None }
    }

    fn alice() -> Value {
        json!({
            "subject": { "type": "user", "id": "alice@example.com" },
            "action": { "name": "can_read" },
            "resource": { "type": "document", "id": "q4-plan", "properties": { "level": 3 } },
            "context": { "ip": "10.0.0.1", "time": "2026-04-30T20:15:00Z", "approval": { "id": "apr_1" } },
        })
    }

    #[test]
    fn time_and_what_belongs_to_the_protocol_are_not_bound_and_all_else_is() {
        let asked = evaluation(alice());
        let bound = Bound::of(&asked, None).unwrap();
        assert_eq!(bound.members, ["ip"]);
        assert_eq!(bound.value["context"], json!({ "ip": "10.0.0.1" }));
        // What is submitted: the same, with a justification, another time and an actor.
        let mut submitted = alice();
        submitted["context"]["time"] = json!("2027-01-01T00:00:00Z");
        submitted["context"]["business_justification"] = json!("renewal");
        submitted["context"].as_object_mut().unwrap().remove("approval");
        submitted["subject"]["properties"] = json!({ "act": { "sub": "agt_1" } });
        asked.said.subject.properties.is_empty().then_some(()).unwrap();
        let again = Bound::of(&evaluation(submitted.clone()), Some(bound.members.clone())).unwrap();
        // An empty object that held the actor alone is one that was not there.
        assert_ne!(again.hex(), bound.hex());
        submitted["subject"].as_object_mut().unwrap().remove("properties");
        let again = Bound::of(&evaluation(submitted.clone()), Some(bound.members.clone())).unwrap();
        assert_eq!(again.hex(), bound.hex());
        for (place, value) in [
            ("/resource/id", json!("q3-plan")),
            ("/resource/properties/level", json!("3")),
            ("/subject/type", json!("identity")),
            ("/action/name", json!("can_write")),
            ("/context/ip", json!("10.0.0.2")),
        ] {
            let mut other = submitted.clone();
            *other.pointer_mut(place).unwrap() = value;
            let other = Bound::of(&evaluation(other), Some(bound.members.clone())).unwrap();
            assert_ne!(other.hex(), bound.hex(), "{place}");
        }
        // The same number, written otherwise.
        submitted["resource"]["properties"]["level"] = json!(3.0);
        let again = Bound::of(&evaluation(submitted), Some(bound.members.clone())).unwrap();
        assert_eq!(again.hex(), bound.hex());
    }

    #[test]
    fn number_that_readers_take_for_another_is_refused() {
        for (number, is_taken) in [
            (json!(9_007_199_254_740_992_u64), true),
            (json!(9_007_199_254_740_993_u64), false),
            (json!(-9_007_199_254_740_993_i64), false),
            (json!(0.1), true),
            (json!(1e300), false),
            (serde_json::from_str("9007199254740993.0").unwrap(), false),
        ] {
            let mut asked = alice();
            asked["resource"]["properties"]["level"] = json!([{ "deep": number }]);
            assert_eq!(Bound::of(&evaluation(asked), None).is_ok(), is_taken, "{number}");
        }
    }
}
