//! Messages that an approval is bound to: read, digested and handed on, and only where there is one.

use std::time::Duration;

use agenttrust_tower::GuardLayer;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use tonic::Code;

use crate::connection::Connection;
use crate::guardian::{Guardian, Script};
use crate::wire::grpc::{Client, Place, Words, serve, serve_bound};
use crate::wire::served::Served;

const ONE: &str = "/test.Words/GetOne";

async fn bound(guardian: &Guardian, words: &Words, within: Duration) -> Served {
    let layer = GuardLayer::grpc(guardian.guard()).bind_message(1000).body_timeout(within);
    serve_bound(words, layer).await
}

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn message_is_part_of_what_an_approval_is_bound_to_only_where_it_was_bound() {
    let (guardian, words) = (Guardian::new(Script::Allow), Words::new());
    let served = bound(&guardian, &words, LONG).await;
    let mut client = Client::of(&served).await;
    for word in ["ten", "ten", "ten thousand"] {
        assert_eq!(client.unary(ONE, word).await.expect("allowed"), word);
    }
    let digests: Vec<_> = guardian.checks().into_iter().map(|check| check.digest).collect();
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
    assert!(guardian.checks().iter().all(|check| check.binds.is_empty()), "the whole input");

    let served = serve(&words, &guardian.guard(), Place::Service).await;
    let mut client = Client::of(&served).await;
    client.unary(ONE, "ten").await.expect("allowed");
    assert_eq!(guardian.checks().pop().expect("a check").binds, "method");
}

#[tokio::test]
async fn streams_of_the_server_go_on_behind_a_bound_message() {
    let (guardian, words) = (Guardian::new(Script::Allow), Words::new());
    let served = bound(&guardian, &words, LONG).await;
    let mut client = Client::of(&served).await;
    let mut replies = client.list("a").await.expect("allowed");
    assert_eq!(replies.next().await.expect("one").expect("a reply"), "a, at first");
    words.gate.open();
    assert_eq!(replies.next().await.expect("one").expect("a reply"), "a, at last");
}

#[tokio::test]
async fn message_over_the_limit_is_refused_and_asked_about_nowhere() {
    let (guardian, words) = (Guardian::new(Script::Allow), Words::new());
    let served = bound(&guardian, &words, LONG).await;
    let mut client = Client::of(&served).await;
    // Its encoding takes three bytes more.
    let fits = "x".repeat(997);
    assert_eq!(client.unary(ONE, &fits).await.expect("it fits"), fits);
    for length in [998, 100_000] {
        let refused = client.unary(ONE, &"x".repeat(length)).await.expect_err("too long");
        assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
        assert_eq!(refused.metadata().get("agenttrust-code").expect("a code"), "BODY_TOO_LONG");
    }
    assert_eq!((words.calls.counted(), guardian.checks().len()), (1, 1));
    client.unary(ONE, "a").await.expect("the connection goes on");
}

#[tokio::test]
async fn calls_of_several_messages_or_of_none_are_refused() {
    let (guardian, words) = (Guardian::new(Script::Allow), Words::new());
    let served = bound(&guardian, &words, LONG).await;
    let mut client = Client::of(&served).await;
    let several = stream::iter(["a".to_owned(), "b".to_owned()]);
    let refused = client.send_many(several.clone()).await.expect_err("two messages");
    assert_eq!(refused.code(), Code::Unimplemented, "{refused:?}");
    // As soon as the second one begins: this one never ends.
    let refused = client.talk(several.chain(stream::pending())).await.expect_err("two messages");
    assert_eq!(refused.code(), Code::Unimplemented, "{refused:?}");
    let refused = client.send_many(stream::empty()).await.expect_err("no message");
    assert_eq!(refused.code(), Code::Unimplemented, "{refused:?}");
    assert_eq!((words.calls.counted(), guardian.checks().len()), (0, 0));
    let one = stream::iter(["a".to_owned()]);
    assert_eq!(client.send_many(one).await.expect("exactly one"), "a");
}

#[tokio::test]
async fn call_that_does_not_end_is_answered_at_its_deadline_and_delays_no_other() {
    let (guardian, words) = (Guardian::new(Script::Allow), Words::new());
    let served = bound(&guardian, &words, SHORT).await;
    let mut client = Client::of(&served).await;
    let waiting = stream::iter(["a".to_owned()]).chain(stream::pending());
    let refused = client.talk(waiting).await.expect_err("it waits for an answer");
    assert_eq!(refused.code(), Code::DeadlineExceeded, "{refused:?}");
    assert_eq!((words.calls.counted(), guardian.checks().len()), (0, 0));
    client.unary(ONE, "a").await.expect("the connection goes on");
}

#[tokio::test]
async fn message_that_breaks_off_is_refused() {
    let (guardian, words) = (Guardian::new(Script::Allow), Words::new());
    let served = bound(&guardian, &words, LONG).await;
    let mut connection = Connection::open(served.address, Version::HTTP_2).await;
    for (sent, status) in [
        (&b"\0\0\0\0\x05ab"[..], "3"),
        (&b"\0\0"[..], "3"),
        (&b"\0\0\0\0\x01ab"[..], "12"),
        (&b"\x07\0\0\0\0"[..], "12"),
    ] {
        let body = Full::new(Bytes::from_static(sent)).boxed_unsync();
        let request = Request::post(ONE).header("content-type", "application/grpc").body(body);
        let reply = connection.send(request.expect("a request")).await;
        assert_eq!(reply.header("grpc-status"), Some(status), "{sent:?} {reply:?}");
    }
    assert_eq!((words.calls.counted(), guardian.checks().len()), (0, 0));
}
