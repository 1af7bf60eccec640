//! Patterns in parameters: destructured, `_`, `mut`, `@`, `ref`.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};

struct Request {
    path: String,
    mode: u32,
}

#[guarded]
fn sync(
    Request { mut path, mode: number @ 0.. }: Request,
    (first, [second, ..]): (u8, [u8; 2]),
    whole @ (left, _): (u8, u8),
    _: String,
    mut last: Vec<u8>,
    (ref kept, ref mut changed): (String, String),
) -> Result<String, AgentTrustError> {
    path.push('!');
    last.push(first + second + left + whole.1);
    changed.push_str(kept);
    Ok(format!("{path} {number} {last:?} {changed}"))
}

#[guarded]
async fn spun((mut a, b): (u8, u8), _: &u8) -> Result<u8, AgentTrustError> {
    a += b;
    Ok(a)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let request = Request { path: String::new(), mode: 0 };
    let strings = (String::new(), String::new());
    sync(request, (1, [2, 3]), (4, 5), String::new(), vec![], strings).unwrap_err();
    spun((1, 2), &3).await.unwrap_err();
}
