//! Who is let in, as whom, and what the others are told.

use agenttrust::model::{CreateKeyRequest, KeyRole};
use agenttrust_tests::bounded::in_a_runtime;
use anyhow::{Context, Result};
use http::StatusCode;

use crate::authenticated::counting_guardian::CountingGuardian;
use crate::authenticated::site::Site;

#[test]
fn an_agent_is_known_by_its_token_and_its_calls_are_its_own() -> Result<()> {
    in_a_runtime(async || {
        let guardian = CountingGuardian::open()?;
        let agent = guardian.agent(&["http/*"]).await?;
        let token = guardian.token(&agent, &["http/*"], &[], 300).await?;
        let site = Site::serve(&guardian.gateway().await?, |layer| layer)?;

        let answer = site.get_as("/notes/one", &token.token).await?;
        assert_eq!(answer.status, StatusCode::OK);
        let visits = site.visits.all();
        let [(identity, shown)] = &visits[..] else { panic!("one visit, not {visits:?}") };
        assert_eq!(identity.agent_id(), agent.id);
        assert_eq!(identity.scopes(), ["http/*"]);
        assert!(identity.session_id().starts_with("ats_"), "{identity:?}");
        assert_eq!(identity.expires_at(), token.expires_at);
        assert!(!shown, "a token is for this server alone");

        // Decided, counted and reported as this agent's, in the session of its token.
        let decisions = guardian.admin().audited(&agent.id, "decision").await?;
        assert_eq!(decisions.len(), 1, "{decisions:?}");
        assert_eq!(decisions[0]["session_id"], identity.session_id());
        site.guard.close().await?;
        let outcomes = guardian.admin().audited(&agent.id, "outcome").await?;
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        assert_eq!(outcomes[0]["success"], true);
        let session = guardian.client()?.sessions().get_session(identity.session_id()).await?;
        assert_eq!((session.source.as_str(), session.total_calls), ("api", 1));
        Ok(())
    })
}

#[test]
fn what_a_token_does_not_carry_is_denied_to_whoever_holds_it() -> Result<()> {
    in_a_runtime(async || {
        let guardian = CountingGuardian::open()?;
        let agent = guardian.agent(&["http/*"]).await?;
        // The agent may, its token may not.
        let token = guardian.token(&agent, &["http/GET/elsewhere"], &[], 300).await?;
        let site = Site::serve(&guardian.gateway().await?, |layer| layer)?;
        let answer = site.get_as("/notes/one", &token.token).await?;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.problem["code"], "ACTION_DENIED");
        assert!(site.visits.all().is_empty());
        Ok(())
    })
}

#[test]
fn a_token_for_another_server_lets_nobody_in_whatever_the_layer_was_told() -> Result<()> {
    in_a_runtime(async || {
        let guardian = CountingGuardian::open()?;
        let agent = guardian.agent(&["http/*"]).await?;
        let token =
            async |audience: &[&str]| guardian.token(&agent, &["http/*"], audience, 300).await;
        let (notes, other, any) =
            (token(&["notes"]).await?, token(&["other"]).await?, token(&[]).await?);
        let nameless = guardian.gateway().await?;
        let request = CreateKeyRequest::new(KeyRole::Gateway).gateway("notes");
        let made = guardian.client()?.keys().create(&request).await?;
        let named = guardian.client_with_key(made.key.context("no key")?.as_str())?;
        for (site, status_of_notes) in [
            // It says nowhere which server it is, so it takes what is for all.
            (Site::serve(&nameless, |layer| layer)?, StatusCode::UNAUTHORIZED),
            (Site::serve(&nameless, |layer| layer.audience("notes"))?, StatusCode::OK),
            (Site::serve(&named, |layer| layer)?, StatusCode::OK),
            (Site::serve(&named, |layer| layer.audience("notes"))?, StatusCode::OK),
        ] {
            let answer = site.get_as("/notes/one", &other.token).await?;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert!(answer.challenge.context("no challenge")?.contains("invalid_token"));
            assert!(site.visits.all().is_empty());
            let answer = site.get_as("/notes/one", &notes.token).await?;
            assert_eq!(answer.status, status_of_notes);
            let answer = site.get_as("/notes/one", &any.token).await?;
            assert_eq!(answer.status, StatusCode::OK);
        }
        Ok(())
    })
}

#[test]
fn without_a_token_that_works_nobody_is_let_in() -> Result<()> {
    in_a_runtime(async || {
        let guardian = CountingGuardian::open()?;
        let agent = guardian.agent(&["http/*"]).await?;
        let good = guardian.token(&agent, &["http/*"], &[], 300).await?.token;
        let revoked = guardian.token(&agent, &["http/GET/x"], &[], 300).await?.token;
        guardian.client()?.tokens().revoke(&revoked, "a test").await?;
        let site = Site::serve(&guardian.gateway().await?, |layer| {
            layer
                .realm("notes")
                .resource_metadata("https://notes.example/.well-known/oauth-protected-resource")
        })?;
        let metadata =
            "resource_metadata=\"https://notes.example/.well-known/oauth-protected-resource\"";

        let (good, revoked) = (format!("Bearer {good}"), format!("Bearer {revoked}"));
        let [long, longer] = [300, 5_000].map(|many| format!("Bearer at_{}", "a".repeat(many)));
        for (credentials, status, error) in [
            (&[][..], StatusCode::UNAUTHORIZED, None),
            (&["Basic YWRhOnNlY3JldA=="], StatusCode::UNAUTHORIZED, None),
            (&["Bearer at_made_up"], StatusCode::UNAUTHORIZED, Some("invalid_token")),
            (&["Bearer"], StatusCode::UNAUTHORIZED, Some("invalid_token")),
            (&["Bearer sk_live_admin_counted"], StatusCode::UNAUTHORIZED, Some("invalid_token")),
            (&[revoked.as_str()], StatusCode::UNAUTHORIZED, Some("invalid_token")),
            (&[long.as_str()], StatusCode::UNAUTHORIZED, Some("invalid_token")),
            (&[longer.as_str()], StatusCode::UNAUTHORIZED, Some("invalid_token")),
            (&[&good, "Bearer at_another"], StatusCode::BAD_REQUEST, Some("invalid_request")),
        ] {
            let answer = site.get("/unguarded", credentials).await?;
            assert_eq!(answer.status, status, "{credentials:?}");
            let challenge = answer.challenge.context("no challenge")?;
            assert!(challenge.starts_with("Bearer realm=\"notes\", "), "{challenge}");
            assert!(challenge.contains(metadata), "{challenge}");
            match error {
                Some(error) => {
                    assert!(challenge.contains(&format!("error=\"{error}\"")), "{challenge}");
                }
                None => assert!(!challenge.contains("error"), "{challenge}"),
            }
            assert_eq!(answer.problem["status"], status.as_u16());
        }
        assert!(site.visits.all().is_empty());
        assert_eq!(site.get("/unguarded", &[&good]).await?.status, StatusCode::OK);
        Ok(())
    })
}

#[test]
fn a_token_that_lacks_a_scope_is_told_which_and_one_for_another_audience_does_not_work()
-> Result<()> {
    in_a_runtime(async || {
        let guardian = CountingGuardian::open()?;
        let agent = guardian.agent(&["http/*", "notes:read", "notes:write"]).await?;
        let reader = guardian.token(&agent, &["notes:read"], &["notes"], 300).await?.token;
        let writer = guardian.token(&agent, &["notes:read", "notes:write"], &[], 300).await?.token;
        let elsewhere = guardian.token(&agent, &["notes:write"], &["mail"], 300).await?.token;
        let site = Site::serve(&guardian.gateway().await?, |layer| {
            layer.required_scopes(["notes:write"]).audience("notes")
        })?;

        let answer = site.get_as("/unguarded", &reader).await?;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.problem["code"], "INSUFFICIENT_SCOPE");
        let challenge = answer.challenge.context("no challenge")?;
        assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
        assert!(challenge.contains("scope=\"notes:write\""), "{challenge}");

        let answer = site.get_as("/unguarded", &elsewhere).await?;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(site.visits.all().is_empty());
        assert_eq!(site.get_as("/unguarded", &writer).await?.status, StatusCode::OK);
        Ok(())
    })
}

#[test]
fn where_the_audience_was_left_empty_no_token_for_elsewhere_is_let_in() -> Result<()> {
    in_a_runtime(async || {
        let guardian = CountingGuardian::open()?;
        let agent = guardian.agent(&["http/*"]).await?;
        let elsewhere = guardian.token(&agent, &["http/*"], &["mail"], 300).await?.token;
        let site = Site::serve(&guardian.gateway().await?, |layer| layer.audience(""))?;
        let answer = site.get_as("/unguarded", &elsewhere).await?;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.problem["code"], "GUARD_MISCONFIGURED");
        assert!(site.visits.all().is_empty());
        Ok(())
    })
}

#[test]
fn a_guardian_that_is_away_is_a_503_and_one_that_refuses_this_server_a_500() -> Result<()> {
    in_a_runtime(async || {
        let mut guardian = CountingGuardian::open()?;
        let agent = guardian.agent(&["http/*"]).await?;
        let token = guardian.token(&agent, &["http/*"], &[], 300).await?.token;
        let wrong =
            Site::serve(&guardian.client_with_key("sk_live_nobody_has_this")?, |layer| layer)?;
        let answer = wrong.get_as("/unguarded", &token).await?;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.challenge, None, "the caller's token is not what is wrong");

        let site = Site::serve(&guardian.gateway().await?, |layer| layer)?;
        guardian.shut();
        let answer = site.get_as("/unguarded", &token).await?;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.retry_after.as_deref(), Some("5"));
        assert!(site.visits.all().is_empty() && wrong.visits.all().is_empty());
        Ok(())
    })
}

#[test]
fn a_gateway_s_key_asks_for_nobody_who_did_not_show_a_token() -> Result<()> {
    in_a_runtime(async || {
        use agenttrust::{Action, AgentIdentity, AgentTrustGuard};

        let guardian = CountingGuardian::open()?;
        let agent = guardian.agent(&["files:read"]).await?;
        let guard = AgentTrustGuard::new(guardian.gateway().await?, &agent.id);
        guard.authorize(Action::new("files_read")).await.expect_err("no session of a token");
        let made_up = AgentIdentity::new(&agent.id, "ats_made_up");
        let action = Action::new("files_read").on_behalf_of(made_up);
        guard.authorize(action).await.expect_err("no such session");
        Ok(())
    })
}
