//! Requests for access, by the draft *AuthZEN Access Request and Approval Profile 1.0* (draft 1, 2026-06-03):
//! experimental.

use agenttrust::Timestamp;
use agenttrust::model::headers::IDEMPOTENCY_KEY;
use agenttrust::model::schema::{Name, NameOrEmpty};
use agenttrust::model::{
    AccessDenial, AccessProblem, AccessRequest, AccessResult, AccessTaskLinks, AccessTaskResponse,
    AccessTaskStatus, Approval, ApprovalStatus, CancelAccessRequest, ErrorBody,
};
use axum::Json;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::super::App;
use super::super::admit::Place;
use super::super::answers::{NotFound, Unavailable};
use super::super::auth::Caller;
use super::super::base::base;
use super::super::body::Payload;
use super::super::params::{Id, header, trace};
use super::super::proofs::SentProof;
use super::REQUESTS;
use super::body::{
    Entities, lacking, member, missing, object, object_in, object_or_empty, text_in, wrong,
};
use super::decisions::shown;
use crate::domain::names::check_name;
use crate::domain::{Base, Error, Permission};
use crate::services::access::{self, Asker, Refused, Submission};

/// The number of seconds after which a caller asks again what became of a request.
const ASK_AGAIN_AFTER: &str = "2";

/// Requests access that was denied
///
/// Experimental: it follows the draft *AuthZEN Access Request and Approval Profile 1.0* (draft 1, 2026-06-03). It
/// opens an approval of exactly what was evaluated: agent, session, tool, effect, scopes, and subject, action,
/// resource and context as `denial.binding_token` binds them; what the context says beside is shown to the approver
/// and decides nothing. Where an approval of the same is pending or approved already, the answer names that one. One
/// request is for one evaluation: `items` and `callback` of the profile are not taken.
///
/// An `Idempotency-Key` is remembered for as long as its task is kept, and for the newest 1,000 requests of an API
/// key. The oldest is forgotten first: sent again after that, it is a new request.
#[utoipa::path(
    post, path = "/access/v1/requests", operation_id = "request_access", tag = "access",
    params(("Idempotency-Key" = Option<NameOrEmpty>, Header, description = "A name for this request: the same one once more gets the same task")),
    request_body = AccessRequest,
    responses(
        (
            status = 202, description = "An approver has to decide", body = AccessTaskResponse,
            headers(("Location" = String, description = "Where its status is read")),
            links(
                ("read" = (operation_id = "get_access_request", parameters(("id" = "$response.body#/task/id")))),
                ("cancel" = (operation_id = "cancel_access_request", parameters(("id" = "$response.body#/task/id")))),
            ),
        ),
        (
            status = 201, description = "It is decided already", body = AccessTaskResponse,
            headers(("Location" = String, description = "Where its status is read")),
        ),
        (status = 400, description = "The request is not as it must be, not bound to a denial, or nothing that can be approved", content((AccessProblem = "application/problem+json"), (ErrorBody = "application/json"))),
        NotFound,
        (status = 409, description = "The Idempotency-Key was used for another request", body = AccessProblem, content_type = "application/problem+json"),
        (status = 410, description = "The denial has expired", body = AccessProblem, content_type = "application/problem+json"),
        Unavailable,
    ),
)]
pub(in crate::http) async fn submit(
    engine: App,
    caller: Caller,
    parts: Parts,
    (place, sent_proof): (Place, SentProof),
    payload: Payload,
) -> Result<Response, Refused> {
    caller.need(Permission::Check)?;
    let body = object(&parts.headers, payload.unbegun()).await?;
    let (agent_id, submission) = submission(&parts.headers, &caller, body)?;
    need_actor(&submission.body, &agent_id)?;
    let proof = sent_proof.prove(&engine, &caller.key, &agent_id)?;
    let (trace, place) = (trace(&parts.headers), place.take());
    let asker = Asker { key: caller.key, agent_id, proof, trace, place };
    let approval = access::open(&engine, &asker, submission).await?;
    let base = base(&engine, &parts);
    let told = told(&base, &approval);
    let status = match told.task.status {
        AccessTaskStatus::Pending => StatusCode::ACCEPTED,
        _ => StatusCode::CREATED,
    };
    let location = [(LOCATION, address(&base, &approval.id))];
    Ok((status, location, Json(told)).into_response())
}

/// Returns what is submitted, and for which agent.
fn submission(
    headers: &HeaderMap,
    caller: &Caller,
    body: Map<String, Value>,
) -> Result<(String, Submission), Error> {
    for (name, instead) in [
        ("items", "request access to one thing at a time"),
        ("callback", "no callback is registered here; read the status of the task"),
    ] {
        if member(&body, name).is_some() {
            return Err(Error::invalid(name, format!("is not taken: {instead}")));
        }
    }
    let idempotency_key = header(headers, IDEMPOTENCY_KEY)?.map(str::to_owned);
    idempotency_key.as_deref().map_or(Ok(()), |key| check_name("Idempotency-Key", key))?;
    let entities = Entities::of(&body, "")?;
    let denial = object_in(&body, ("", "denial"))?;
    let mut lacks = entities.lacking("");
    lacks.extend(lacking("denial", denial, &["expires_at", "binding_token"]));
    // For one that lacks its token alone the profile has a name.
    if !lacks.is_empty() && lacks != ["denial.binding_token"] {
        return Err(missing(&lacks));
    }
    let evaluation = entities.evaluation("")?;
    let agent_id = entities.agent(caller, "")?;
    let denial = denial.map(denial_of).transpose()?.unwrap_or_default();
    let requested_access = object_in(&body, ("", "requested_access"))?.cloned().unwrap_or_default();
    let submission = Submission { evaluation, denial, requested_access, idempotency_key, body };
    Ok((agent_id, submission))
}

fn denial_of(said: &Map<String, Value>) -> Result<AccessDenial, Error> {
    let text = |name| Ok::<_, Error>(text_in(said, ("denial.", name))?.map(str::to_owned));
    let mut denial = AccessDenial::default();
    denial.evaluation_id = text("evaluation_id")?;
    denial.reason = text("reason")?;
    denial.binding_token = text("binding_token")?;
    denial.template = text("template")?;
    denial.evaluated_at = time_in(said, "evaluated_at")?;
    denial.expires_at = time_in(said, "expires_at")?;
    Ok(denial)
}

/// Returns a member of a denial that is a point in time.
fn time_in(said: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, Error> {
    let text = text_in(said, ("denial.", name))?;
    let wrong = |_| wrong("denial.", name, "a point in time, as in 2026-01-02T03:04:05Z");
    text.map(|text| text.parse().map_err(wrong)).transpose()
}

/// Refuses an actor that is not the agent that asks: no other one is verified by what comes with a request.
fn need_actor(body: &Map<String, Value>, agent_id: &str) -> Result<(), Error> {
    let Some(client) = object_in(body, ("", "client"))? else { return Ok(()) };
    let Some(actor) = object_in(client, ("client.", "actor"))? else { return Ok(()) };
    let is_agent = text_in(actor, ("client.actor.", "id"))? == Some(agent_id);
    if is_agent && member(actor, "act").is_none() {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "client.actor is not agent {agent_id:?}, for which this is asked, and nothing verifies another one; leave it out"
    )))
}

/// Reads what became of a request for access
///
/// Experimental: it follows the draft *AuthZEN Access Request and Approval Profile 1.0* (draft 1, 2026-06-03). Once it
/// is approved, evaluate the same again with `result.approval` as `context.approval`.
#[utoipa::path(
    get, path = "/access/v1/requests/{id}", operation_id = "get_access_request", tag = "access",
    params(("id" = Name, Path, description = "The task")),
    responses(
        (
            status = 200, description = "Where it stands", body = AccessTaskResponse,
            headers(("Retry-After" = u64, description = "Of one that waits: after how many seconds to ask again")),
        ),
        (status = 404, description = "There is no such task", body = AccessProblem, content_type = "application/problem+json"),
        (status = 410, description = "It was over a day ago", body = AccessProblem, content_type = "application/problem+json"),
        Unavailable,
    ),
)]
pub(in crate::http) async fn read(
    engine: App,
    caller: Caller,
    Id(id): Id,
    parts: Parts,
) -> Result<Response, Refused> {
    let reach = caller.reach(Permission::ReadApprovals)?;
    let approval = access::find(&engine, reach, &id).await?;
    let told = told(&base(&engine, &parts), &approval);
    let waits = told.task.status == AccessTaskStatus::Pending;
    let again = waits.then_some([(RETRY_AFTER, ASK_AGAIN_AFTER)]);
    Ok((again, Json(told)).into_response())
}

/// Cancels a request for access
///
/// Experimental: it follows the draft *AuthZEN Access Request and Approval Profile 1.0* (draft 1, 2026-06-03). A
/// request that an approver has decided can no longer be cancelled.
#[utoipa::path(
    post, path = "/access/v1/requests/{id}/cancel", operation_id = "cancel_access_request", tag = "access",
    params(("id" = Name, Path, description = "The task")),
    request_body = Option<CancelAccessRequest>,
    responses(
        (status = 200, description = "It is cancelled", body = AccessTaskResponse),
        (status = 404, description = "There is no such task", body = AccessProblem, content_type = "application/problem+json"),
        (status = 409, description = "It is done already", body = AccessProblem, content_type = "application/problem+json"),
        (status = 410, description = "It was over a day ago", body = AccessProblem, content_type = "application/problem+json"),
        Unavailable,
    ),
)]
pub(in crate::http) async fn cancel(
    engine: App,
    caller: Caller,
    Id(id): Id,
    parts: Parts,
    payload: Payload,
) -> Result<Json<AccessTaskResponse>, Refused> {
    let reach = caller.reach(Permission::Check)?;
    let body = object_or_empty(&parts.headers, payload).await?;
    let words = [text_in(&body, ("", "reason"))?, text_in(&body, ("", "comment"))?];
    let approval = access::cancel(&engine, reach, &id, words).await?;
    Ok(Json(told(&base(&engine, &parts), &approval)))
}

/// Returns where the task that an approval is, is read.
fn address(base: &Base, id: &str) -> String {
    base.below(&format!("{REQUESTS}/"), id)
}

/// Returns the task that an approval is.
///
/// | approval | task |
/// |---|---|
/// | pending | `pending` |
/// | approved, used or not, also once its time is over | `approved` |
/// | denied | `denied` |
/// | cancelled, or withdrawn because what it was for is over | `cancelled` |
/// | expired before it was decided | `expired` |
fn told(base: &Base, approval: &Approval) -> AccessTaskResponse {
    let mut told = AccessTaskResponse::default();
    let task = &mut told.task;
    task.id.clone_from(&approval.id);
    task.status = match approval.status {
        ApprovalStatus::Pending => AccessTaskStatus::Pending,
        ApprovalStatus::Approved | ApprovalStatus::Consumed => AccessTaskStatus::Approved,
        ApprovalStatus::Denied => AccessTaskStatus::Denied,
        ApprovalStatus::Expired if approval.decided_at.is_some() => AccessTaskStatus::Approved,
        ApprovalStatus::Expired if approval.decision_reason.is_some() => {
            AccessTaskStatus::Cancelled
        }
        ApprovalStatus::Expired => AccessTaskStatus::Expired,
        _ => AccessTaskStatus::Failed,
    };
    let status_endpoint = address(base, &approval.id);
    if task.status == AccessTaskStatus::Pending {
        let mut links = AccessTaskLinks::default();
        links.cancel = Some(format!("{status_endpoint}/cancel"));
        task.links = Some(links);
    }
    task.status_endpoint = Some(status_endpoint);
    let is_refused = matches!(task.status, AccessTaskStatus::Denied | AccessTaskStatus::Cancelled);
    if let Some(why) = approval.decision_reason.clone().filter(|_| is_refused) {
        task.display.insert("description".to_owned(), why.into());
    }
    task.expires_at = access::told_until(approval);
    if task.status == AccessTaskStatus::Approved {
        told.result = Some(AccessResult::reevaluate(shown(approval)));
    }
    told
}
