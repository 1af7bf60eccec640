//! Every key of the attribute at once.

#![deny(warnings)]

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};
use counting::{allowed, captures, run, step, steps};
use serde_json::json;

struct Db {
    guard: Option<AgentTrustGuard>,
}

const NAME: &str = concat!("db", "_", "vacuum");

mod inner {
    pub(crate) use ::agenttrust as renamed;
}

#[guarded(
    effect = "destructive",
    tool = "db_delete",
    input(table),
    skip(db),
    scopes("db:write", "db:admin"),
    on_elevation = "wait",
    wait = "1s",
    on_denied = |error: AgentTrustError| Err(error.code().to_owned()),
    crate = inner::renamed,
)]
async fn delete(db: &Db, table: &str) -> Result<usize, String> {
    step();
    assert!(db.guard.is_none());
    Ok(table.len())
}

#[guarded(effect = "read", tool = NAME, skip_all, on_elevation = "fail")]
fn vacuum(db: &Db) -> Result<bool, AgentTrustError> {
    step();
    Ok(db.guard.is_none())
}

#[guarded(effect = "mutating", guard = db.guard.as_ref().unwrap(), on_elevation = "wait", wait = "1s")]
async fn insert(db: &Db) -> Result<bool, AgentTrustError> {
    step();
    Ok(db.guard.is_some())
}

pub(super) fn main() {
    let db = Db { guard: None };
    assert_eq!(steps(1).of(|| run(delete(&db, "users"))), 5);
    captures(json!({ "table": "users" }), || run(delete(&db, "users")));
    let check = allowed(|| run(delete(&db, "users"))).checks.remove(0);
    assert_eq!(check.body["action_name"], "db_delete");
    assert_eq!(check.body["action_effect"], "destructive");
    assert_eq!(check.headers["agenttrust-scopes"], "db:write,db:admin");

    assert!(steps(1).of(|| vacuum(&db)));
    assert_eq!(allowed(|| vacuum(&db)).checks[0].body["action_name"], "db_vacuum");
    assert!(steps(1).of_named(|guard| run(insert(&Db { guard: Some(guard.clone()) }))));
}
