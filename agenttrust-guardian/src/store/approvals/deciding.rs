//! Deciding an approval: one transaction, so that what was checked is what is decided.

use agenttrust::Timestamp;
use agenttrust::model::ApprovalStatus;

use super::super::changes::{Kind, append_change};
use super::super::db::query;
use super::super::{Transaction, outbox};
use super::requester::{RequesterRelation, requester_relation, votes};
use super::{ApprovalRow, Store, StoreError, find};
use crate::domain::Event;

const ADD_VOTE: &str = "INSERT INTO approval_votes (approval_id, key_id, decided_by, voted_at) \
                        VALUES ($1, $2, $3, $4) ON CONFLICT (approval_id, key_id) DO NOTHING";
const COUNT_VOTES: &str = concat!("SELECT ", votes!("$1", "$2"));
const DECIDE: &str = "UPDATE approvals SET status = $2, decided_at = $3, decided_by = $4, \
                      decided_by_key = $5, expires_at = $6, decision_reason = $7, input = NULL \
                      WHERE id = $1 AND status = 'pending' AND expires_at > $3";

/// The vote of one caller on one approval.
#[derive(Clone, Debug)]
pub(crate) struct Vote {
    pub(crate) approval_id: String,
    pub(crate) org_id: String,
    /// The key that decides: the approver as the Guardian knows it.
    pub(crate) key_id: String,
    /// The name of the approver, as the caller says it.
    pub(crate) decided_by: Option<String>,
    /// The reason for the vote.
    pub(crate) reason: Option<String>,
    pub(crate) approve: bool,
    /// Whether a key of the requester may decide.
    pub(crate) allow_self: bool,
    pub(crate) now: Timestamp,
}

/// The result of a vote.
#[derive(Clone, Debug)]
pub(crate) enum Decided {
    /// No such approval is in this organisation.
    Unknown,
    /// The approval was decided, used or expired before.
    Late(ApprovalRow),
    /// The key is the requester's.
    OwnRequest(RequesterRelation),
    /// The vote counts, and more are needed; `repeated` when there is no approver more than before.
    Counted { row: ApprovalRow, votes: u32, repeated: bool },
    /// The vote decided it.
    Done { row: ApprovalRow, own_request: bool },
}

impl Store {
    /// Counts a vote, and decides if it is enough.
    pub(crate) async fn decide(&self, vote: Vote) -> Result<Decided, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            let (org_id, approve, now) = (vote.org_id.clone(), vote.approve, vote.now);
            let decided = decide(&mut transaction, vote).await?;
            if let Decided::Done { row, .. } = &decided {
                let event = if approve { Event::Approved } else { Event::Denied };
                outbox::enqueue(&mut transaction, event, &row.approval, now).await?;
            }
            if let Decided::Counted { row, .. } | Decided::Done { row, .. } = &decided {
                append_change(&mut transaction, Kind::Approval, &org_id, &row.approval.id, now)
                    .await?;
            }
            transaction.commit().await?;
            Ok(decided)
        })
        .await
    }
}

async fn decide(transaction: &mut Transaction, vote: Vote) -> Result<Decided, sqlx::Error> {
    let (id, org_id, now) = (&vote.approval_id, &vote.org_id, vote.now);
    let own_votes = vote.allow_self;
    let Some(seen) = find(&mut *transaction, id, org_id, own_votes, now).await? else {
        return Ok(Decided::Unknown);
    };
    transaction.lock(&seen.approval.agent_id).await?;
    // Looked at again, because others may have had the lock meanwhile.
    let Some(row) = find(&mut *transaction, id, org_id, own_votes, now).await? else {
        return Ok(Decided::Unknown);
    };
    if row.approval.status != ApprovalStatus::Pending {
        return Ok(Decided::Late(row));
    }
    let relation = requester_relation(transaction, id, &vote.key_id).await?;
    if let (Some(relation), false) = (relation, vote.allow_self) {
        return Ok(Decided::OwnRequest(relation));
    }
    let (status, expires_at, votes) = if vote.approve {
        query(ADD_VOTE)
            .bind(id)
            .bind(&vote.key_id)
            .bind(&vote.decided_by)
            .bind(now.unix_micros())
            .execute(&mut *transaction)
            .await?;
        let (votes,): (i64,) =
            query(COUNT_VOTES).bind(id).bind(own_votes).fetch_one(&mut *transaction).await?;
        let counted = u32::try_from(votes).unwrap_or(0);
        if votes < i64::from(row.quorum) {
            let repeated = row.approval.approvals >= Some(counted);
            return Ok(Decided::Counted { row, votes: counted, repeated });
        }
        (ApprovalStatus::Approved, now.saturating_add(row.window), Some(counted))
    } else {
        // A denial holds for the rest of the window that the request had.
        (ApprovalStatus::Denied, row.approval.expires_at.unwrap_or(now), row.approval.approvals)
    };
    let done = query(DECIDE)
        .bind(id)
        .bind(status.as_str())
        .bind(now.unix_micros())
        .bind(&vote.decided_by)
        .bind(&vote.key_id)
        .bind(expires_at.unix_micros())
        .bind(&vote.reason)
        .execute(&mut *transaction)
        .await?;
    match find(&mut *transaction, id, org_id, own_votes, now).await? {
        // Another replica found it expired meanwhile.
        Some(row) if done == 0 => Ok(Decided::Late(row)),
        Some(mut row) => {
            // Those that decided it: the key of one may be revoked since, in another transaction.
            row.approval.approvals = votes;
            Ok(Decided::Done { row, own_request: relation.is_some() })
        }
        None => Ok(Decided::Unknown),
    }
}
