//! Waiting for an approval: what goes wrong with asking decides nothing.

use super::*;

#[tokio::test]
async fn a_wait_ends_with_the_approval_and_one_more_check() {
    let scripted = Scripted::says([Say::held(), Say::allowed()]);
    let wait = OnElevation::Wait(Duration::from_secs(5));
    let (output, ran) = run(&guard(&scripted), Action::new("t").on_elevation(wait)).await;
    assert_eq!((output.unwrap(), ran), ("ran", 1));
    assert_eq!(scripted.checks().len(), 2);
    assert!(scripted.others()[0].0.contains("/mcp/approvals/apr_1?wait="));
}

#[tokio::test]
async fn a_wait_ends_at_its_limit_whatever_the_guardian_invents() {
    let held = |id: u32| {
        let id = format!("apr_{id}");
        let body = json!({ "allowed": false, "elevation_required": true, "approval_id": id });
        Say::Answer(200, vec![], body)
    };
    // Every check is held under another id, and every approval is approved at once.
    let scripted = Scripted::says((0..10_000).map(held));
    let wait = OnElevation::Wait(Duration::from_millis(500));
    let begun = std::time::Instant::now();
    let (output, ran) = run(&guard(&scripted), Action::new("t").on_elevation(wait)).await;
    assert_eq!((output.unwrap_err().code(), ran), ("ELEVATION_REQUIRED", 0));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(scripted.checks().len() < 10, "{} checks", scripted.checks().len());
}

#[tokio::test]
async fn a_wait_outlives_trouble_at_the_gateway_and_keeps_the_approval_id() {
    let wait = |limit| OnElevation::Wait(Duration::from_millis(limit));
    let trouble = [Say::status(500), Say::status(429), Say::Proxy(502)];
    let scripted = Scripted::says([Say::held(), Say::allowed()]).and_of_approvals(trouble);
    let (_, ran) = run(&guard(&scripted), Action::new("t").on_elevation(wait(5_000))).await;
    assert_eq!(ran, 1);

    for refusal in [Say::status(403), Say::status(404)] {
        let scripted = Scripted::says([Say::held()]).and_of_approvals([refusal]);
        let (output, _) = run(&guard(&scripted), Action::new("t").on_elevation(wait(5_000))).await;
        assert_eq!(output.unwrap_err().details()["approval_id"], "apr_1");
    }
}

#[tokio::test]
async fn a_retry_after_the_decision_keeps_its_name_so_that_nothing_is_used_up_twice() {
    let scripted = Scripted::says([Say::held(), Say::Proxy(503), Say::Proxy(503), Say::allowed()]);
    let wait = OnElevation::Wait(Duration::from_secs(5));
    assert_eq!(run(&guard(&scripted), Action::new("t").on_elevation(wait)).await.1, 1);
    let checks = scripted.checks();
    let names: Vec<_> = checks.iter().map(|(headers, _)| &headers["idempotency-key"]).collect();
    assert_ne!(names[0], names[1]);
    assert_eq!((names[1], names[2]), (names[2], names[3]));
}

#[tokio::test]
async fn a_guard_that_fails_open_does_not_once_an_action_was_held() {
    let scripted = Scripted::says([Say::held(), Say::Fail(io::ErrorKind::ConnectionRefused)]);
    let guard = AgentTrustGuard::builder(scripted.client(), "a").fail_open(true).build();
    let wait = OnElevation::Wait(Duration::from_millis(300));
    let (output, ran) = run(&guard, Action::new("t").on_elevation(wait)).await;
    assert_eq!((output.unwrap_err().code(), ran), ("ELEVATION_REQUIRED", 0));
}

#[tokio::test]
async fn a_long_poll_that_gets_no_answer_is_asked_again_and_is_no_miss() {
    let trouble = [
        Say::Fail(io::ErrorKind::TimedOut),
        Say::Fail(io::ErrorKind::ConnectionRefused),
        Say::status(408),
        Say::status(429),
        Say::Answer(429, vec![("retry-after", "1"), SIGNED], json!({})),
        Say::status(500),
        Say::status(503),
        Say::Proxy(504),
    ];
    let scripted = Scripted::says([Say::held(), Say::allowed()]).and_of_approvals(trouble);
    let wait = OnElevation::Wait(Duration::from_secs(60));
    let (output, ran) = run(&guard(&scripted), Action::new("t").on_elevation(wait)).await;
    assert_eq!((output.unwrap(), ran), ("ran", 1));
    assert_eq!(scripted.others().len(), 9);
    assert_eq!(scripted.checks().len(), 2, "the check after it was not kept from being asked");
}

#[tokio::test]
async fn an_approval_that_was_pending_stays_so_when_the_next_question_gets_no_answer() {
    let pending = json!({ "id": "apr_1", "status": "pending" });
    let says = [Say::Answer(200, vec![], pending), Say::Silence];
    let scripted = Scripted::says([]).and_of_approvals(says);
    let client = scripted.client();
    let approval = client.approvals().wait("apr_1", Duration::from_millis(700)).await.unwrap();
    assert_eq!(approval.status, agenttrust::ApprovalStatus::Pending);
}

#[tokio::test]
async fn trouble_with_the_check_after_the_decision_is_waited_out() {
    let trouble = [
        Say::held(),
        Say::undecided("1"),
        Say::status(500),
        Say::Fail(io::ErrorKind::ConnectionRefused),
        Say::allowed(),
    ];
    let scripted = Scripted::says(trouble);
    let guard = AgentTrustGuard::builder(scripted.client(), "a").fail_open(true).build();
    let wait = OnElevation::Wait(Duration::from_secs(60));
    let permit = guard.authorize(Action::new("t").on_elevation(wait)).await.unwrap();
    assert_eq!((permit.basis(), scripted.checks().len()), (PermitBasis::Allowed, 5));
    let names: Vec<_> =
        scripted.checks().iter().map(|(headers, _)| headers["idempotency-key"].clone()).collect();
    assert!(names[1..].iter().all(|name| *name == names[1]), "one name for all of it");
}
