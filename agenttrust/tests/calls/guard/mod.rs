//! What a guard promises, whatever the Guardian says.

mod bound;
mod ignored;
mod sockets;
mod two_effects;
mod undecided;
mod waits;

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use agenttrust::{
    Action, ActionCheckRequest, AgentTrustClient, AgentTrustError, AgentTrustGuard, Binds,
    CheckOptions, Effect, OnElevation, PermitBasis,
};
use futures_util::FutureExt;
use serde_json::json;

use crate::scripted::{SIGNED, Say, Scripted};

type Output = Result<&'static str, AgentTrustError>;

/// Runs a guarded call and says whether its body ran.
async fn run(guard: &AgentTrustGuard, action: Action) -> (Output, u32) {
    let ran = AtomicU32::new(0);
    let output = guard
        .run(action, async {
            ran.fetch_add(1, Ordering::SeqCst);
            Ok("ran")
        })
        .await;
    (output, ran.into_inner())
}

fn guard(scripted: &Scripted) -> AgentTrustGuard {
    AgentTrustGuard::builder(scripted.client(), "agent-1").session_id("sess-1").build()
}

#[tokio::test]
async fn allowed_call_runs_once_and_is_reported_once_with_its_check() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);
    let (output, ran) = run(&guard, Action::new("t")).await;
    assert_eq!((output.unwrap(), ran), ("ran", 1));
    guard.flush().await.unwrap();
    let [(event, check_id)] = &scripted.events()[..] else { panic!("one event") };
    assert_eq!(event["event_type"], "tool_end");
    assert_eq!(event["success"], true);
    assert_eq!(check_id, "chk_1");
}

#[tokio::test]
async fn nothing_but_a_permission_runs_the_body() {
    let answers = [
        Say::denied(),
        Say::held(),
        Say::Garbage,
        Say::Answer(200, vec![], json!({})),
        Say::Answer(200, vec![], json!({ "allowed": "yes" })),
        Say::Answer(200, vec![], json!({ "allowed": null })),
        Say::Answer(200, vec![], json!([true])),
        Say::Answer(200, vec![], json!(true)),
        // Contradictions are read cautiously.
        Say::Answer(200, vec![], json!({ "allowed": true, "elevation_required": true })),
        Say::Answer(
            200,
            vec![],
            json!({ "allowed": true, "elevation_required": true, "approval_id": "apr_1" }),
        ),
        Say::Answer(302, vec![("location", "http://evil.test/")], json!({ "allowed": true })),
        Say::status(400),
        Say::status(401),
        Say::status(403),
        Say::status(404),
        Say::status(429),
        Say::status(500),
        Say::status(502),
        Say::status(503),
        Say::status(504),
        Say::Fail(io::ErrorKind::ConnectionRefused),
        Say::Fail(io::ErrorKind::ConnectionReset),
        Say::Fail(io::ErrorKind::TimedOut),
        Say::Silence,
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let scripted = Scripted::says([answer]);
        let guard = AgentTrustGuard::builder(scripted.client(), "agent-1")
            .timeout(Duration::from_millis(50))
            .build();
        let (output, ran) = run(&guard, Action::new("t")).await;
        assert!(output.is_err(), "answer {number} was an error");
        assert_eq!(ran, 0, "answer {number} ran the body");
        guard.flush().await.unwrap();
        assert_eq!(scripted.events(), [], "a call that did not run is not reported");
    }
}

#[tokio::test]
async fn a_slow_answer_counts_as_one_within_the_time_and_not_after_it() {
    let scripted = Scripted::says([Say::Pause(Box::new(Say::allowed()))]);
    let patient = |limit| {
        AgentTrustGuard::builder(scripted.client(), "agent-1")
            .timeout(Duration::from_millis(limit))
            .build()
    };
    assert_eq!(run(&patient(5_000), Action::new("t")).await.1, 1);
    scripted.now_says([Say::Silence]);
    let (output, ran) = run(&patient(1), Action::new("t")).await;
    assert_eq!((output.unwrap_err().code(), ran), ("GUARDIAN_UNAVAILABLE", 0));
}

#[tokio::test]
async fn fail_open_is_for_an_unreachable_guardian_and_nothing_else() {
    let open = [
        (Say::Fail(io::ErrorKind::ConnectionRefused), true),
        (Say::Proxy(502), true),
        (Say::Proxy(503), true),
        (Say::Proxy(504), true),
        (Say::Answer(503, vec![], json!({ "error": "no upstream" })), true),
        (Say::Answer(503, vec![], json!({ "message": "no upstream" })), true),
        // With the protocol's error body, or the header, the Guardian itself said so.
        (Say::status(502), false),
        (Say::status(503), false),
        (Say::status(504), false),
        (Say::Answer(503, vec![], json!({ "error": "HTTP_503", "message": "" })), false),
        (Say::Answer(502, vec![SIGNED], json!("it is full")), false),
        (Say::Answer(503, vec![SIGNED], json!({})), false),
        (Say::Answer(504, vec![SIGNED], json!({ "error": "HTTP_504" })), false),
        // The request may have been sent.
        (Say::Fail(io::ErrorKind::TimedOut), false),
        (Say::Silence, false),
        (Say::Fail(io::ErrorKind::ConnectionReset), false),
        (Say::Garbage, false),
        (Say::status(400), false),
        (Say::status(401), false),
        (Say::status(403), false),
        (Say::status(404), false),
        (Say::status(429), false),
        (Say::status(500), false),
        (Say::denied(), false),
        (Say::held(), false),
    ];
    for (number, (answer, passes)) in open.into_iter().enumerate() {
        let scripted = Scripted::says([answer]);
        let guard = AgentTrustGuard::builder(scripted.client(), "agent-1")
            .fail_open(true)
            .timeout(Duration::from_millis(50))
            .build();
        let (output, ran) = run(&guard, Action::new("t")).await;
        assert_eq!((output.is_ok(), ran == 1), (passes, passes), "answer {number}");
        assert_eq!(guard.stats().failed_open, u64::from(passes), "answer {number}");
    }
}

#[tokio::test]
async fn fail_open_for_some_effects_leaves_the_others_blocked() {
    let scripted = Scripted::says([Say::Fail(io::ErrorKind::ConnectionRefused)]);
    let guard = AgentTrustGuard::builder(scripted.client(), "agent-1")
        .fail_open_for([Effect::Read])
        .build();
    let read = guard.authorize(Action::new("t").effect(Effect::Read)).await.unwrap();
    assert_eq!(read.basis(), PermitBasis::FailOpen);
    for action in [Action::new("t"), Action::new("t").effect(Effect::Destructive)] {
        let denied = guard.authorize(action).await.unwrap_err();
        assert_eq!(denied.code(), "GUARDIAN_UNAVAILABLE");
    }
}

#[tokio::test]
async fn fail_open_for_goes_by_what_the_action_declares_not_by_the_guards_default() {
    let scripted = Scripted::says([Say::Fail(io::ErrorKind::ConnectionRefused)]);
    let guard = AgentTrustGuard::builder(scripted.client(), "agent-1")
        .action_effect("read")
        .fail_open_for([Effect::Read])
        .build();
    assert_eq!(run(&guard, Action::new("delete_everything")).await.1, 0);
}

#[tokio::test]
async fn a_guard_that_fails_open_does_not_for_what_was_held_or_denied() {
    for refusal in [Say::denied(), Say::held()] {
        let scripted = Scripted::says([refusal]);
        let guard = AgentTrustGuard::builder(scripted.client(), "agent-1").fail_open(true).build();
        let action = |path: &str| Action::new("wipe").input(path);
        assert_eq!(run(&guard, action("a")).await.1, 0);
        scripted.now_says([Say::Fail(io::ErrorKind::ConnectionRefused)]);
        assert_eq!(run(&guard, action("a")).await.1, 0, "refused, and then nobody allowed it");
        assert_eq!(run(&guard, action("b")).await.1, 1, "nobody refused this one");
        scripted.now_says([Say::allowed(), Say::Fail(io::ErrorKind::ConnectionRefused)]);
        assert_eq!(run(&guard, action("a")).await.1, 1);
        assert_eq!(run(&guard, action("a")).await.1, 1, "allowed since");
    }
}

#[tokio::test]
async fn an_outage_under_load_is_over_soon_after_the_guardian_is_back() {
    let scripted = Scripted::says([Say::Fail(io::ErrorKind::ConnectionRefused)]);
    let guard = AgentTrustGuard::builder(scripted.client(), "agent-1").fail_open(true).build();
    let calls = (0..50).map(|_| guard.check("t", ""));
    futures_util::future::join_all(calls).await;
    scripted.now_says([Say::denied()]);
    let asked = scripted.checks().len();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(guard.check("t", "").await.is_err(), "asked, and so denied");
    assert_eq!(scripted.checks().len(), asked + 1);
}

#[tokio::test]
async fn run_with_makes_the_call_only_once_it_is_allowed() {
    let made = AtomicU32::new(0);
    let make = || {
        made.fetch_add(1, Ordering::SeqCst);
        std::future::ready(Ok::<_, AgentTrustError>(()))
    };
    let scripted = Scripted::says([Say::denied(), Say::allowed()]);
    let guard = guard(&scripted);
    guard.run_with(Action::new("t"), make).await.unwrap_err();
    assert_eq!(made.load(Ordering::SeqCst), 0);
    guard.run_with(Action::new("t"), make).await.unwrap();
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn block_on_deny_false_runs_and_counts_but_never_hides_an_outage() {
    for answer in [Say::denied(), Say::held()] {
        let scripted = Scripted::says([answer]);
        let guard =
            AgentTrustGuard::builder(scripted.client(), "agent-1").block_on_deny(false).build();
        let (_, ran) = run(&guard, Action::new("t")).await;
        assert_eq!((ran, guard.stats().not_blocked), (1, 1));
    }
    let scripted = Scripted::says([Say::Fail(io::ErrorKind::ConnectionRefused)]);
    let guard = AgentTrustGuard::builder(scripted.client(), "agent-1").block_on_deny(false).build();
    assert_eq!(run(&guard, Action::new("t")).await.1, 0);
}

#[tokio::test]
async fn an_outage_is_cheap_once_it_is_known() {
    let scripted = Scripted::says([Say::Silence]);
    let guard = AgentTrustGuard::builder(scripted.client(), "agent-1")
        .timeout(Duration::from_millis(20))
        .build();
    for _ in 0..50 {
        let denied = guard.authorize(Action::new("t")).await.unwrap_err();
        assert_eq!(denied.code(), "GUARDIAN_UNAVAILABLE");
    }
    assert!(scripted.checks().len() < 15, "{} checks were sent", scripted.checks().len());
}

#[tokio::test]
async fn declared_scopes_that_nobody_checked_are_a_denial() {
    let action = || Action::new("t").scope("db:write");
    let scripted = Scripted::says([Say::allowed()]);
    let denied = guard(&scripted).authorize(action()).await.unwrap_err();
    assert!(denied.to_string().contains("db:write"), "{denied}");
    assert_eq!(scripted.checks()[0].0["agenttrust-scopes"], "db:write");

    let trusting =
        AgentTrustGuard::builder(scripted.client(), "a").trust_gateway_scopes(true).build();
    drop(trusting.authorize(action()).await.unwrap());

    let enforced = vec![("agenttrust-enforced", "digest, scopes")];
    let body = json!({ "allowed": true });
    let scripted = Scripted::says([Say::Answer(200, enforced, body)]);
    drop(guard(&scripted).authorize(action()).await.unwrap());
}

#[tokio::test]
async fn the_input_stays_in_the_process() {
    let scripted = Scripted::says([Say::allowed()]);
    let input = json!({ "card": "4111-1111-1111", "note": "é".repeat(50) });
    drop(guard(&scripted).authorize(Action::new("t").input(&input)).await.unwrap());
    let (headers, body) = &scripted.checks()[0];
    let sent = format!("{headers:?}{body}");
    assert!(!sent.contains("4111-1111-1111") && !sent.contains("card"), "{sent}");
    let length = serde_json_canonicalizer::to_string(&input).unwrap().chars().count();
    assert_eq!(body["action_input_summary"], format!("[{length} chars]"));
    assert_eq!(headers["agenttrust-input-digest"].len(), 64);

    // Only where somebody said otherwise, and then its first 200 characters.
    let logging = AgentTrustGuard::builder(scripted.client(), "a").log_inputs(true).build();
    let long = "🦀".repeat(10_000);
    drop(logging.authorize(Action::new("t").input(&long)).await.unwrap());
    let summary = scripted.checks()[1].1["action_input_summary"].as_str().unwrap().to_owned();
    assert_eq!(summary.chars().count(), 200);
}

#[tokio::test]
async fn input_that_is_a_part_says_so_beside_its_digest() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);
    let input = json!({ "path": "/payments" });
    for (part, word) in [(Binds::Request, "request"), (Binds::Method, "method")] {
        drop(guard.authorize(Action::new("t").binds(part).input(&input)).await.unwrap());
        let (headers, _) = &scripted.checks().pop().unwrap();
        assert_eq!(headers["agenttrust-binds"], word);
        assert_eq!(headers["agenttrust-input-digest"].len(), 64);
    }
    drop(guard.authorize(Action::new("t").input(&input)).await.unwrap());
    assert!(!scripted.checks()[2].0.contains_key("agenttrust-binds"), "the whole input");

    // A part of nothing is a mistake, and is said to be one.
    let refused = guard.authorize(Action::new("t").binds(Binds::Request)).await.unwrap_err();
    assert!(matches!(refused, AgentTrustError::Validation { .. }), "{refused:?}");
    let request = ActionCheckRequest {
        agent_id: "a".into(),
        action: "tool_call".into(),
        tool_name: "t".into(),
        tool_input_summary: String::new(),
        session_id: String::new(),
        action_effect: None,
    };
    let options = CheckOptions::default().binds(Binds::Method);
    let refused = scripted.client().actions().check_with(&request, &options).await.unwrap_err();
    assert!(matches!(refused, AgentTrustError::Validation { .. }), "{refused:?}");
    assert_eq!(scripted.checks().len(), 3);
}

#[tokio::test]
async fn an_input_without_json_form_is_not_authorized() {
    let scripted = Scripted::says([Say::allowed()]);
    let map = std::collections::HashMap::from([((1, 2), 3)]);
    let denied = guard(&scripted).authorize(Action::new("t").input(&map)).await.unwrap_err();
    assert_eq!(denied.code(), "VALIDATION_ERROR");
    assert!(scripted.checks().is_empty());
}

#[tokio::test]
async fn settings_that_make_no_sense_run_nothing() {
    let scripted = Scripted::says([Say::allowed()]);
    let bad = AgentTrustGuard::builder(scripted.client(), "a").action_effect("reed").build();
    assert!(bad.check("t", "").await.unwrap_err().to_string().contains("reed"));
    let nobody = AgentTrustGuard::builder(scripted.client(), "").build();
    assert!(nobody.check("t", "").await.unwrap_err().to_string().contains("agent id"));
    let unnamed = guard(&scripted).check("", "").await.unwrap_err();
    assert!(unnamed.to_string().contains("tool"));
    let effect = guard(&scripted).check_with_effect("t", "", "deletive").await.unwrap_err();
    assert!(effect.to_string().contains("deletive"));
    assert!(scripted.checks().is_empty());
}

#[tokio::test]
async fn cancelled_panicked_and_failed_calls_leave_exactly_one_event_of_the_right_kind() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);

    let endless = guard.run(Action::new("cancelled"), std::future::pending::<Output>());
    assert!(tokio::time::timeout(Duration::from_millis(30), endless).await.is_err());

    let panics = guard.run(Action::new("panicked"), async { panic!("in a tool") });
    let caught: Result<Output, _> = AssertUnwindSafe(panics).catch_unwind().await;
    assert!(caught.is_err());

    let fails = async { Err::<(), _>(io::Error::other("secret")) };
    assert!(guard.run(Action::new("failed"), fails).await.is_err());

    guard.flush().await.unwrap();
    let events = scripted.events();
    let kinds: Vec<_> = events
        .iter()
        .map(|(event, _)| (event["tool_name"].as_str(), event["error_type"].as_str()))
        .map(|(tool, kind)| (tool.unwrap(), kind.unwrap()))
        .collect();
    assert_eq!(kinds, [("cancelled", "Cancelled"), ("panicked", "Panic"), ("failed", "Error")]);
    assert!(events.iter().all(|(event, _)| event["event_type"] == "tool_error"));
    assert!(!format!("{events:?}").contains("secret"));
}

#[tokio::test]
async fn an_authorize_dropped_while_asking_runs_and_reports_nothing() {
    let scripted = Scripted::says([Say::Silence]);
    let guard = guard(&scripted);
    let asking = run(&guard, Action::new("t"));
    assert!(tokio::time::timeout(Duration::from_millis(30), asking).await.is_err());
    guard.flush().await.unwrap();
    assert_eq!(scripted.events(), []);
}

#[tokio::test]
async fn reports_travel_in_batches_of_ten() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);
    for _ in 0..25 {
        guard.report("t", true, 1);
    }
    guard.flush().await.unwrap();
    assert_eq!(scripted.batches(), [10, 10, 5]);
    assert_eq!(guard.stats().reports_waiting, 0);
}

#[test]
fn the_last_drop_outside_of_a_runtime_loses_no_report() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);
    guard.report("t", true, 1);
    drop(guard.clone());
    assert_eq!(scripted.events().len(), 0, "a clone is not the last");
    drop(guard);
    assert_eq!(scripted.events().len(), 1);
}

#[tokio::test]
async fn report_names_the_check_that_it_belongs_to_once() {
    let scripted = Scripted::says([Say::allowed()]);
    let guard = guard(&scripted);
    guard.check("t", "summary").await.unwrap();
    guard.report("other", true, 1);
    guard.report("t", true, 1);
    guard.report("t", true, 1);
    guard.flush().await.unwrap();
    let ids: Vec<_> = scripted.events().into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, ["-", "chk_1", "-"]);
}

#[tokio::test]
async fn what_a_gateway_says_for_information_in_its_own_way_does_no_harm() {
    let body = json!({
        "allowed": true, "latency_ms": 0.4, "action_effect": "unheard", "confidence": "high",
    });
    let scripted = Scripted::says([Say::Answer(200, vec![], body)]);
    assert_eq!(run(&guard(&scripted), Action::new("t")).await.1, 1);
}

#[tokio::test]
async fn a_serialisers_own_words_are_not_repeated() {
    struct Secretive;
    impl serde::Serialize for Secretive {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("the password is hunter2"))
        }
    }
    let scripted = Scripted::says([Say::allowed()]);
    let denied = guard(&scripted).authorize(Action::new("t").input(&Secretive)).await.unwrap_err();
    assert!(!denied.to_string().contains("hunter2"), "{denied}");
}

#[tokio::test]
async fn an_error_of_the_guardian_says_which_tool_did_not_run_and_who_answered() {
    for status in [400, 401, 403, 404, 418, 500] {
        let scripted = Scripted::says([Say::status(status)]);
        let error = guard(&scripted).authorize(Action::new("drop_index")).await.unwrap_err();
        assert_eq!(error.status(), Some(status));
        let said = "tool \"drop_index\" did not run, because the Guardian at http://guardian.test answered: \
                    said the gateway";
        assert!(error.message().starts_with(said), "{error}");
    }
}

#[tokio::test]
async fn the_input_is_disclosed_only_when_held_and_only_where_asked_for() {
    let action = || Action::new("t").input(&json!({ "path": "a.txt" }));
    let quiet = Scripted::says([Say::held()]);
    let said = guard(&quiet).authorize(action()).await.unwrap_err().to_string();
    assert!(said.contains("its approver sees no input"), "{said}");
    assert_eq!(quiet.others(), []);
    let summary = Action::new("t").summary("a.txt");
    let said = guard(&Scripted::says([Say::held()])).authorize(summary).await.unwrap_err();
    assert!(!said.to_string().contains("its approver"), "a summary is seen: {said}");

    let scripted = Scripted::says([Say::allowed(), Say::held()]);
    let guard =
        AgentTrustGuard::builder(scripted.client(), "a").disclose_on_elevation(true).build();
    drop(guard.authorize(action()).await.unwrap());
    assert_eq!(scripted.others(), []);
    guard.authorize(action()).await.unwrap_err();
    let [(asked, body)] = &scripted.others()[..] else { panic!("one disclosure") };
    assert!(asked.starts_with("PUT ") && asked.ends_with("/mcp/approvals/apr_1/input"));
    let digest = scripted.checks()[1].0["agenttrust-input-digest"].to_str().unwrap().to_owned();
    let opening = body["r"].as_str().unwrap();
    assert!(agenttrust::guard::digest::opens(&digest, opening, &body["input"]));
}

#[tokio::test]
async fn the_guard_of_the_task_is_found_before_the_one_of_the_process_and_without_any_nothing_runs()
{
    let scripted = Scripted::says([Say::allowed()]);
    let named = |name: &str| AgentTrustGuard::new(scripted.client(), name);
    let current = || AgentTrustGuard::current().map(|guard| guard.agent_id().to_owned());
    assert_eq!(current(), None);
    let outer = named("outer").scope(async {
        tokio::task::yield_now().await;
        let inner = named("inner").scope_sync(current);
        (current(), inner)
    });
    assert_eq!(outer.await, (Some("outer".to_owned()), Some("inner".to_owned())));
    assert_eq!(current(), None);
    // The process has one from here on, so what holds without any is tried before.
    crate::guarded::without_any_guard_nothing_runs().await;
    let set = || named("global").set_global_fallback().unwrap();
    two_effects::told_once(&two_effects::warnings(set));
    let set = || assert!(named("second").set_global().is_err());
    assert_eq!(two_effects::warnings(set), Vec::<String>::new());
    assert_eq!(current().as_deref(), Some("global"));
}

#[tokio::test]
async fn what_was_denied_stays_so_when_failing_open_however_much_was_denied_since() {
    let denials = (0..=1_024).map(|_| Say::denied());
    let away = Say::Fail(io::ErrorKind::ConnectionRefused);
    let scripted = Scripted::says(denials.chain([away]));
    let guard = AgentTrustGuard::builder(scripted.client(), "agent-1").fail_open(true).build();
    let ask = |input: usize| guard.authorize(Action::new("files_delete").input(&input));
    for input in 0..=1_024 {
        ask(input).await.unwrap_err();
    }
    ask(0).await.expect_err("it was denied a moment ago");
}

#[tokio::test]
async fn a_panic_in_the_transport_loses_one_batch_and_not_all_that_come_after() {
    let reported = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reported);
    let client = AgentTrustClient::builder()
        .base_url("http://guardian.test")
        .service(tower::service_fn(move |_: http::Request<bytes::Bytes>| {
            let counted = Arc::clone(&counted);
            async move {
                assert!(counted.fetch_add(1, Ordering::SeqCst) > 0, "the first one panics");
                let answer = http_body_util::Full::<bytes::Bytes>::from("{}");
                Ok::<_, io::Error>(http::Response::new(answer))
            }
        }))
        .build()
        .unwrap();
    let guard = AgentTrustGuard::new(client, "agent-1");
    guard.report("t", true, 1);
    guard.flush().await.expect_err("the first batch is lost");
    guard.report("t", true, 1);
    guard.flush().await.expect("the second is not");
    assert_eq!(guard.stats().reports_waiting, 0);
    assert_eq!((guard.stats().reports_undelivered, reported.load(Ordering::SeqCst)), (1, 2));
}
