//! A method's own keys go before those of its block, key by key, and `#[guarded(skip)]` leaves a method
//! out.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{Check, allowed, captures, run, step, steps, taken};
use serde_json::json;

struct Db(u8);

#[guarded(effect = "read", scopes("db:read"))]
impl Db {
    #[guarded(skip)]
    fn new(number: u8) -> Self {
        step();
        Self(number)
    }

    fn count(&self, table: &str) -> Result<usize, AgentTrustError> {
        step();
        Ok(table.len() + usize::from(self.0))
    }

    #[guarded(effect = "destructive", tool = "db_drop", skip(self))]
    async fn drop(&self, table: &str) -> Result<usize, AgentTrustError> {
        step();
        Ok(table.len() + usize::from(self.0))
    }

    #[guarded(scopes("db:admin"), on_denied = |error| error.code().to_owned())]
    fn name(&self, table: &str) -> String {
        step();
        format!("named {table} {}", self.0)
    }
}

pub(super) fn main() {
    // Left out: it runs, and asks nobody.
    let db = Db::new(1);
    assert_eq!(taken(), 1);

    assert_eq!(steps(1).of(|| db.count("users")), 6);
    asks(&allowed(|| db.count("users")).checks[0], "count", "read", "db:read");
    captures(json!({ "table": "users" }), || db.count("users"));

    assert_eq!(steps(1).of(|| run(db.drop("users"))), 6);
    asks(&allowed(|| run(db.drop("users"))).checks[0], "db_drop", "destructive", "db:read");

    let read = |output: String| if output.starts_with("named") { Ok(output) } else { Err(output) };
    assert_eq!(steps(1).of(|| read(db.name("users"))), "named users 1");
    asks(&allowed(|| db.name("users")).checks[0], "name", "read", "db:admin");
}

fn asks(check: &Check, tool: &str, effect: &str, scopes: &str) {
    assert_eq!(check.body["action_name"], tool);
    assert_eq!(check.body["action_effect"], effect);
    assert_eq!(check.headers["agenttrust-scopes"], scopes);
}
