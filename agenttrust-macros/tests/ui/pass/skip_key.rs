//! `skip(..)` leaves out what it names, also a name from inside a pattern.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, run, step, steps};
use serde_json::json;

struct Login {
    user: String,
    password: String,
}

struct Db;

#[guarded(skip(password))]
fn login(Login { user, password }: Login, remember: bool) -> Result<usize, AgentTrustError> {
    step();
    let length = user.len() + password.len();
    step();
    Ok(length + usize::from(remember))
}

impl Db {
    #[guarded(effect = "admin", skip(self, other))]
    async fn copy(&self, other: &Db, table: &str) -> Result<usize, AgentTrustError> {
        step();
        let (Db, Db) = (self, other);
        Ok(table.len())
    }
}

fn call() -> Result<usize, AgentTrustError> {
    login(Login { user: "ada".to_owned(), password: "hunter2".to_owned() }, true)
}

pub(super) fn main() {
    assert_eq!(steps(2).of(call), 11);
    captures(json!({ "user": "ada", "remember": true }), call);
    assert_eq!(steps(1).of(|| run(Db.copy(&Db, "users"))), 5);
    let of = std::any::type_name::<Db>();
    captures(json!({ "<Self>": of, "table": "users" }), || run(Db.copy(&Db, "users")));
}
