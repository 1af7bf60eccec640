//! Several evaluations in one request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use agenttrust::model::{AccessDecision, AccessDecisions, AccessEvaluations, EvaluationsSemantic};
use axum::Json;
use axum::http::request::Parts;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::super::App;
use super::super::admit::Place;
use super::super::answers::{NotFound, Unavailable};
use super::super::auth::Caller;
use super::super::body::Payload;
use super::super::proofs::SentProof;
use super::body::{Entities, member, object, object_in, text_in, wrong};
use super::decisions::{brief, failed};
use super::evaluate::{Asking, out_of_time};
use crate::domain::{Error, Permission};
use crate::pipeline::Proof;
use crate::services::access::Asker;

/// The largest number of evaluations in a request: each is a check, with a row in the audit.
const EVALUATIONS_MOST: usize = 100;
/// The largest number of evaluations that are decided at a time.
const AT_A_TIME: usize = 8;

/// The answer: of several, or of the one that stands in the request itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::http) enum Decided {
    Several(AccessDecisions),
    One(Box<AccessDecision>),
}

/// Evaluates several questions in one request
///
/// The Access Evaluations API of AuthZEN 1.0: at most 100, in the time that one check has; what is not evaluated by
/// then says so as an error with status 503. What goes wrong with one of them is told in its place and is a denial. In
/// a list, a denial says why only if it was not evaluated or can be approved, unless `options.explain` is true.
/// Without `evaluations` it is the one evaluation that stands in the request.
#[utoipa::path(
    post, path = "/access/v1/evaluations", operation_id = "evaluate_accesses", tag = "access",
    params(("X-Request-ID" = Option<String>, Header, description = "A name for this request, which its answer repeats: within a minute, the same evaluations under it are decided once")),
    request_body = AccessEvaluations,
    responses(
        (
            status = 200, description = "The decisions, in their order", body = Decided,
            headers(("x-request-id" = String, description = "As it came")),
        ),
        NotFound, Unavailable,
    ),
)]
pub(in crate::http) async fn evaluations(
    engine: App,
    caller: Caller,
    parts: Parts,
    (place, sent_proof): (Place, SentProof),
    payload: Payload,
) -> Result<Json<Decided>, Error> {
    let begun = Instant::now();
    caller.need(Permission::Check)?;
    let body = object(&parts.headers, payload.unbegun()).await?;
    let defaults = Entities::of(&body, "")?;
    let items = items(&body)?;
    let options = Options::of(&body)?;
    let asking = Asking::new(&engine, &parts, caller, place)?;
    if items.is_empty() {
        return asking.one(sent_proof, defaults).await.map(|one| Json(Decided::One(Box::new(one))));
    }
    let several = Several {
        asking: &asking,
        begun,
        asked: asked(&asking, sent_proof, &items, defaults).await,
    };
    let mut decisions = AccessDecisions::default();
    decisions.evaluations = several.decide(options.semantic).await;
    if !options.explain {
        decisions.evaluations = decisions.evaluations.into_iter().map(brief).collect();
    }
    Ok(Json(Decided::Several(decisions)))
}

/// Returns the evaluations of a body, each an object.
fn items(body: &Map<String, Value>) -> Result<Vec<&Map<String, Value>>, Error> {
    let items = match member(body, "evaluations") {
        None => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(wrong("", "evaluations", "a list")),
    };
    if items.len() > EVALUATIONS_MOST {
        let many = format!(
            "has {} entries; {EVALUATIONS_MOST} is the most, so send them in several requests",
            items.len()
        );
        return Err(Error::invalid("evaluations", many));
    }
    let object = |(number, item): (usize, &'_ Value)| match item {
        Value::Object(_) => Ok(()),
        _ => Err(wrong("", &format!("evaluations[{number}]"), "an object")),
    };
    items.iter().enumerate().try_for_each(object)?;
    Ok(items.iter().filter_map(Value::as_object).collect())
}

struct Options {
    semantic: EvaluationsSemantic,
    explain: bool,
}

impl Options {
    fn of(body: &Map<String, Value>) -> Result<Self, Error> {
        let mut found = Self { semantic: EvaluationsSemantic::ExecuteAll, explain: false };
        let Some(options) = object_in(body, ("", "options"))? else { return Ok(found) };
        if let Some(word) = text_in(options, ("options.", "evaluations_semantic"))? {
            found.semantic = word.parse().map_err(|error| {
                Error::invalid("options.evaluations_semantic", format!("is not known: {error}"))
            })?;
        }
        match member(options, "explain") {
            None => {}
            Some(Value::Bool(explain)) => found.explain = *explain,
            Some(_) => return Err(wrong("options.", "explain", "true or false")),
        }
        Ok(found)
    }
}

/// Finds the caller of every evaluation. A fault of one of them does not touch the others. They are read when it is
/// their turn, since each has a copy of all that it is about.
async fn asked<'m>(
    asking: &Asking<'_>,
    sent_proof: SentProof,
    items: &[&'m Map<String, Value>],
    defaults: Entities<'m>,
) -> Vec<Result<(Asker, Entities<'m>), Error>> {
    let place = asking.place();
    let mut proofs: HashMap<String, Result<Option<Proof>, Error>> = HashMap::new();
    let mut asked = Vec::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        let at = place_of(number);
        let read = Entities::of(item, &at).and_then(|said| {
            let entities = said.or(defaults);
            Ok((entities.agent(&asking.caller, &at)?, entities))
        });
        asked.push(match read {
            Err(error) => Err(error),
            Ok((agent_id, entities)) => {
                // One proof is for all that is asked of this request for its agent.
                let key = &asking.caller.key;
                if !proofs.contains_key(&agent_id) {
                    let sent_proof = sent_proof.clone();
                    let proof = sent_proof.prove_once(asking.engine, key, &agent_id, "check").await;
                    proofs.insert(agent_id.clone(), proof);
                }
                let proof = proofs.get(&agent_id).cloned().unwrap_or(Ok(None));
                proof.map(|proof| {
                    let (key, place) = (Arc::clone(key), place.clone());
                    let trace = asking.trace();
                    (Asker { key, agent_id, proof, trace, place }, entities)
                })
            }
        });
    }
    asked
}

/// Returns what the members of an evaluation are named behind.
fn place_of(number: usize) -> String {
    format!("evaluations[{number}].")
}

struct Several<'a> {
    asking: &'a Asking<'a>,
    begun: Instant,
    asked: Vec<Result<(Asker, Entities<'a>), Error>>,
}

impl Several<'_> {
    async fn decide(&self, semantic: EvaluationsSemantic) -> Vec<AccessDecision> {
        let stops_at = match semantic {
            EvaluationsSemantic::DenyOnFirstDeny => false,
            EvaluationsSemantic::PermitOnFirstPermit => true,
            // An unknown word was refused.
            _ => return self.all().await,
        };
        // One after the other: what comes after the last one must not even be asked.
        let mut decisions = Vec::new();
        for number in 0..self.asked.len() {
            let decision = self.one(number).await;
            let is_last = decision.decision == stops_at;
            decisions.push(decision);
            if is_last {
                break;
            }
        }
        decisions
    }

    /// Decides every one of them. The place of the request is for one at a time; for each one beside it, it needs a
    /// share of what the lists of its key, and all lists, may have.
    async fn all(&self) -> Vec<AccessDecision> {
        let mut decisions = Vec::with_capacity(self.asked.len());
        let mut deciding = FuturesOrdered::new();
        for number in 0..self.asked.len() {
            let mut share = None;
            while !deciding.is_empty() {
                share = (deciding.len() < AT_A_TIME).then(|| self.asking.beside()).flatten();
                if share.is_some() {
                    break;
                }
                decisions.extend(deciding.next().await);
            }
            deciding.push_back(async move {
                let decision = self.one(number).await;
                drop(share);
                decision
            });
        }
        decisions.extend(deciding.collect::<Vec<_>>().await);
        decisions
    }

    async fn one(&self, number: usize) -> AccessDecision {
        let (asker, entities) = match self.asked.get(number) {
            Some(Ok((asker, entities))) => (asker, entities),
            Some(Err(error)) => return failed(error),
            None => return failed(&out_of_time()),
        };
        let limit = self.asking.engine.settings.check_deadline;
        let left = limit.saturating_sub(self.begun.elapsed());
        if left.is_zero() {
            return failed(&out_of_time());
        }
        let evaluation = match entities.evaluation(&place_of(number)) {
            Ok(evaluation) => evaluation,
            Err(error) => return failed(&error),
        };
        let decided = self.asking.evaluate_within(left, (asker, &evaluation), number).await;
        decided.unwrap_or_else(|error| failed(&error))
    }
}
