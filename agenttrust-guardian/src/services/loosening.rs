//! The hold of changes that would take away a hold for several approvers: a weaker effect of a tool or one that is
//! held for fewer, a looser floor of an agent. One person who could do it alone would be all of them, so it is held
//! for as many itself.
//!
//! Such a change waits in an approval as a held call does: the approver sees what is to change, and none of the keys
//! of the requester decides it. The agent of such an approval stands for the operators of the organisation. It is in
//! no memory, so nothing is checked, issued or revoked for it, and no call of an agent falls under what was approved
//! for a change.

use std::time::Duration;

use agenttrust::model::{Approval, BoundTo};
use serde_json::{Map, Value, json};

use crate::audit::Record;
use crate::domain::{Error, ErrorKind, Fingerprint, Key, ids};
use crate::engine::Engine;
use crate::metrics::ApprovalEvent;
use crate::policy::{DEFAULT_WINDOW, Demanded};
use crate::store::{HeldCheck, NewApproval, Settled};

/// The greatest length of what is shown to an approver, as JSON, in bytes.
const INPUT_MOST: usize = 64 << 10;
/// The greatest length of the words for it, in characters.
const SUMMARY_MOST: usize = 200;

/// A change that loosens something, and what it takes.
#[derive(Clone, Debug)]
pub(crate) struct Loosening {
    /// The name of the change in its approval, where that of a call names a tool.
    pub(crate) action: &'static str,
    /// The change, for the approver. The approval is for this and nothing else.
    pub(crate) input: Value,
    /// The same in a few words, which go on from "to".
    pub(crate) summary: String,
    /// The policies that hold what it loosens, and how many approvers they want.
    pub(crate) demanded: Demanded,
}

impl Loosening {
    /// Returns what tells one change from another.
    pub(crate) fn digest(&self) -> Fingerprint {
        let Self { action, input, .. } = self;
        Fingerprint::from_text(&format!("agenttrust/loosening/v1\n{action}\n{input}"))
    }

    /// Returns how long an approval of it serves.
    fn window(&self) -> Duration {
        self.demanded.terms.window.map_or(DEFAULT_WINDOW, |window| window.min(DEFAULT_WINDOW))
    }

    /// Returns the words for it, cut to what a list shows.
    fn words(&self) -> String {
        match self.summary.char_indices().nth(SUMMARY_MOST) {
            None => self.summary.clone(),
            Some(_) => {
                let short: String = self.summary.chars().take(SUMMARY_MOST - 1).collect();
                format!("{short}…")
            }
        }
    }
}

/// The approval that a change uses.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    /// The digest of the change that was approved.
    pub(crate) digest: Fingerprint,
    approval_id: String,
    /// The id under which it is noted that the approval is used.
    change_id: String,
}

impl Granted {
    /// Returns what the audit says of the change, with the approval that it rests on.
    pub(crate) fn noted(&self, mut record: Record) -> Record {
        if let Some(body) = record.body.as_object_mut() {
            body.insert("approval_id".to_owned(), json!(self.approval_id));
        }
        record
    }
}

/// Finds the approval of this change and uses it, or opens one.
///
/// # Errors
///
/// Held, with the approval that has to be decided first; forbidden where it was denied; invalid for more at once than
/// an approver could be shown; unavailable where the database does not answer.
pub(crate) async fn approved(
    engine: &Engine,
    key: &Key,
    wanted: &Loosening,
) -> Result<Granted, Error> {
    let held = held(engine, key, wanted).await?;
    let (digest, change_id) = (wanted.digest(), held.check_id.clone());
    let (approval, is_new) = match engine.store.settle(held).await? {
        Settled::Used(row) => {
            engine.metrics.approval(ApprovalEvent::Used);
            engine.changes.announce(&row.approval.id);
            return Ok(Granted { digest, approval_id: row.approval.id, change_id });
        }
        Settled::Opened(row, _) => (row.approval, true),
        Settled::Waiting(row) => (row.approval, false),
        Settled::Denied(row) => return Err(denied(&row.approval)),
        Settled::TooManyDenials { .. } => {
            return Err(Error::forbidden(
                "changes of this kind were denied 3 times within 10 minutes, so no approval is opened for another \
                 one for now; ask those who denied them",
            ));
        }
        Settled::TooManyPending => {
            return Err(Error::too_many(
                "20 changes wait for approval in this organisation, which is the most; have some decided first",
            ));
        }
        // None is asked for on behalf of another agent.
        Settled::OutOfBudget(_)
        | Settled::Inactive
        | Settled::DeniedToGiver { .. }
        | Settled::Ready(_)
        | Settled::Needed(_) => {
            return Err(Error::unavailable(
                "no approval can be opened for this change at present; try again later",
            ));
        }
    };
    if is_new {
        tell_of(engine, key, wanted, &approval).await?;
    }
    Err(waits(wanted, &approval))
}

async fn held(engine: &Engine, key: &Key, wanted: &Loosening) -> Result<HeldCheck, Error> {
    let text = wanted.input.to_string();
    if text.len() > INPUT_MOST {
        return Err(Error::new(
            ErrorKind::Invalid,
            "this loosens more at once than an approver could be shown; change fewer at once",
        ));
    }
    let now = engine.clock.now();
    let terms = wanted.demanded.terms;
    let pending = terms.pending.unwrap_or(engine.settings.approval_ttl);
    let approval = NewApproval {
        id: ids::new("apr_"),
        org_id: key.org_id.clone(),
        agent_id: engine.store.stand_in(key.org_id.clone(), now).await?,
        session_id: String::new(),
        tool: wanted.action.to_owned(),
        effect: "admin",
        scopes: Vec::new(),
        bound_to: BoundTo::Input,
        bound_value: wanted.digest().to_hex(),
        key_id: None,
        summary: Some(wanted.words()),
        on_behalf_of: Vec::new(),
        reason: reason(wanted),
        quorum: terms.quorum,
        window: wanted.window(),
        single_use: true,
        expires_at: now.saturating_add(pending),
        input: Some(text),
    };
    Ok(HeldCheck {
        approval,
        askers: vec![key.id.clone()],
        check_id: ids::new("chg_"),
        now,
        charges: Vec::new(),
        charged_at: engine.clock.undisturbed(),
        task_message: None,
        elevating: None,
    })
}

fn reason(wanted: &Loosening) -> String {
    let Demanded { terms, policies } = &wanted.demanded;
    let named: Vec<String> = policies.iter().take(3).map(|id| format!("`{id}`")).collect();
    let more = policies.len().saturating_sub(named.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("it takes away what {}{more} holds for {} approvers", named.join(", "), terms.quorum)
}

fn waits(wanted: &Loosening, approval: &Approval) -> Error {
    let (id, quorum) = (&approval.id, wanted.demanded.terms.quorum);
    let message = format!(
        "to {} waits for approval {id}, because {}; have as many approve it who are not the one that asks \
         (`agenttrust approvals show {id}`), then send this request again within {} s of the decision",
        wanted.words(),
        reason(wanted),
        wanted.window().as_secs(),
    );
    let mut details = Map::new();
    details.insert("approval_id".to_owned(), json!(id));
    details.insert("quorum".to_owned(), json!(quorum));
    details.insert("expires_at".to_owned(), json!(approval.expires_at));
    Error::new(ErrorKind::Held, message).with(Value::Object(details))
}

fn denied(approval: &Approval) -> Error {
    let until = approval.expires_at.map(|at| format!(" until {at}")).unwrap_or_default();
    let why = approval.decision_reason.as_deref().map(|why| format!(" ({why})"));
    let (id, why) = (&approval.id, why.unwrap_or_default());
    Error::forbidden(format!("approval {id} of this change was denied{why}, which holds{until}"))
}

/// Tells the person at the terminal, and the audit, of a change that is held.
async fn tell_of(
    engine: &Engine,
    key: &Key,
    wanted: &Loosening,
    approval: &Approval,
) -> Result<(), Error> {
    engine.metrics.approval(ApprovalEvent::Opened);
    let (id, words) = (&approval.id, wanted.words());
    tracing::info!(
        "held {id}: an operator wants to {words:?}; decide with `agenttrust approvals show {id}`, then `approve` or \
         `deny`"
    );
    let about = json!({
        "approval_id": id,
        "action": wanted.action,
        "summary": words,
        "policies": wanted.demanded.policies,
        "quorum": wanted.demanded.terms.quorum,
    });
    let record = Record::new("change.held", &key.org_id).actor(&key.id).body(about);
    engine.record_audit(record).await
}

/// Keeps whether the change was made that used this approval.
pub(crate) async fn ended(engine: &Engine, granted: &Granted, made: bool) {
    let now = engine.clock.now();
    if let Err(error) = engine.store.end_change(granted.change_id.clone(), made, now).await {
        // It is listed as in doubt, which it is no more than the audit says.
        tracing::warn!(%error, approval_id = granted.approval_id, "how a change ended could not be kept");
    }
}
