//! What is not permitted reaches no method of a gRPC service, whichever way its streams go.

use agenttrust_tower::GuardLayer;
use axum::Router;
use axum::routing::post;
use futures_util::{StreamExt, stream};
use tonic::{Code, Status};

use crate::guardian::{Guardian, Script};
use crate::wire::grpc::{Client, Place, Words, serve};
use crate::wire::served::{Counter, Served};

const CASES: [(Script, Code, &str); 6] = [
    (Script::Deny, Code::PermissionDenied, "ACTION_DENIED"),
    (Script::Hold, Code::PermissionDenied, "ELEVATION_REQUIRED"),
    (Script::Unreachable, Code::Unavailable, "GUARDIAN_UNAVAILABLE"),
    (Script::Status(503), Code::Unavailable, "GUARDIAN_UNAVAILABLE"),
    (Script::Status(401), Code::Internal, "GUARD_MISCONFIGURED"),
    (Script::Nonsense, Code::Internal, "GUARD_MISCONFIGURED"),
];

fn assert_denied(denied: &Status, code: Code, reason: &str, told: &str) {
    assert_eq!(denied.code(), code, "{told}: {denied:?}");
    let metadata = |key: &str| denied.metadata().get(key).and_then(|value| value.to_str().ok());
    assert_eq!(metadata("agenttrust-code"), Some(reason), "{told}: {denied:?}");
    let approval_id = (reason == "ELEVATION_REQUIRED").then_some("apr_1");
    assert_eq!(metadata("agenttrust-approval-id"), approval_id, "{told}: {denied:?}");
    let check_id = (reason == "ACTION_DENIED").then_some("chk_1");
    assert_eq!(metadata("agenttrust-check-id"), check_id, "{told}: {denied:?}");
}

/// Returns more than a window of flow control takes, and never over.
fn endless() -> impl futures_util::Stream<Item = String> + Send {
    stream::repeat("word ".repeat(1000)).take(200).chain(stream::pending())
}

#[tokio::test]
async fn denied_calls_never_reach_a_method_and_the_connection_goes_on() {
    for place in [Place::Server, Place::Service] {
        for (script, code, reason) in CASES {
            // Asked about under the name of what is called afterwards, which is allowed.
            let guardian = Guardian::new(script).on("grpc/test.Words/Open", Script::Allow);
            let words = Words::new();
            let served = serve(&words, &guardian.guard(), place).await;
            let mut client = Client::of(&served).await;
            let told = format!("{place:?} {script:?}");

            let denied = client.unary("/test.Words/GetOne", "a").await.expect_err("denied");
            assert_denied(&denied, code, reason, &format!("{told} unary"));
            let denied = client.list("a").await.expect_err("denied");
            assert_denied(&denied, code, reason, &format!("{told} server streaming"));
            let denied = client.send_many(endless()).await.expect_err("denied");
            assert_denied(&denied, code, reason, &format!("{told} client streaming"));
            let denied = client.talk(endless()).await.expect_err("denied");
            assert_denied(&denied, code, reason, &format!("{told} both ways"));

            assert_eq!(words.calls.counted(), 0, "{told} reached a method");
            assert_eq!(words.messages.counted(), 0, "{told} showed a message to a method");
            let tools: Vec<_> = guardian.checks().into_iter().map(|check| check.tool).collect();
            let asked = ["GetOne", "ListAll", "SendMany", "Talk"];
            let is_retried = matches!(script, Script::Unreachable | Script::Status(503));
            if !is_retried {
                assert_eq!(
                    tools,
                    asked.map(|method| format!("grpc/test.Words/{method}")),
                    "{told}"
                );
            }

            still_of_use(&mut client, &served, &told).await;
        }
    }
}

/// Checks that another call gets through, to be answered that there is no such method, on the connection that there
/// was.
async fn still_of_use(client: &mut Client, served: &Served, told: &str) {
    let status = client.unary("/test.Words/Open", "a").await.expect_err("there is no such");
    assert_eq!(status.message(), "no such method", "{told}: {status:?}");
    assert_eq!(served.connections.counted(), 1, "{told} cost the connection");
}

#[tokio::test]
async fn what_is_no_method_is_refused_and_nobody_is_asked() {
    let guardian = Guardian::new(Script::Allow);
    let words = Words::new();
    let served = serve(&words, &guardian.guard(), Place::Server).await;
    let mut client = Client::of(&served).await;
    for path in ["/test.Words/Get/One", "/test.Words/%47etOne", "/test.Words"] {
        let refused = client.unary(path, "a").await.expect_err("it is refused");
        assert_denied(&refused, Code::InvalidArgument, "REQUEST_REFUSED", path);
    }
    assert_eq!(guardian.checks().len(), 0);
    assert_eq!(words.calls.counted(), 0);
    assert_eq!(served.connections.counted(), 1);
}

#[tokio::test]
async fn a_method_that_nobody_serves_is_guarded_by_a_layer_of_the_server() {
    let guardian = Guardian::new(Script::Deny);
    let served = serve(&Words::new(), &guardian.guard(), Place::Server).await;
    let mut client = Client::of(&served).await;
    let denied = client.unary("/other.Service/DropAll", "a").await.expect_err("denied");
    assert_denied(&denied, Code::PermissionDenied, "ACTION_DENIED", "not served");
    assert_eq!(guardian.checks()[0].tool, "grpc/other.Service/DropAll");
    assert_eq!(guardian.checks()[0].effect, "destructive");
}

#[tokio::test]
async fn of_two_hosts_none_is_asked_about() {
    let guardian = Guardian::new(Script::Allow);
    let calls = Counter::default();
    let counter = calls.clone();
    let router = Router::new()
        .route("/test.Words/GetOne", post(async move || counter.count()))
        .layer(GuardLayer::grpc(guardian.guard()));
    let served = Served::router(router).await;
    let mut connection = served.connect().await;
    let line = "POST /test.Words/GetOne HTTP/1.1";
    let refused = connection.ask(&[line, "host: here", "host: there"], "").await;
    assert!(refused.head.contains("grpc-status: 3\r\n"), "{}", refused.head);
    assert_eq!((guardian.checks().len(), calls.counted()), (0, 0));
    let allowed = connection.ask(&[line, "host: here"], "").await;
    assert_eq!((allowed.status, calls.counted()), (200, 1));
}
