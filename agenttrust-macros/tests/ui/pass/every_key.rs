//! Every key of the attribute.

#![deny(warnings)]

use agenttrust::{AgentTrustError, AgentTrustGuard, guarded};

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
    wait = "1m30s",
    on_denied = |error: AgentTrustError| Err(error.code().to_owned()),
    crate = inner::renamed,
)]
async fn delete(db: &Db, table: &str) -> Result<usize, String> {
    assert!(db.guard.is_some());
    Ok(table.len())
}

#[guarded(effect = "read", tool = NAME, skip_all, on_elevation = "fail")]
fn vacuum(db: &Db) -> Result<(), AgentTrustError> {
    assert!(db.guard.is_some());
    Ok(())
}

#[guarded(effect = "mutating", guard = db.guard.as_ref().unwrap(), on_elevation = "wait")]
async fn insert(db: &Db) -> Result<(), AgentTrustError> {
    assert!(db.guard.is_some());
    Ok(())
}

#[guarded(effect = "admin", skip(db))]
fn grant(db: &Db, role: String) -> Result<String, AgentTrustError> {
    assert!(db.guard.is_some());
    Ok(role)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let db = Db { guard: None };
    assert_eq!(delete(&db, "users").await.unwrap_err(), "GUARDIAN_UNAVAILABLE");
    vacuum(&db).unwrap_err();
    grant(&db, "owner".to_owned()).unwrap_err();
    // Its guard would be asked for, so it is only built.
    drop(insert(&db));
}
