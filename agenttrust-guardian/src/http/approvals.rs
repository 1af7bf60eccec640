//! One approval: read, waited for, decided, and shown its input.

use std::pin::pin;
use std::time::Duration;

use agenttrust::background;
use agenttrust::guard::digest;
use agenttrust::model::schema::{Name, NameOrEmpty};
use agenttrust::model::{Approval, ApprovalStatus};
use axum::Json;
use futures_util::future::{Either, select};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use utoipa::ToSchema;

use super::App;
use super::admit::Place;
use super::answers::{Conflict, Done, NotFound, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use super::finish::Finish;
use super::params::{Id, Params};
use crate::audit::Record;
use crate::domain::Error;
use crate::domain::Permission;
use crate::domain::names::{check_input, check_name};
use crate::domain::role::Access;
use crate::engine::Engine;
use crate::metrics::ApprovalEvent;
use crate::store::{Decided, Vote};

/// The longest that a request may wait, in seconds.
const WAIT_MOST: u64 = 60;

/// Read an approval
///
/// With `wait`, a pending one is answered when it changes, or after that many seconds.
#[utoipa::path(
    get, path = "/mcp/approvals/{id}", operation_id = "get_approval", tag = "approvals",
    params(
        ("id" = Name, Path, description = "The approval"),
        ("wait" = Option<u64>, Query, maximum = 60, description = "How long to wait for a change, in seconds"),
    ),
    responses((status = 200, description = "The approval", body = Approval), NotFound, Unavailable),
)]
pub(super) async fn get(
    engine: App,
    caller: Caller,
    Id(id): Id,
    params: Params,
    place: Place,
) -> Result<Json<Approval>, Error> {
    let access = caller.need(Permission::ReadApprovals)?;
    let wait: u64 = params.number("wait")?.unwrap_or(0);
    if wait > WAIT_MOST {
        return Err(Error::invalid("wait", format!("is {wait}; {WAIT_MOST} seconds is the most")));
    }
    // Heard from before the first look, so that no change falls between looking and listening.
    let mut changes = engine.changes.listen();
    let mut closing = engine.closing();
    let mut deadline = pin!(background::sleep(Duration::from_secs(wait)));
    let mut approval = read(&engine, &caller, access, &id).await?;
    let waits = wait > 0 && approval.status == ApprovalStatus::Pending;
    let _waiting = if waits { place.wait()? } else { None };
    while wait > 0 && approval.status == ApprovalStatus::Pending && !*closing.borrow_and_update() {
        let left = approval.expires_at.map_or(Duration::ZERO, |at| engine.clock.now().until(at));
        let changed = pin!(async {
            loop {
                match changes.recv().await {
                    Ok(changed) if *changed == *id => return,
                    Ok(_) => {}
                    // Some were missed: it may be among them. Or the Guardian is going.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                }
            }
        });
        let lapsed = pin!(background::sleep(left));
        let closed = pin!(closing.changed());
        let news = select(changed, select(lapsed, closed));
        let over = matches!(select(news, deadline.as_mut()).await, Either::Right(_));
        // At the deadline too: not every change is announced in time to be heard.
        approval = read(&engine, &caller, access, &id).await?;
        if over {
            break;
        }
    }
    Ok(Json(approval))
}

/// Approve a held action
#[utoipa::path(
    post, path = "/mcp/approvals/{id}/approve", operation_id = "approve", tag = "approvals",
    params(("id" = Name, Path, description = "The approval")),
    request_body = Option<Decision>,
    responses(
        (status = 200, description = "Where it stands now", body = DecisionAnswer), NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn approve(
    engine: App,
    caller: Caller,
    id: Id,
    payload: Payload,
) -> Result<Json<DecisionAnswer>, Error> {
    decide(engine, caller, id, payload, true).await
}

/// Deny a held action
#[utoipa::path(
    post, path = "/mcp/approvals/{id}/deny", operation_id = "deny", tag = "approvals",
    params(("id" = Name, Path, description = "The approval")),
    request_body = Option<Decision>,
    responses(
        (status = 200, description = "Where it stands now", body = DecisionAnswer), NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn deny(
    engine: App,
    caller: Caller,
    id: Id,
    payload: Payload,
) -> Result<Json<DecisionAnswer>, Error> {
    decide(engine, caller, id, payload, false).await
}

/// The body of the two above.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Decision {
    /// Who decides, in the caller's words. Recorded beside the key, which says who it really was.
    #[serde(default)]
    #[schema(value_type = Option<NameOrEmpty>)]
    decided_by: Option<String>,
}

/// The answer of the two above.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DecisionAnswer {
    status: ApprovalStatus,
    /// How many have approved so far; absent when the decision was made before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    approvals: Option<u32>,
    /// How many it takes; absent when the decision was made before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    quorum: Option<u32>,
}

async fn decide(
    engine: App,
    caller: Caller,
    Id(id): Id,
    payload: Payload,
    approve: bool,
) -> Result<Json<DecisionAnswer>, Error> {
    caller.need(Permission::DecideApprovals)?;
    let Decision { decided_by } = payload.json_or_empty().await?;
    let decided_by = decided_by.filter(|name| !name.is_empty());
    decided_by.as_deref().map_or(Ok(()), |name| check_name("decided_by", name))?;
    engine.ensure_auditable()?;
    let now = engine.clock.now();
    let found = engine.store.approval(id.clone(), caller.org_id().to_owned(), now).await?;
    let row = found.ok_or_else(|| Error::unknown("approval", &id))?;
    if caller.key.is_bound_to(&row.approval.agent_id) && !engine.settings.allow_self_approval {
        return Err(own_request(&id));
    }
    let vote = Vote {
        approval_id: id.clone(),
        org_id: caller.org_id().to_owned(),
        key_id: caller.key.id.clone(),
        decided_by: decided_by.clone(),
        approve,
        allow_self: engine.settings.allow_self_approval,
        now,
    };
    let (approval, kind, own_request, votes) = match engine.store.decide(vote).await? {
        Decided::Unknown => return Err(Error::unknown("approval", &id)),
        Decided::OwnRequest => return Err(own_request(&id)),
        Decided::Late(row) => return late(&caller, row.approval, approve),
        Decided::Counted { row, votes } => (row.approval, "approval.vote", false, votes),
        Decided::Done { row, own_request } => {
            let kind = if approve { "approval.approved" } else { "approval.denied" };
            let event = if approve { ApprovalEvent::Approved } else { ApprovalEvent::Denied };
            engine.metrics.approval(event);
            let votes = row.approval.approvals.unwrap_or(0);
            (row.approval, kind, own_request, votes)
        }
    };
    engine.changes.announce(&id);
    if own_request {
        tracing::warn!(approval_id = id, key_id = caller.key.id, "a key decided its own request");
    }
    let record = Record::new(kind, caller.org_id())
        .agent(&approval.agent_id)
        .actor(&caller.key.id)
        .body(json!({
            "approval_id": id,
            "tool": approval.action_name,
            "effect": approval.action_effect,
            "session_id": approval.session_id,
            "bound_to": approval.bound_to,
            "input_digest": approval.input_digest,
            "decided_by": decided_by,
            "own_request": own_request,
            "approvals": votes,
            "quorum": approval.quorum,
        }));
    engine.record_audit(record).await?;
    Ok(Json(DecisionAnswer {
        status: approval.status,
        approvals: Some(votes),
        quorum: approval.quorum,
    }))
}

/// The same word from the same key once more changes nothing and is no error: its first answer may
/// have been lost on the way.
fn late(caller: &Caller, approval: Approval, approve: bool) -> Result<Json<DecisionAnswer>, Error> {
    let same = match approval.status {
        ApprovalStatus::Approved | ApprovalStatus::Consumed => approve,
        ApprovalStatus::Denied => !approve,
        _ => false,
    };
    if same && approval.decided_by_key.as_deref() == Some(&caller.key.id) {
        let status = approval.status;
        return Ok(Json(DecisionAnswer { status, approvals: None, quorum: None }));
    }
    Err(Error::conflict(match approval.status {
        ApprovalStatus::Expired => {
            format!("approval {:?} has expired; the action must be asked for again", approval.id)
        }
        status => {
            format!("approval {:?} is {status} already and cannot be decided again", approval.id)
        }
    }))
}

fn own_request(id: &str) -> Error {
    Error::forbidden(format!(
        "this key asked for approval {id:?} or is bound to its agent, so it cannot decide it; \
         have somebody else's operator key decide"
    ))
}

/// The body of `PUT /mcp/approvals/{id}/input`.
#[derive(Deserialize, ToSchema)]
pub(super) struct Disclosure {
    /// The input; at most 64 KiB as JSON, nested at most 32 deep.
    #[schema(value_type = Value)]
    input: Value,
    /// What opens the digest for this one input.
    r: String,
}

/// Show the approver what the digest commits to
///
/// What opens the digest is looked at and not kept.
#[utoipa::path(
    put, path = "/mcp/approvals/{id}/input", operation_id = "disclose_input", tag = "approvals",
    params(("id" = Name, Path, description = "The approval")),
    request_body = Disclosure,
    responses(
        (status = 200, description = "The approver is shown it", body = Done), NotFound, Conflict, Unavailable,
    ),
)]
pub(super) async fn disclose(
    engine: App,
    caller: Caller,
    Id(id): Id,
    finish: Finish,
    payload: Payload,
) -> Result<Json<Done>, Error> {
    let access = caller.need(Permission::DiscloseInput)?;
    let Disclosure { input, r } = payload.unbegun().json().await?;
    let approval = read(&engine, &caller, access, &id).await?;
    let Some(expected) = &approval.input_digest else {
        return Err(Error::conflict(format!(
            "approval {id:?} is not bound to an input, so there is none to show"
        )));
    };
    check_input("input", &input)?;
    if !digest::opens(expected, &r, &input) {
        return Err(Error::invalid("input", "is not what the approval's digest commits to"));
    }
    finish.begin();
    let text = serde_json::to_string(&input)
        .map_err(|error| Error::invalid("input", format!("cannot be kept: {error}")))?;
    if !engine.store.set_approval_input(id.clone(), text, engine.clock.now()).await? {
        return Err(Error::conflict(format!(
            "approval {id:?} is not pending any more, so nobody needs its input"
        )));
    }
    Ok(Json(Done { status: "disclosed" }))
}

/// The approval, if the caller may see it: of its agents, or one that it asked for itself. To
/// everybody else there is no such approval, so that an id tells nothing about whose it is.
async fn read(
    engine: &Engine,
    caller: &Caller,
    access: Access,
    id: &str,
) -> Result<Approval, Error> {
    let now = engine.clock.now();
    let found =
        engine.reading_store.approval(id.to_owned(), caller.org_id().to_owned(), now).await?;
    let approval = found.ok_or_else(|| Error::unknown("approval", id))?.approval;
    if access == Access::Any || caller.key.is_bound_to(&approval.agent_id) {
        return Ok(approval);
    }
    if engine.reading_store.is_asker(id.to_owned(), caller.key.id.clone()).await? {
        return Ok(approval);
    }
    Err(Error::unknown("approval", id))
}
