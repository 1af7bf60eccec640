//! A stream of the protocol up to 2025-11-25 that broke is taken up again behind the Guardian, by `Last-Event-ID`.

use std::time::Duration;

use agenttrust_tests::bounded::in_a_runtime;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::time::timeout;

use super::guardian_with_agent::GuardianWithAgent;
use super::peers::{Peer, node};
use super::session::Caller;

/// The time that a stream may be silent that has something to say, and one that has not.
const STREAM_TIMEOUT: Duration = Duration::from_secs(20);
const A_WHILE: Duration = Duration::from_secs(1);

/// Reads a stream until it has said these words; returns what it said so far.
async fn until(stream: &mut reqwest::Response, words: &str) -> Result<String> {
    let mut said = String::new();
    while !said.contains(words) {
        let piece =
            timeout(STREAM_TIMEOUT, stream.chunk()).await.context("the stream says no more")??;
        let piece = piece.with_context(|| format!("it ended without {words:?}: {said}"))?;
        said.push_str(&String::from_utf8_lossy(&piece));
    }
    Ok(said)
}

#[test]
fn what_was_missed_comes_and_the_stream_goes_on() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let (peer, guardian) = (Peer::everything(&node).await?, GuardianWithAgent::start().await?);
        let id = guardian.register("everything", &peer.url).await?;
        let caller = Caller::open_as(&guardian, guardian.proxied(&id), json!({})).await?;
        let slow = json!({ "name": "trigger-long-running-operation",
            "arguments": { "duration": 1, "steps": 4 }, "_meta": { "progressToken": "p" } });
        let slow = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": slow });
        let mut stream = caller.sent(slow).await?;
        let begun = until(&mut stream, "\"progress\":1,").await?;
        let last = begun.lines().filter_map(|line| line.strip_prefix("id: ")).next_back();
        let last = last.context("its events have ids")?.to_owned();
        drop(stream);
        // What this server says again of a later answer begins with an event that is an empty object.
        let echo = json!({ "name": "echo", "arguments": { "message": "meanwhile" } });
        let echo = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": echo });
        until(&mut caller.sent(echo).await?, "meanwhile").await?;
        tokio::time::sleep(A_WHILE).await;

        let resumed = caller.request(reqwest::Method::GET).header("last-event-id", last);
        let mut resumed = resumed.send().await?;
        ensure!(resumed.status().is_success(), "{}", resumed.status());
        let missed = until(&mut resumed, "operation completed").await?;
        for step in 2..=4 {
            ensure!(missed.contains(&format!("\"progress\":{step},")), "{missed}");
        }
        ensure!(!missed.contains("\"progress\":1,"), "it says again what was heard: {missed}");
        let end = timeout(A_WHILE, async {
            while let Some(_more) = resumed.chunk().await? {}
            anyhow::Ok(())
        });
        ensure!(end.await.is_err(), "it ended");
        Ok(())
    })
}
