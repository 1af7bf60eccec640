//! MCP's own conformance kit says of a server behind the Guardian what it says of the server itself, but for what is
//! written down with its reason.

use std::path::Path;

use agenttrust_tests::bounded::in_a_runtime;
use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use super::peers::node;
use crate::AGENTTRUST;

#[test]
fn the_kit_finds_behind_the_guardian_what_it_finds_without_it() -> Result<()> {
    if node().is_none() {
        return Ok(());
    }
    in_a_runtime(async || {
        // Without the extensions, whose tasks take their time: by hand it runs all.
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/mcp-conformance");
        let mut command = Command::new(script);
        command.args(["--short", "--agenttrust", AGENTTRUST]).kill_on_drop(true);
        let output = command.output().await.context("the script starts")?;
        ensure!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    })
}
