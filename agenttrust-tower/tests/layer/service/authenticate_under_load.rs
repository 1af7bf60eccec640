//! Floods, outages and settings that let no agent in.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use agenttrust::{AgentTrustClient, PermitHandle};
use agenttrust_testkit::eventually;
use agenttrust_tower::{AuthenticateLayer, GuardLayer};
use futures_util::FutureExt;
use http::StatusCode;
use tower::{Layer, ServiceExt, service_fn};

use crate::guardian::{Guardian, Script};
use crate::service::errors::errors;
use crate::service::gateway::{Gateway, Site, request, visit, visited};

fn for_a_moment(layer: AuthenticateLayer) -> AuthenticateLayer {
    layer.cache_ttl(Duration::from_millis(20))
}

async fn status(site: &Site, token: &str) -> StatusCode {
    visit(site, token).await.0
}

#[tokio::test]
async fn a_flood_of_made_up_tokens_keeps_out_none_that_worked_before() {
    let gateway = Gateway::new();
    let site = gateway.site(for_a_moment);
    assert_eq!(status(&site, "at_good").await, StatusCode::OK);
    tokio::time::sleep(Duration::from_millis(30)).await;
    gateway.hold_back();
    let comes = |token: String| {
        let site = site.clone();
        tokio::spawn(async move { status(&site, &token).await })
    };
    let flood: Vec<_> = (0..256).map(|n| comes(format!("at_made_up_{n}"))).collect();
    gateway.was_asked(257).await;
    assert_eq!(status(&site, "at_one_more").await, StatusCode::SERVICE_UNAVAILABLE);
    let known = comes("at_good".to_owned());
    gateway.was_asked(258).await;
    gateway.let_through();
    assert_eq!(known.await.expect("no panic"), StatusCode::OK);
    for one in flood {
        assert_eq!(one.await.expect("no panic"), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_token_that_the_gateway_will_not_look_at_does_not_work_and_is_remembered() {
    let gateway = Gateway::new();
    let site = gateway.site(|layer| layer);
    for _ in 0..3 {
        assert_eq!(status(&site, "at_refused").await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(gateway.asked(), (1, 0));
    let long = format!("at_good{}", "a".repeat(300));
    assert_eq!(status(&site, &long).await, StatusCode::UNAUTHORIZED);
    assert_eq!(gateway.asked(), (1, 0), "longer than any token");
}

#[tokio::test]
async fn an_outage_costs_one_question_at_a_time_and_keeps_nobody_out_who_is_known() {
    let gateway = Gateway::new();
    let site = gateway.site(|layer| layer);
    assert_eq!(status(&site, "at_good").await, StatusCode::OK);
    gateway.is_away(true);
    let begun = Instant::now();
    for n in 0..50 {
        let token = format!("at_good_{n}");
        assert_eq!(status(&site, &token).await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status(&site, "at_good").await, StatusCode::OK);
    }
    let pauses = 2 + begun.elapsed().as_millis() / 500;
    // A question is repeated once where there is no connection.
    let most = 1 + 2 * usize::try_from(pauses).expect("few");
    assert!(gateway.asked().0 <= most, "asked {} times", gateway.asked().0);

    gateway.is_away(false);
    let back = async || status(&site, "at_good_0").await == StatusCode::OK;
    eventually("not asked again after the pause", back).await;
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_given_the_time_that_was_said() {
    let gateway = Gateway::new();
    let site = gateway.site(|layer| layer.timeout(Duration::from_millis(100)));
    gateway.hold_back();
    let begun = Instant::now();
    assert_eq!(status(&site, "at_good").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status(&site, "at_good").await, StatusCode::SERVICE_UNAVAILABLE);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(gateway.asked(), (1, 0), "not again at once");
}

#[tokio::test]
async fn a_gateway_that_gives_no_answer_of_whatever_kind_is_not_asked_again_at_once() {
    for kind in
        [io::ErrorKind::TimedOut, io::ErrorKind::ConnectionReset, io::ErrorKind::ConnectionRefused]
    {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let client = AgentTrustClient::builder()
            .base_url("http://guardian.test")
            .service(service_fn(move |_: http::Request<bytes::Bytes>| {
                count.fetch_add(1, Ordering::SeqCst);
                async move { Err::<http::Response<String>, _>(io::Error::from(kind)) }
            }))
            .build()
            .expect("the settings are right");
        let site = Site::new(AuthenticateLayer::new(client).layer(visited()));
        for n in 0..10 {
            let token = format!("at_good_{n}");
            assert_eq!(status(&site, &token).await, StatusCode::SERVICE_UNAVAILABLE);
        }
        // A connection that broke is tried once more.
        let asked = asked.load(Ordering::SeqCst);
        assert!(asked <= 4, "asked {asked} times after {kind}");
    }
}

#[tokio::test]
async fn settings_that_no_token_can_meet_let_nobody_in_and_say_what_to_mend() {
    type Set = fn(AuthenticateLayer) -> AuthenticateLayer;
    let cases: [(Set, &str); 4] = [
        (|layer| layer.audience(""), "audience"),
        (|layer| layer.audience(" "), "audience"),
        (|layer| layer.required_scopes([""]), "required scope"),
        (|layer| layer.required_scopes(["files:read", "fi*les"]), "\"fi*les\""),
    ];
    for (set, named) in cases {
        let (gateway, mut site) = (Gateway::new(), None);
        let lines = errors(|| site = Some(gateway.site(set)));
        let [line] = &lines[..] else { panic!("one line, not {lines:?}") };
        assert!(line.contains(named), "{line}");
        let (status, problem) = visit(&site.expect("made"), "at_good").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(problem.contains("GUARD_MISCONFIGURED"), "{problem}");
        assert_eq!(gateway.asked(), (0, 0));
    }
}

#[tokio::test]
async fn a_request_that_a_guard_let_in_before_its_agent_was_known_is_refused() {
    let (gateway, guardian) = (Gateway::new(), Guardian::new(Script::Allow));
    let site = gateway.site(|layer| layer);
    let wrong = GuardLayer::http(guardian.guard()).layer(site.clone());
    let response = wrong.oneshot(request("at_good")).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(gateway.asked(), (0, 0));

    // One line, however many come.
    let site = gateway.site(|layer| layer);
    let lines = errors(|| {
        for _ in 0..3 {
            let mut request = request("at_good");
            request.extensions_mut().insert(PermitHandle::default());
            let answer = site.clone().oneshot(request).now_or_never().expect("at once");
            let status = answer.expect("infallible").status();
            assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        }
    });
    let [line] = &lines[..] else { panic!("one line, not {lines:?}") };
    assert!(line.contains("wrong order"), "{line}");
}
