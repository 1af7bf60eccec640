//! `drop_all` of one table is another call than of the next: what is around a method is bound too.

#![deny(warnings)]

use std::marker::PhantomData;

use agenttrust::{AgentTrustError, guarded};
use counting::{captures, step, steps};
use serde::Serialize;
use serde_json::json;

#[derive(Serialize)]
struct Users;

struct Table<T>(PhantomData<T>);

#[guarded(effect = "destructive")]
impl<T> Table<T> {
    fn drop_all() -> Result<u8, AgentTrustError> {
        step();
        Ok(1)
    }
}

trait Wipes {
    #[guarded(effect = "destructive", skip(self))]
    fn wipe(&self) -> Result<u8, AgentTrustError> {
        step();
        Ok(2)
    }
}

impl Wipes for Users {}

#[guarded(effect = "admin")]
fn of_any(table: impl Serialize) -> Result<u8, AgentTrustError> {
    step();
    let _ = table;
    Ok(3)
}

pub(super) fn main() {
    assert_eq!(steps(1).of(Table::<Users>::drop_all), 1);
    let table = std::any::type_name::<Table<Users>>();
    captures(json!({ "<Self>": table }), Table::<Users>::drop_all);
    let users = std::any::type_name::<Users>();
    assert_eq!(steps(1).of(|| Users.wipe()), 2);
    captures(json!({ "<Self>": users }), || Users.wipe());
    captures(json!({ "<table>": users, "table": null }), || of_any(Users));
}
