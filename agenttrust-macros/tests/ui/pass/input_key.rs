//! `input(..)` captures exactly what it names; with the stronger effects, beside what `skip(..)` names.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde_json::json;

struct Db;

#[guarded(input(path))]
fn one(path: &str, content: &str) -> Result<usize, AgentTrustError> {
    step();
    Ok(path.len() + content.len())
}

#[guarded(effect = "destructive", input(table, ids), skip(db))]
async fn all(db: &Db, ids: Vec<u8>, mut table: String) -> Result<usize, AgentTrustError> {
    step();
    let Db = db;
    table.clear();
    step();
    Ok(ids.len())
}

#[guarded(input(b))]
fn of_a_pattern((a, b): (u8, u8)) -> Result<u8, AgentTrustError> {
    step();
    Ok(a + b)
}

pub(super) fn main() {
    assert_eq!(steps(1).of(|| one("a.txt", "text")), 9);
    captures(json!({ "path": "a.txt" }), || one("a.txt", "text"));
    assert_eq!(steps(2).of(|| run(all(&Db, vec![1, 2], "users".to_owned()))), 2);
    let bound = json!({ "ids": [1, 2], "table": "users" });
    captures(bound, || run(all(&Db, vec![1, 2], "users".to_owned())));
    assert_eq!(steps(1).of(|| of_a_pattern((1, 2))), 3);
    captures(json!({ "b": 2 }), || of_a_pattern((1, 2)));
}
