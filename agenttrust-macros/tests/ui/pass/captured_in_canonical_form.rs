//! The input is the JSON object of the arguments by name, in the one form (RFC 8785) that every
//! program makes of it.

#![deny(warnings)]

use std::collections::{BTreeMap, HashMap};

use agenttrust::{AgentTrustError, guarded};
use counting::{allowed, captures, step, steps};
use serde::Serialize;
use serde_json::json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    table_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u8>,
    order: Order,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Down(&'static str),
}

#[guarded]
fn tool(
    z: f64,
    b: Option<u8>,
    a: &[&str],
    names: HashMap<&str, u8>,
    filter: &Filter,
    numbers: BTreeMap<u8, i64>,
    unit: (),
) -> Result<usize, AgentTrustError> {
    step();
    let () = unit;
    let count = a.len() + names.len() + usize::from(b.is_some()) + numbers.len();
    step();
    Ok(count + usize::from(filter.limit.is_some()) + z as usize)
}

fn call() -> Result<usize, AgentTrustError> {
    let filter = Filter { table_name: "users", limit: None, order: Order::Down("id") };
    let names = HashMap::from([("ö", 1), ("a", 2), ("B", 3)]);
    tool(2.0, None, &["x", "\u{7}"], names, &filter, BTreeMap::from([(2, -1), (10, 0)]), ())
}

pub(super) fn main() {
    assert_eq!(steps(2).of(call), 9);
    captures(
        json!({
            "unit": null,
            "numbers": { "2": -1, "10": 0 },
            "filter": { "tableName": "users", "order": { "down": "id" } },
            "names": { "B": 3, "a": 2, "ö": 1 },
            "a": ["x", "\u{7}"],
            "b": null,
            "z": 2,
        }),
        call,
    );
    assert_eq!(
        allowed(call).checks[0].body["action_input_summary"],
        concat!(
            r#"{"a":["x","\u0007"],"b":null,"filter":{"order":{"down":"id"},"tableName":"users"},"#,
            r#""names":{"B":3,"a":2,"ö":1},"numbers":{"10":0,"2":-1},"unit":null,"z":2}"#
        )
    );
}
