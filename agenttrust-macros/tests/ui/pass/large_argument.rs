//! A large argument by value, captured whole: its end counts as much as its beginning.

#![deny(warnings)]

use agenttrust::{AgentTrustError, guarded};
use counting::{allowed, captures, run, step, steps};
use serde_json::json;

type Block = [[u32; 32]; 32];

#[guarded]
fn sync(mut block: Block) -> Result<u32, AgentTrustError> {
    step();
    block[31][31] += 1;
    step();
    Ok(block[31][31])
}

#[guarded(effect = "destructive")]
async fn spun(block: Block, text: String) -> Result<usize, AgentTrustError> {
    step();
    tokio::task::yield_now().await;
    step();
    Ok(block.len() + text.len())
}

pub(super) fn main() {
    let mut block = [[7; 32]; 32];
    assert_eq!(steps(2).of(|| sync(block)), 8);
    captures(json!({ "block": block }), || sync(block));
    assert_eq!(steps(2).of(|| run(spun(block, "a".repeat(100_000)))), 100_032);

    let digest = |block| {
        let check = allowed(|| sync(block)).checks.remove(0);
        check.headers["agenttrust-input-digest"].clone()
    };
    let before = digest(block);
    block[31][31] += 1;
    assert_ne!(before, digest(block));
}
