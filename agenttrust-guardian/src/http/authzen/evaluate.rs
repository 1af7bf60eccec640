//! One evaluation.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::background;
use agenttrust::internal::hex;
use agenttrust::model::{AccessDecision, AccessEvaluation};
use axum::Json;
use axum::http::request::Parts;
use tracing::Instrument;

use super::super::App;
use super::super::admit::Place;
use super::super::answers::{NotFound, Unavailable};
use super::super::auth::Caller;
use super::super::base::base;
use super::super::body::Payload;
use super::super::params::{header, trace};
use super::super::proofs::{SentProof, tell};
use super::body::{Entities, object};
use super::decisions;
use super::echo::REQUEST_ID;
use crate::domain::limits::Share;
use crate::domain::{Answer, Base, Error, Permission, Trace, digest_of_parts};
use crate::engine::Engine;
use crate::pipeline::{self, Check, span};
use crate::services::access::{Asker, Evaluation, check_of};

/// Evaluates whether a subject may do something to a resource
///
/// The Access Evaluation API of AuthZEN 1.0. It is a check of the tool `action.name` for the agent that the subject
/// is, or that acts for the subject (`X-Agent-ID`, else the agent of the key), in the session `context.session_id`. A
/// denial is an answer and no error. Where it can be approved, `context.access_request` says how access is requested:
/// that is of the draft *AuthZEN Access Request and Approval Profile 1.0* (draft 1, 2026-06-03) and experimental.
#[utoipa::path(
    post, path = "/access/v1/evaluation", operation_id = "evaluate_access", tag = "access",
    params(("X-Request-ID" = Option<String>, Header, description = "A name for this request, which its answer repeats: within a minute, the same evaluation under it is decided once")),
    request_body = AccessEvaluation,
    responses(
        (
            status = 200, description = "The decision", body = AccessDecision,
            headers(("x-request-id" = String, description = "As it came")),
        ),
        NotFound, Unavailable,
    ),
)]
pub(in crate::http) async fn evaluation(
    engine: App,
    caller: Caller,
    parts: Parts,
    (place, sent_proof): (Place, SentProof),
    payload: Payload,
) -> Result<Json<AccessDecision>, Error> {
    caller.need(Permission::Check)?;
    let body = object(&parts.headers, payload.unbegun()).await?;
    let entities = Entities::of(&body, "")?;
    let asking = Asking::new(&engine, &parts, caller, place)?;
    asking.one(sent_proof, entities).await.map(Json)
}

/// The context that all evaluations of one request share.
pub(super) struct Asking<'a> {
    pub(super) engine: &'a Arc<Engine>,
    pub(super) caller: Caller,
    trace: Option<Trace>,
    base: Base,
    request_id: Option<&'a str>,
    place: Place,
}

impl<'a> Asking<'a> {
    pub(super) fn new(
        engine: &'a Arc<Engine>,
        parts: &'a Parts,
        caller: Caller,
        place: Place,
    ) -> Result<Self, Error> {
        let headers = &parts.headers;
        let request_id = header(headers, REQUEST_ID)?;
        Ok(Self {
            engine,
            caller,
            trace: trace(headers),
            base: base(engine, parts),
            request_id,
            place,
        })
    }

    /// Evaluates the only one of a request.
    pub(super) async fn one(
        self,
        sent_proof: SentProof,
        entities: Entities<'_>,
    ) -> Result<AccessDecision, Error> {
        let evaluation = entities.evaluation("")?;
        let agent_id = entities.agent(&self.caller, "")?;
        let proof = sent_proof.prove(self.engine, &self.caller.key, &agent_id)?;
        let (key, place) = (Arc::clone(&self.caller.key), self.place.take());
        let asker = Asker { key, agent_id, proof, trace: self.trace(), place };
        self.evaluate(&asker, &evaluation, 0).await
    }

    /// Returns the trace that the request is in.
    pub(super) fn trace(&self) -> Option<Trace> {
        self.trace.clone()
    }

    /// Returns the place of the request, for all of its evaluations.
    pub(super) fn place(&self) -> Option<Arc<Share>> {
        self.place.take()
    }

    /// Returns a share by which one evaluation more of a list is decided at a time.
    pub(super) fn beside(&self) -> Option<Share> {
        self.engine.limits.beside(&self.caller.key)
    }

    /// Evaluates one, the one of this number in its request.
    pub(super) async fn evaluate(
        &self,
        asker: &Asker,
        evaluation: &Evaluation,
        number: usize,
    ) -> Result<AccessDecision, Error> {
        let check = Arc::new(check_of(asker, evaluation)?);
        let span = span::begin(self.engine, &check);
        let answer = self.answer(check, evaluation, number).instrument(span.clone()).await;
        let answer = answer.inspect_err(|error| {
            tell(self.engine, &asker.key, "check", &asker.agent_id, error);
        })?;
        span::end(&span, &answer);
        decisions::decision(self.engine, &self.base, (asker, evaluation), &answer).await
    }

    /// Returns the same within what is left of the time that a request has.
    pub(super) async fn evaluate_within(
        &self,
        left: Duration,
        (asker, evaluation): (&Asker, &Evaluation),
        number: usize,
    ) -> Result<AccessDecision, Error> {
        // What was begun goes on by itself.
        let evaluating = self.evaluate(asker, evaluation, number);
        background::timeout(left, evaluating).await.unwrap_or_else(|_| Err(out_of_time()))
    }

    /// Decides the check, or says again what was said under the id of the request. Under one id others may ask much:
    /// what is another evaluation is decided by itself.
    async fn answer(
        &self,
        check: Arc<Check>,
        evaluation: &Evaluation,
        number: usize,
    ) -> Result<Arc<Answer>, Error> {
        let Some(request_id) = self.request_id else {
            return pipeline::answer(self.engine, check).await;
        };
        let proven_by = check.proof.as_ref().map(|proof| &*proof.thumbprint).unwrap_or_default();
        // Members that were read from JSON always serialise.
        let sent = serde_json::to_vec(&evaluation.as_sent).unwrap_or_default();
        let number = (number as u64).to_be_bytes();
        let parts: [&[u8]; 4] = [&sent, check.agent_id.as_bytes(), proven_by.as_bytes(), &number];
        let body = digest_of_parts(parts);
        let under = hex::encode(&digest_of_parts([request_id.as_bytes(), &body]));
        let under = format!("{REQUEST_ID}:{under}");
        pipeline::answer_once(self.engine, check, &under, body).await
    }
}

/// Returns what is said of an evaluation for which there is no time any more.
pub(super) fn out_of_time() -> Error {
    Error::busy(
        "not decided: there was no time left for this evaluation; ask for it again, with fewer at once",
    )
}
