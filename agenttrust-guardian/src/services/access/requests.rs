//! Requests for access: each is an approval of exactly what was evaluated and denied.

use std::sync::Arc;
use std::time::Duration;

use agenttrust::internal::{REASON_MAX_CHARS, hex};
use agenttrust::model::{AccessDenial, Approval, ApprovalStatus, BoundTo};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tracing::Instrument as _;

use super::asked::{Asker, Bound, Evaluation, check, facts};
use super::denial;
use super::refusal::{Problem, Refused};
use crate::audit::Record;
use crate::domain::names::{check_input, check_reason};
use crate::domain::role::Access;
use crate::domain::{AccessAnswer, DecisionKind, Elevating, Error, ErrorKind, Reach, Role};
use crate::engine::Engine;
use crate::pipeline::{self, Asked, span};
use crate::services::approvals;
use crate::store::AccessRequestRow;

/// The time for which a task can be read longer than its approval.
const TOLD_FOR: Duration = Duration::from_secs(24 * 3600);

/// A request for access as it was submitted.
#[derive(Debug)]
pub(crate) struct Submission {
    /// The evaluation, with what its context says for the approver.
    pub(crate) evaluation: Evaluation,
    pub(crate) denial: AccessDenial,
    pub(crate) requested_access: Map<String, Value>,
    pub(crate) idempotency_key: Option<String>,
    /// The whole body, as it came.
    pub(crate) body: Map<String, Value>,
}

/// Opens the approval that is asked for, or finds the one that there is.
///
/// # Errors
///
/// What the profile has names for, and those of a check.
pub(crate) async fn open(
    engine: &Arc<Engine>,
    asker: &Asker,
    submission: Submission,
) -> Result<Approval, Refused> {
    let repeated = Repeated::new(asker, &submission)?;
    if let Some(approval) = earlier(engine, asker, repeated.as_ref()).await? {
        return Ok(approval);
    }
    let Submission { evaluation, denial, requested_access, .. } = submission;
    let denied = denial::verified(engine, &asker.key, &asker.agent_id, &evaluation, &denial)?;
    let shown = shown(&denied.bound, &evaluation, requested_access)?;
    let evaluation = evaluation.of_bound(&denied.bound);
    let asked = Asked {
        facts: facts(&evaluation)?,
        digest: denied.bound.hex(),
        shown,
        elevating: Elevating::Requested,
        denied: Some(denied.evaluation_id),
    };
    let check = Arc::new(check(asker, &evaluation, asked));
    let span = span::begin(engine, &check);
    let answer = pipeline::answer(engine, check).instrument(span.clone()).await?;
    span::end(&span, &answer);
    let reason = answer.result.reason.clone().unwrap_or_default();
    match (answer.decision, &answer.access) {
        (DecisionKind::Hold, Some(AccessAnswer { approval: Some(approval), .. })) => {
            let approval = Approval::clone(approval);
            match repeated {
                Some(repeated) => remember(engine, asker, repeated, approval).await,
                None => Ok(approval),
            }
        }
        (DecisionKind::Undecided, _) => Err(Error::unavailable(reason).passing().into()),
        (DecisionKind::Allow, _) => Err(Problem::NotRequestable
            .because("this is permitted by now, without an approval; evaluate it again")),
        _ => Err(Problem::NotRequestable
            .because(format!("this cannot be approved at present: {reason}"))),
    }
}

/// The facts that make a request the same as an earlier one of the same key.
struct Repeated {
    key_id: String,
    idempotency_key: String,
    body: String,
}

impl Repeated {
    fn new(asker: &Asker, submission: &Submission) -> Result<Option<Self>, Refused> {
        let Some(idempotency_key) = submission.idempotency_key.clone() else { return Ok(None) };
        let proven_by = asker.proof.as_ref().map(|proof| &*proof.thumbprint);
        let same = json!([asker.agent_id, proven_by, submission.body]);
        let canonical = serde_json_canonicalizer::to_vec(&same)
            .map_err(|error| Error::invalid("body", format!("has no canonical form: {error}")))?;
        let body = hex::encode(&Sha256::digest(canonical));
        Ok(Some(Self { key_id: asker.key.id.clone(), idempotency_key, body }))
    }
}

/// Returns the approval that the same request came to before.
async fn earlier(
    engine: &Engine,
    asker: &Asker,
    repeated: Option<&Repeated>,
) -> Result<Option<Approval>, Refused> {
    let Some(Repeated { key_id, idempotency_key, body }) = repeated else { return Ok(None) };
    let found = engine.store.access_request(key_id.clone(), idempotency_key.clone()).await;
    let Some(row) = found.map_err(Error::from)? else { return Ok(None) };
    if row.body != *body {
        return Err(Problem::DuplicateRequest.because(
            "this Idempotency-Key was used for another request; use a new one for each request",
        ));
    }
    let org_id = asker.key.org_id.clone();
    let found = engine.store.approval(row.approval_id, org_id, engine.clock.now()).await;
    Ok(found.map_err(Error::from)?.map(|row| row.approval))
}

/// Keeps which approval the request came to. Of two under one key at once, the first counts.
async fn remember(
    engine: &Engine,
    asker: &Asker,
    repeated: Repeated,
    approval: Approval,
) -> Result<Approval, Refused> {
    let row = AccessRequestRow {
        key_id: repeated.key_id.clone(),
        idempotency_key: repeated.idempotency_key.clone(),
        body: repeated.body.clone(),
        approval_id: approval.id.clone(),
        created_at: engine.clock.now(),
    };
    let is_first = engine.store.insert_access_request(row).await.map_err(Error::from)?;
    if is_first {
        return Ok(approval);
    }
    Ok(earlier(engine, asker, Some(&repeated)).await?.unwrap_or(approval))
}

/// Returns what the approver is shown: what is bound, and beside it what the caller says for it.
fn shown(
    bound: &Bound,
    evaluation: &Evaluation,
    requested_access: Map<String, Value>,
) -> Result<String, Error> {
    let mut shown = bound.value.clone();
    let context = evaluation.as_sent.get("context").and_then(Value::as_object);
    let beside = context.into_iter().flatten();
    let beside: Map<String, Value> = beside
        .filter(|(name, _)| !bound.members.contains(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some(members) = shown.as_object_mut() {
        for (name, said) in [("said_beside", beside), ("requested_access", requested_access)] {
            if !said.is_empty() {
                members.insert(name.to_owned(), said.into());
            }
        }
    }
    check_input("the request", &shown)?;
    Ok(shown.to_string())
}

/// Returns the approval that a task is, if the caller may see it.
///
/// # Errors
///
/// What the profile has names for, and those of the database.
pub(crate) async fn find(engine: &Engine, reach: Reach<'_>, id: &str) -> Result<Approval, Refused> {
    let unknown = || Problem::UnknownTask.because(format!("there is no task {id:?}"));
    let found = approvals::find(engine, reach, id).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => unknown(),
        _ => error.into(),
    })?;
    if found.bound_to != BoundTo::Evaluation {
        return Err(unknown());
    }
    let told_until = found.expires_at.map(|at| at.saturating_add(TOLD_FOR));
    if told_until.is_some_and(|until| until <= engine.clock.now()) {
        return Err(Problem::TaskExpired
            .because("the task ended over a day ago and is not shown any more; evaluate again"));
    }
    Ok(found)
}

/// Returns until when a task can be read.
pub(crate) fn told_until(approval: &Approval) -> Option<agenttrust::Timestamp> {
    approval.expires_at.map(|at| at.saturating_add(TOLD_FOR))
}

/// Returns the recorded reason for a cancellation, from its reason and its comment. It is checked as any other reason.
fn said_of(words: [Option<&str>; 2]) -> Result<String, Error> {
    for (name, word) in ["reason", "comment"].into_iter().zip(words) {
        word.map_or(Ok(()), |word| check_reason(name, word))?;
    }
    let said: Vec<&str> = words.into_iter().flatten().filter(|word| !word.is_empty()).collect();
    let said = said.join(": ");
    let chars = said.chars().count();
    if chars > REASON_MAX_CHARS {
        let long = format!(
            "have {chars} characters together; {REASON_MAX_CHARS} is the most, so say less"
        );
        return Err(Error::invalid("reason and comment", long));
    }
    Ok(if said.is_empty() { said } else { format!(": {said}") })
}

/// Cancels a request that is not decided yet, and returns what it is then.
///
/// # Errors
///
/// What the profile has names for, and those of the database.
pub(crate) async fn cancel(
    engine: &Engine,
    reach: Reach<'_>,
    id: &str,
    words: [Option<&str>; 2],
) -> Result<Approval, Refused> {
    // Who stands before an agent may check for it, and takes back only what it asked for itself.
    let access = match reach.key.role {
        Role::Gateway => Access::Own,
        _ => reach.access,
    };
    let reach = Reach { access, ..reach };
    let words = said_of(words)?;
    let found = find(engine, reach, id).await?;
    let done = |status: ApprovalStatus| {
        Problem::InvalidTaskState
            .because(format!("the request is {status} already and cannot be cancelled"))
    };
    if found.status != ApprovalStatus::Pending {
        return Err(done(found.status));
    }
    engine.ensure_auditable()?;
    let (now, why) = (engine.clock.now(), format!("cancelled by who asked{words}"));
    let org_id = reach.key.org_id.clone();
    let is_cancelled = engine.store.cancel_approval(id.to_owned(), org_id, why.clone(), now).await;
    if !is_cancelled.map_err(Error::from)? {
        return Err(done(find(engine, reach, id).await?.status));
    }
    engine.changes.announce(id);
    let record = Record::new("approval.cancelled", &reach.key.org_id)
        .agent(&found.agent_id)
        .actor(&reach.key.id)
        .body(json!({ "approval_id": id, "tool": found.action_name, "reason": why }));
    engine.record_audit(record).await?;
    find(engine, reach, id).await
}
