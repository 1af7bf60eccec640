//! A Guardian that answers and does not decide: neither a denial nor an outage.

use std::sync::Mutex;

use agenttrust::ActionCheckRequest;
use agenttrust::client::CheckOptions;

use super::*;

fn overloaded(status: u16, after: &'static str) -> Say {
    let body = json!({ "error": "OVERLOADED", "message": "too many checks at once" });
    Say::Answer(status, vec![("retry-after", after), SIGNED], body)
}

/// Returns one that would run anything that it may.
fn lax(scripted: &Scripted, timeout: u64) -> AgentTrustGuard {
    AgentTrustGuard::builder(scripted.client(), "agent-1")
        .fail_open(true)
        .block_on_deny(false)
        .timeout(Duration::from_millis(timeout))
        .build()
}

#[tokio::test]
async fn what_was_not_decided_in_time_is_asked_again_as_the_same_check() {
    let undecided = || Say::undecided("5");
    let script = [undecided(), undecided(), overloaded(503, "0"), overloaded(429, "0")];
    let scripted = Scripted::says(script.into_iter().chain([Say::allowed()]));
    let (output, ran) = run(&guard(&scripted), Action::new("t").input("a")).await;
    assert_eq!((output.unwrap(), ran), ("ran", 1));
    let checks = scripted.checks();
    assert_eq!(checks.len(), 5);
    for name in ["idempotency-key", "agenttrust-input-digest"] {
        assert!(checks.iter().all(|(headers, _)| headers[name] == checks[0].0[name]), "{name}");
    }
}

#[tokio::test]
async fn a_flood_of_not_decided_is_no_denial_and_runs_nothing() {
    let says = [
        (Say::undecided("1"), "could not decide in time: the database is slow"),
        // What is allowed is decided: a contradiction is read cautiously.
        (
            Say::Answer(200, vec![("agenttrust-retry-after", "1")], json!({ "allowed": true })),
            "could not decide in time",
        ),
        (overloaded(429, "0"), "overloaded"),
        (overloaded(503, "0"), "overloaded"),
    ];
    for (say, said) in says {
        let scripted = Scripted::says([say]);
        let guard = lax(&scripted, 300);
        let (output, ran) = run(&guard, Action::new("t").input("a")).await;
        let error = output.unwrap_err();
        assert_eq!((error.code(), ran), ("GUARDIAN_UNAVAILABLE", 0));
        let message = error.to_string();
        assert!(message.contains(said) && message.contains("call it again"), "{message}");
        let stats = guard.stats();
        assert_eq!((stats.failed_open, stats.not_blocked), (0, 0));
        // The pauses grow: 300 ms take 10, 20, 40, 80 and 160.
        assert!((2..10).contains(&scripted.checks().len()), "{} checks", scripted.checks().len());
        // Had it been remembered as refused, an outage would not open for it.
        scripted.now_says([Say::Fail(io::ErrorKind::ConnectionRefused)]);
        assert_eq!(run(&guard, Action::new("t").input("a")).await.1, 1, "{said}");
    }
}

#[tokio::test]
async fn a_guardian_that_leaves_after_it_did_not_decide_opens_nothing() {
    for away in [Say::Fail(io::ErrorKind::ConnectionRefused), Say::Proxy(503)] {
        let scripted = Scripted::says([Say::undecided("1"), away]);
        let (output, ran) = run(&lax(&scripted, 5_000), Action::new("t")).await;
        assert_eq!((output.unwrap_err().code(), ran), ("GUARDIAN_UNAVAILABLE", 0));
    }
}

#[tokio::test]
async fn nothing_is_asked_again_past_the_guards_own_time() {
    for say in [Say::undecided("1000000000000"), overloaded(503, "18446744073709551615")] {
        let scripted = Scripted::says([say]);
        let (output, ran) = run(&lax(&scripted, 5_000), Action::new("t")).await;
        assert_eq!((output.unwrap_err().code(), ran), ("GUARDIAN_UNAVAILABLE", 0));
        assert_eq!(scripted.checks().len(), 1);
    }
    // Nor is the last question given longer than what is left.
    let scripted = Scripted::says([Say::undecided("1"), Say::Silence]);
    let error = run(&lax(&scripted, 200), Action::new("t")).await.0.unwrap_err();
    assert!(error.to_string().contains("could not decide in time"), "{error}");
}

#[tokio::test]
async fn an_overloaded_gateway_that_is_not_our_guardian_is_an_error_as_it_was() {
    let body = json!({ "error": "SLOW_DOWN", "message": "not so fast" });
    let scripted = Scripted::says([Say::Answer(429, vec![("retry-after", "0")], body)]);
    let (output, ran) = run(&lax(&scripted, 5_000), Action::new("t")).await;
    let error = output.unwrap_err();
    assert_eq!((error.code(), error.status(), ran), ("SLOW_DOWN", Some(429), 0));
    assert_eq!(scripted.checks().len(), 1);
}

#[tokio::test]
async fn a_check_without_a_guard_gets_the_answer_as_it_is() {
    let scripted = Scripted::says([Say::undecided("40"), overloaded(429, "1"), Say::denied()]);
    let client = scripted.client();
    let request = ActionCheckRequest {
        agent_id: "a".to_owned(),
        action: "tool_call".to_owned(),
        session_id: String::new(),
        tool_name: "t".to_owned(),
        tool_input_summary: String::new(),
        action_effect: None,
    };
    let answer = client.actions().check_with(&request, &CheckOptions::default()).await.unwrap();
    assert!(!answer.result.allowed);
    assert_eq!(answer.retry_after, Some(Duration::from_millis(40)));
    let error = client.actions().check(&request).await.unwrap_err();
    assert_eq!((error.code(), error.status()), ("OVERLOADED", Some(429)));
    let answer = client.actions().check_with(&request, &CheckOptions::default()).await.unwrap();
    assert_eq!(answer.retry_after, None);
}

#[tokio::test]
async fn what_is_asked_again_is_the_input_that_was_captured_first() {
    let shared = Arc::new(Mutex::new("draft.md".to_owned()));
    let action = Action::new("t").input(&*shared);
    let changed = Arc::clone(&shared);
    let change = move || *changed.lock().unwrap() = "contract.pdf".to_owned();
    let undecided = Say::Meanwhile(Arc::new(change), Box::new(Say::undecided("1")));
    let scripted = Scripted::says([undecided, Say::allowed()]);
    drop(guard(&scripted).authorize(action).await.unwrap());
    assert_eq!(*shared.lock().unwrap(), "contract.pdf");
    let digests =
        scripted.checks().into_iter().map(|(head, _)| head["agenttrust-input-digest"].clone());
    let digests: Vec<_> = digests.collect();
    assert_eq!((digests.len(), &digests[0]), (2, &digests[1]));
}
