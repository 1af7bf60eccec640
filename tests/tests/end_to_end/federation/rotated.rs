//! An issuer whose keys change while sessions are made, and one that is not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agenttrust_tests::bounded::{in_a_runtime, until};
use anyhow::{Context, Result, ensure};
use reqwest::StatusCode;
use serde_json::json;

use super::issuer::{ALGORITHMS, Issuer};
use super::{begun, node, register, verified};
use crate::mcp::guardian_with_agent::GuardianWithAgent;

/// The number of times that the keys are rotated.
const ROTATIONS: usize = 4;

async fn started(node: &std::path::Path) -> Result<(Issuer, GuardianWithAgent, String)> {
    let (issuer, guardian) = (Issuer::start(node).await?, GuardianWithAgent::start().await?);
    let here = guardian.served.url();
    let all = json!({ "agent_id": guardian.agent_id });
    let members = json!({ "audiences": [here], "rules": [all], "trust_level": "high" });
    register(&guardian, &issuer, members).await?;
    Ok((issuer, guardian, here))
}

/// Makes one session after the other, each with a token of its own, until told to stop; counts them.
async fn make_sessions(
    (issuer, guardian): (Arc<Issuer>, Arc<GuardianWithAgent>),
    algorithm: &'static str,
    (made, stop): (Arc<AtomicUsize>, Arc<AtomicUsize>),
) -> Result<()> {
    let here = guardian.served.url();
    while stop.load(Ordering::SeqCst) == 0 {
        let token = issuer.token_of_agent(algorithm, Some(&here), "files:read").await?;
        let (status, session) = begun(&guardian, &token).await?;
        ensure!(status == StatusCode::OK, "{algorithm}: {status}: {session}");
        made.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// Waits until every one of them has made this many more.
async fn more(made: &[Arc<AtomicUsize>], count: usize) -> Result<()> {
    let counts = || made.iter().map(|made| made.load(Ordering::SeqCst)).collect::<Vec<_>>();
    let before = counts();
    until("sessions are made", async || {
        let done = counts().iter().zip(&before).all(|(now, before)| now - before >= count);
        Ok(done.then_some(()))
    })
    .await
}

#[test]
fn no_new_token_is_refused_while_keys_are_rotated_and_those_of_removed_keys_are() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let (issuer, guardian, here) = started(&node).await?;
        let (issuer, guardian) = (Arc::new(issuer), Arc::new(guardian));
        let mut old = Vec::new();
        for algorithm in ALGORITHMS {
            old.push(issuer.token_of_agent(algorithm, Some(&here), "files:read").await?);
        }
        let stop = Arc::new(AtomicUsize::new(0));
        let made: Vec<_> = ALGORITHMS.map(|_| Arc::new(AtomicUsize::new(0))).into();
        let makers: Vec<_> = ALGORITHMS
            .into_iter()
            .zip(&made)
            .map(|(algorithm, made)| {
                let (of, count) = ((Arc::clone(&issuer), Arc::clone(&guardian)), Arc::clone(made));
                tokio::spawn(make_sessions(of, algorithm, (count, Arc::clone(&stop))))
            })
            .collect();
        let changed = async {
            for _ in 0..ROTATIONS {
                issuer.rotate().await?;
                // Whatever is on its way was signed with the new ones by then.
                more(&made, 2).await?;
                issuer.forget().await?;
                more(&made, 2).await?;
            }
            anyhow::Ok(())
        };
        let changed = tokio::time::timeout(Duration::from_secs(80), changed).await;
        stop.store(1, Ordering::SeqCst);
        for maker in makers {
            maker.await??;
        }
        changed.context("the makers go on")??;
        for token in old {
            let (status, refused) = begun(&guardian, &token).await?;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{refused}");
            assert_eq!(verified(&guardian, &token).await?["valid"], false);
        }
        // Removed from one moment to the next: the first new token has the keys read, and the old ones are gone.
        let last = issuer.token_of_agent("EdDSA", Some(&here), "").await?;
        assert_eq!(begun(&guardian, &last).await?.0, StatusCode::OK);
        issuer.replace().await?;
        let next = issuer.token_of_agent("EdDSA", Some(&here), "").await?;
        assert_eq!(begun(&guardian, &next).await?.0, StatusCode::OK);
        assert_eq!(begun(&guardian, &last).await?.0, StatusCode::UNAUTHORIZED);
        Ok(())
    })
}

#[test]
fn issuer_that_is_down_is_done_without_as_long_as_its_keys_are_known() -> Result<()> {
    let Some(node) = node() else { return Ok(()) };
    in_a_runtime(async move || {
        let (mut issuer, guardian, here) = started(&node).await?;
        let known = issuer.token_of_agent("RS256", Some(&here), "files:read").await?;
        let other = issuer.token_of_agent("EdDSA", Some(&here), "files:read").await?;
        assert_eq!(verified(&guardian, &known).await?["valid"], true);
        issuer.rotate().await?;
        let unseen = issuer.token_of_agent("RS256", Some(&here), "files:read").await?;
        issuer.stop().await?;
        for token in [&known, &other] {
            let (status, session) = begun(&guardian, token).await?;
            assert_eq!(status, StatusCode::OK, "{session}");
        }
        // Of a key that nobody here has seen it cannot be said whether it is the issuer's.
        let (status, refused) = begun(&guardian, &unseen).await?;
        let refusals = [StatusCode::UNAUTHORIZED, StatusCode::SERVICE_UNAVAILABLE];
        assert!(refusals.contains(&status), "{status}: {refused}");
        assert_eq!(begun(&guardian, &known).await?.0, StatusCode::OK);
        issuer.resume().await?;
        until("its new keys are read", async || {
            let (status, _) = begun(&guardian, &unseen).await?;
            Ok((status == StatusCode::OK).then_some(()))
        })
        .await
    })
}
