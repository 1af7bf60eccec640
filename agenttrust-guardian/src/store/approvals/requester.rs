//! Which keys are the requester's, and how many approvers have voted. It is SQL, so that it is judged in the
//! transaction that decides or uses an approval.
//!
//! What it goes by never changes once a key is made: its owner, and the keys that it comes from. So a revoked key
//! counts as ever, and nothing needs to be locked for it.

use super::super::Transaction;
use super::super::db::query;

/// Whether the key `$key` comes from the key `$maker`: was made with it, or with one that was, and so on.
macro_rules! comes_from {
    ($key:literal, $maker:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM key_makers m WHERE m.key_id = ",
            $key,
            " AND m.maker_id = ",
            $maker,
            ")"
        )
    };
}

/// Whether the keys `$one` and `$other` have one owner. An absent owner is not the owner of any other key.
macro_rules! one_owner {
    ($one:literal, $other:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM keys one JOIN keys other ON other.owner = one.owner WHERE one.id = ",
            $one,
            " AND other.id = ",
            $other,
            ")"
        )
    };
}

/// Whether the key `$key` asked under the approval `$approval`, comes from one that did, or is of the owner of one.
macro_rules! is_of_requester {
    ($key:literal, $approval:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM approval_askers a WHERE a.approval_id = ",
            $approval,
            " AND (a.key_id = ",
            $key,
            " OR ",
            $crate::store::approvals::requester::comes_from!($key, "a.key_id"),
            " OR ",
            $crate::store::approvals::requester::one_owner!($key, "a.key_id"),
            "))"
        )
    };
}

/// The number of approvers whose votes count for the approval `$approval`. That of a revoked key does not. Unless
/// `$own` is true, nor does that of a key which is the requester's, also where it approved first and asked afterwards;
/// keys of one owner are one approver; and so are a key and those that come from it, of which the last one counts.
macro_rules! votes {
    ($approval:literal, $own:literal) => {
        concat!(
            "(SELECT COUNT(DISTINCT CASE WHEN k.owner IS NULL OR ",
            $own,
            " THEN 'key ' || v.key_id ELSE 'owner ' || k.owner END) \
             FROM approval_votes v LEFT JOIN keys k ON k.id = v.key_id WHERE v.approval_id = ",
            $approval,
            // The key of this process's own client is in no table, and is never revoked.
            " AND k.revoked_at IS NULL AND (",
            $own,
            " OR NOT (",
            $crate::store::approvals::requester::is_of_requester!("v.key_id", "v.approval_id"),
            " OR EXISTS (SELECT 1 FROM approval_votes w LEFT JOIN keys l ON l.id = w.key_id \
             WHERE w.approval_id = v.approval_id AND l.revoked_at IS NULL AND ",
            $crate::store::approvals::requester::comes_from!("w.key_id", "v.key_id"),
            " AND NOT ",
            $crate::store::approvals::requester::is_of_requester!("w.key_id", "w.approval_id"),
            "))))"
        )
    };
}
pub(super) use {comes_from, is_of_requester, one_owner, votes};

const RELATION: &str = concat!(
    "SELECT COUNT(CASE WHEN a.key_id = $2 THEN 1 END), COUNT(CASE WHEN ",
    comes_from!("$2", "a.key_id"),
    " THEN 1 END), COUNT(CASE WHEN ",
    one_owner!("$2", "a.key_id"),
    " THEN 1 END) FROM approval_askers a WHERE a.approval_id = $1"
);

/// The reason why a key counts as the requester's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequesterRelation {
    /// The key asked.
    Asked,
    /// The key comes from a key that asked.
    Made,
    /// The key is of the owner of a key that asked.
    Owned,
}

/// Returns why this key is the requester's of this approval, if it is.
pub(super) async fn requester_relation(
    transaction: &mut Transaction,
    approval_id: &str,
    key_id: &str,
) -> Result<Option<RequesterRelation>, sqlx::Error> {
    let (asked, made, owned): (i64, i64, i64) =
        query(RELATION).bind(approval_id).bind(key_id).fetch_one(transaction).await?;
    let found = [
        (asked, RequesterRelation::Asked),
        (made, RequesterRelation::Made),
        (owned, RequesterRelation::Owned),
    ];
    Ok(found.into_iter().find(|(count, _)| *count > 0).map(|(_, relation)| relation))
}
