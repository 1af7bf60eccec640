//! Calls of agents that are known by their tokens: checked and reported as theirs, in their sessions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use agenttrust::{Action, AgentIdentity, AgentTrustError, AgentTrustGuard, guarded};
use agenttrust_tower::GuardLayer;
use http::{Request, Response};
use tower::{BoxError, Layer, ServiceExt, service_fn};

use crate::guardian::{Guardian, Script};

fn identity(n: usize) -> AgentIdentity {
    AgentIdentity::new(format!("agt_{n}"), format!("ats_{n}"))
}

fn request(identity: Option<AgentIdentity>) -> Request<String> {
    let mut request = Request::new(String::new());
    if let Some(identity) = identity {
        request.extensions_mut().insert(identity);
    }
    request
}

#[tokio::test]
async fn a_request_with_an_identity_is_checked_and_reported_as_that_agent() {
    let guardian = Guardian::new(Script::Allow);
    let guard = guardian.guard();
    let service = GuardLayer::http(guard.clone())
        .layer(service_fn(|_| async { Ok::<_, BoxError>(Response::new(String::new())) }));
    for who in [Some(identity(7)), None, Some(identity(8)), Some(identity(7))] {
        service.clone().oneshot(request(who)).await.expect("allowed");
    }
    let asked: Vec<_> =
        guardian.checks().into_iter().map(|check| (check.agent_id, check.session_id)).collect();
    let pair = |agent: &str, session: &str| (agent.to_owned(), session.to_owned());
    let expected = [
        pair("agt_7", "ats_7"),
        pair("agt_1", "ses_1"),
        pair("agt_8", "ats_8"),
        pair("agt_7", "ats_7"),
    ];
    assert_eq!(asked, expected);
    let mut told: Vec<_> = guardian
        .events(&guard)
        .await
        .iter()
        .map(|event| {
            let text = |name: &str| event[name].as_str().expect("text").to_owned();
            (text("agent_id"), text("session_id"))
        })
        .collect();
    told.sort();
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn reports_of_a_hundred_agents_all_arrive_each_under_its_own_name() {
    let guardian = Guardian::new(Script::Allow);
    let guard = guardian.guard();
    for n in 0..100 {
        let action = Action::new("files_read").on_behalf_of(identity(n));
        guard.authorize(action).await.expect("allowed").finish(&());
    }
    let events = guardian.events(&guard).await;
    let agents: BTreeSet<_> =
        events.iter().map(|event| event["agent_id"].as_str().expect("text").to_owned()).collect();
    assert_eq!((events.len(), agents.len()), (100, 100));
    assert_eq!(guard.stats().reports_waiting, 0);
}

#[guarded(tool = "files_read", effect = "read")]
async fn read() -> Result<(), AgentTrustError> {
    Ok(())
}

#[tokio::test]
async fn a_function_inside_a_covering_layer_asks_as_the_agent_that_called() {
    let guardian = Guardian::new(Script::Allow);
    let service =
        GuardLayer::http(guardian.guard()).covers_inner(true).layer(service_fn(|_| async {
            read().await?;
            Ok::<_, BoxError>(Response::new(String::new()))
        }));
    service.oneshot(request(Some(identity(7)))).await.expect("allowed");
    let agents: Vec<_> =
        guardian.checks().into_iter().map(|check| (check.tool, check.agent_id)).collect();
    assert_eq!(agents.len(), 2, "{agents:?}");
    assert!(agents.iter().all(|(_, agent)| agent == "agt_7"), "{agents:?}");
}

#[tokio::test]
async fn one_agents_cover_is_not_anothers() {
    let guardian = Guardian::new(Script::Allow);
    let guard = guardian.guard();
    let own = guard.clone();
    let service = GuardLayer::http(guard).tool("files_read").covers_inner(true).layer(service_fn(
        move |_| {
            let own = own.clone();
            async move {
                // As the server itself, in the middle of an agent's call.
                own.scope(read()).await?;
                read().await?;
                Ok::<_, BoxError>(Response::new(String::new()))
            }
        },
    ));
    service.oneshot(request(Some(identity(7)))).await.expect("allowed");
    let agents: Vec<_> = guardian.checks().into_iter().map(|check| check.agent_id).collect();
    assert_eq!(agents, ["agt_7", "agt_1"], "the server's own call is asked about, the agent's not");
}

#[tokio::test]
async fn what_one_agent_was_refused_is_not_held_against_another() {
    // A guard that fails open remembers what was denied, for each agent by itself.
    let denied = Guardian::new(Script::Deny);
    let guard =
        agenttrust::AgentTrustGuard::builder(denied.client(), "agt_1").fail_open(true).build();
    let ask = |n| guard.authorize(Action::new("files_read").input("a").on_behalf_of(identity(n)));
    ask(7).await.expect_err("denied");
    let away = denied.on("", Script::Unreachable);
    assert!(ask(7).await.is_err(), "it was denied a moment ago");
    assert!(ask(8).await.is_ok(), "nobody ever denied it to this one");
    drop(away);
}

#[tokio::test]
async fn a_function_inside_any_layer_asks_as_the_agent_that_called() {
    let guardian = Guardian::new(Script::Allow);
    let service = GuardLayer::http(guardian.guard()).layer(service_fn(|_| async {
        read().await?;
        Ok::<_, BoxError>(Response::new(String::new()))
    }));
    service.oneshot(request(Some(identity(7)))).await.expect("allowed");
    let asked: Vec<_> =
        guardian.checks().into_iter().map(|check| (check.tool, check.agent_id)).collect();
    let expected = [("http/GET/(unmatched)", "agt_7"), ("files_read", "agt_7")];
    assert_eq!(asked, expected.map(|(tool, agent)| (tool.to_owned(), agent.to_owned())));
}

#[tokio::test]
async fn an_extractor_of_ones_own_names_the_agent_that_was_left_in_the_request() {
    let guardian = Guardian::new(Script::Allow);
    let service = GuardLayer::http(guardian.guard())
        .extract(|request: &Request<String>| {
            Action::new("files_write").input(request.body()).principal_in(request.extensions())
        })
        .layer(service_fn(|_| async { Ok::<_, BoxError>(Response::new(String::new())) }));
    for who in [Some(identity(7)), None] {
        service.clone().oneshot(request(who)).await.expect("allowed");
    }
    let agents: Vec<_> = guardian.checks().into_iter().map(|check| check.agent_id).collect();
    assert_eq!(agents, ["agt_7", "agt_1"]);
}

#[tokio::test]
async fn a_gateway_makes_no_call_that_nobody_is_known_for() {
    let guardian = Guardian::new(Script::Allow);
    let guard = AgentTrustGuard::gateway(guardian.client()).fail_open(true).build();
    let ran = Arc::new(AtomicUsize::new(0));
    let inner = service_fn({
        let ran = Arc::clone(&ran);
        move |_: Request<String>| {
            ran.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, BoxError>(Response::new(String::new())) }
        }
    });
    let service = GuardLayer::http(guard.clone()).layer(inner);
    let answer = service.clone().oneshot(request(None)).await.expect("an answer");
    assert_eq!(answer.status(), 500, "it is the server's mistake");
    // An extractor that forgets whose call it is, as well.
    let forgetful = GuardLayer::http(guard.clone())
        .extract(|_: &Request<String>| Action::new("files_write"))
        .layer(service.get_ref().clone());
    let answer = forgetful.oneshot(request(Some(identity(7)))).await.expect("an answer");
    assert_eq!(answer.status(), 500);
    guard.check("files_read", "").await.expect_err("it asks for no agent of its own");
    assert_eq!((ran.load(Ordering::SeqCst), guardian.questions()), (0, 0));

    let answer = service.oneshot(request(Some(identity(7)))).await.expect("an answer");
    assert_eq!((answer.status().as_u16(), ran.load(Ordering::SeqCst)), (200, 1));
}

#[tokio::test]
async fn a_known_agent_covers_nothing_by_itself() {
    let guardian = Guardian::new(Script::Allow);
    let service =
        GuardLayer::http(guardian.guard()).tool("files_read").layer(service_fn(|_| async {
            read().await?;
            Ok::<_, BoxError>(Response::new(String::new()))
        }));
    service.oneshot(request(Some(identity(7)))).await.expect("allowed");
    assert_eq!(guardian.checks().len(), 2, "the layer was not built to cover");
}
