//! What is remembered of tokens, for how long, and what a revocation does to it.

use std::time::Duration;

use agenttrust_tests::bounded::{in_a_runtime, until};
use agenttrust_tower::AuthenticateLayer;
use anyhow::Result;
use futures_util::future::try_join_all;
use http::StatusCode;
use tokio::time::timeout;

use crate::authenticated::counting_guardian::CountingGuardian;
use crate::authenticated::site::Site;

/// The time for which an answer is remembered by default.
const CACHED_BY_DEFAULT: Duration = Duration::from_secs(30);

/// Returns a server that an agent comes to with its token, and which remembers as `layer` says.
async fn fixture(
    ttl: u64,
    layer: impl FnOnce(AuthenticateLayer) -> AuthenticateLayer,
) -> Result<(CountingGuardian, Site, String)> {
    let guardian = CountingGuardian::open()?;
    let agent = guardian.agent(&["http/*"]).await?;
    let token = guardian.token(&agent, &["http/*"], &[], ttl).await?.token;
    let site = Site::serve(&guardian.gateway().await?, layer)?;
    Ok((guardian, site, token))
}

fn for_a_moment(layer: AuthenticateLayer) -> AuthenticateLayer {
    layer.cache_ttl(Duration::from_millis(50))
}

#[test]
fn however_many_requests_come_at_once_a_token_is_asked_about_once() -> Result<()> {
    in_a_runtime(async || {
        let (guardian, site, token) = fixture(300, |layer| layer).await?;
        for _ in 0..3 {
            let calls = (0..32).map(|_| site.get_as("/unguarded", &token));
            for answer in try_join_all(calls).await? {
                assert_eq!(answer.status, StatusCode::OK);
            }
        }
        assert_eq!(guardian.asked(), (1, 1));
        let sessions: std::collections::BTreeSet<_> = site
            .visits
            .all()
            .into_iter()
            .map(|(identity, _)| identity.session_id().to_owned())
            .collect();
        assert_eq!(sessions.len(), 1);
        Ok(())
    })
}

#[test]
fn a_token_that_does_not_work_is_not_asked_about_with_each_try() -> Result<()> {
    in_a_runtime(async || {
        let guardian = CountingGuardian::open()?;
        let site = Site::serve(&guardian.gateway().await?, |layer| layer)?;
        for _ in 0..5 {
            let answer = site.get_as("/unguarded", "at_made_up").await?;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        }
        // Tries that take seconds altogether may be asked about twice.
        let (looked, opened) = guardian.asked();
        assert!((1..=2).contains(&looked), "asked {looked} times");
        assert_eq!(opened, 0);
        Ok(())
    })
}

#[test]
fn a_token_is_asked_about_again_after_a_while_and_keeps_its_session() -> Result<()> {
    in_a_runtime(async || {
        let (guardian, site, token) = fixture(300, for_a_moment).await?;
        for _ in 0..3 {
            assert_eq!(site.get_as("/unguarded", &token).await?.status, StatusCode::OK);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(guardian.asked(), (3, 1), "asked about three times, in one session");
        Ok(())
    })
}

#[test]
fn a_revoked_token_stops_working_within_what_is_remembered() -> Result<()> {
    in_a_runtime(async || {
        let (guardian, site, token) = fixture(300, for_a_moment).await?;
        assert_eq!(site.get_as("/unguarded", &token).await?.status, StatusCode::OK);
        guardian.client()?.tokens().revoke(&token, "a test").await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(site.get_as("/unguarded", &token).await?.status, StatusCode::UNAUTHORIZED);
        Ok(())
    })
}

#[test]
fn a_guarded_call_with_a_revoked_token_stops_at_once_whatever_is_remembered() -> Result<()> {
    in_a_runtime(async || {
        let (guardian, site, token) = fixture(300, |layer| layer).await?;
        assert_eq!(site.get_as("/notes/one", &token).await?.status, StatusCode::OK);
        guardian.client()?.tokens().revoke(&token, "a test").await?;
        let answer = site.get_as("/notes/one", &token).await?;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(site.visits.all().len(), 1);
        Ok(())
    })
}

#[test]
fn nothing_is_remembered_past_the_end_of_a_token() -> Result<()> {
    in_a_runtime(async || {
        let (_guardian, site, token) = fixture(2, |layer| layer).await?;
        assert_eq!(site.get_as("/unguarded", &token).await?.status, StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        assert_eq!(site.get_as("/unguarded", &token).await?.status, StatusCode::UNAUTHORIZED);
        Ok(())
    })
}

/// Asks until the answer has this status: a revocation travels.
async fn becomes(site: &Site, token: &str, status: StatusCode) -> Result<()> {
    until(&format!("{status}"), async || {
        let answer = site.get_as("/unguarded", token).await?;
        Ok((answer.status == status).then_some(()))
    })
    .await
}

#[test]
fn where_revocations_are_followed_a_revoked_token_stops_working_at_once() -> Result<()> {
    in_a_runtime(async || {
        let guardian = CountingGuardian::open()?;
        let agent = guardian.agent(&["http/*"]).await?;
        let other = guardian.agent(&["http/*"]).await?;
        let revoked = guardian.token(&agent, &["http/*"], &[], 300).await?.token;
        let kept = guardian.token(&agent, &["http/GET/x"], &[], 300).await?.token;
        let others = guardian.token(&other, &["http/*"], &[], 300).await?.token;
        let site = Site::serve(&guardian.gateway().await?, |layer| layer.follow_revocations(true))?;
        // Asked twice without the Guardian being asked twice: followed, and remembered.
        until("the stream is open", async || {
            for token in [&revoked, &kept, &others] {
                site.get_as("/unguarded", token).await?;
            }
            let before = guardian.asked();
            for token in [&revoked, &kept, &others] {
                assert_eq!(site.get_as("/unguarded", token).await?.status, StatusCode::OK);
            }
            Ok((guardian.streams() > 0 && guardian.asked() == before).then_some(()))
        })
        .await?;
        let (asked, _) = guardian.asked();

        guardian.client()?.tokens().revoke(&revoked, "a test").await?;
        becomes(&site, &revoked, StatusCode::UNAUTHORIZED).await?;
        assert_eq!(site.get_as("/unguarded", &kept).await?.status, StatusCode::OK);
        assert_eq!(site.get_as("/unguarded", &others).await?.status, StatusCode::OK);
        assert_eq!(guardian.asked().0, asked + 1, "only the revoked one was asked about again");

        guardian.client()?.agents().revoke(&agent.id, "a test").await?;
        becomes(&site, &kept, StatusCode::UNAUTHORIZED).await?;
        assert_eq!(site.get_as("/unguarded", &others).await?.status, StatusCode::OK);
        assert_eq!(guardian.asked().0, asked + 2, "only the revoked agent's was asked about again");
        Ok(())
    })
}

#[test]
fn nobody_follows_for_a_layer_that_is_gone() -> Result<()> {
    in_a_runtime(async || {
        let guardian = CountingGuardian::open()?;
        let site = Site::serve(&guardian.gateway().await?, |layer| layer.follow_revocations(true))?;
        until("the stream is open", async || Ok((guardian.read_now() == 1).then_some(()))).await?;
        drop(site);
        until("the stream is closed", async || Ok((guardian.read_now() == 0).then_some(())))
            .await?;
        Ok(())
    })
}

#[test]
fn when_the_stream_breaks_nothing_is_remembered() -> Result<()> {
    in_a_runtime(async || {
        let (mut guardian, site, token) =
            fixture(300, |layer| layer.follow_revocations(true)).await?;
        until("the stream is open", async || Ok((guardian.streams() > 0).then_some(()))).await?;
        becomes(&site, &token, StatusCode::OK).await?;
        guardian.shut();
        // Long before it would have been asked about anyway.
        let soon = CACHED_BY_DEFAULT / 2;
        timeout(soon, becomes(&site, &token, StatusCode::SERVICE_UNAVAILABLE)).await?
    })
}
