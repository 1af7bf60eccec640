//! An argument that is not `Serialize` is left out of a call that reads or changes.

#![deny(warnings)]

use std::fmt::Debug;

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde_json::{Value, json};

struct Db(u8);

#[guarded(effect = "read")]
async fn read(db: &Db, path: &str, convert: fn(u8) -> u8) -> Result<u8, AgentTrustError> {
    step();
    assert_eq!(path, "a.txt");
    step();
    Ok(convert(db.0))
}

#[guarded(effect = "mutating")]
fn change(db: &mut Db, row: Option<Db>, shown: &dyn Debug) -> Result<u8, AgentTrustError> {
    step();
    db.0 += row.map_or(0, |row| row.0);
    assert_eq!(format!("{shown:?}"), "1");
    Ok(db.0)
}

#[guarded]
fn borrowed(references: (&Db, &u8), nested: &&&str) -> Result<usize, AgentTrustError> {
    step();
    Ok(usize::from(references.0.0 + references.1) + nested.len())
}

pub(super) fn main() {
    assert_eq!(steps(2).of(|| run(read(&Db(1), "a.txt", |n| n + 1))), 2);
    captures(json!({ "path": "a.txt" }), || run(read(&Db(1), "a.txt", |n| n + 1)));
    assert_eq!(steps(1).of(|| change(&mut Db(1), Some(Db(2)), &1)), 3);
    captures(Value::Null, || change(&mut Db(1), Some(Db(2)), &1));
    assert_eq!(steps(1).of(|| borrowed((&Db(1), &2), &&"abc")), 6);
    captures(json!({ "nested": "abc" }), || borrowed((&Db(1), &2), &&"abc"));
}
