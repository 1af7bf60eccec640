//! Room for answers: they are held until they are read, and counted for as long.

use axum::body::Body;
use axum::http::Response;
use http_body_util::BodyExt;
use serde_json::json;

use super::{ACCEPTS, Method};
use super::{Fixture, Speaks, call, next};

/// Begins a call as a client that reads one message.
async fn begun(fixture: &Fixture, tool: &str) -> Response<Body> {
    fixture.begin(Method::POST, &[], Some(call(tool, json!({})))).await
}

#[tokio::test]
async fn answers_that_are_not_read_are_counted_until_their_last_piece_is_taken() {
    let fixture = Fixture::of(Speaks::Legacy, &["long"]).await;
    let mut unread = Vec::new();
    let refused = loop {
        let answer = begun(&fixture, "long").await;
        if answer.status() != 200 {
            break answer;
        }
        let mut body = answer.into_body();
        // A piece of it, as a connection takes that is not read.
        assert!(next(&mut body).await.len() <= 64 << 10);
        unread.push(body);
        assert!(unread.len() <= 5, "there is no limit");
    };
    assert_eq!(refused.status(), 429);
    // Read to its end, it makes room again.
    let read = unread.pop().unwrap().collect().await.unwrap().to_bytes();
    assert!(read.len() > 14 << 20);
    assert_eq!(begun(&fixture, "long").await.status(), 200);
}

#[tokio::test]
async fn long_event_is_handed_on_in_pieces_that_are_counted() {
    let fixture = Fixture::of(Speaks::Legacy, &["long_event"]).await;
    let session = fixture.session().await;
    let mut unread = Vec::new();
    let refused = loop {
        let mut body = fixture.begin_in(&session, call("long_event", json!({}))).await.into_body();
        let piece = next(&mut body).await;
        if piece.contains("error") {
            break piece;
        }
        assert!(piece.len() <= 64 << 10, "{}", piece.len());
        unread.push(body);
        assert!(unread.len() <= 64, "there is no limit");
    };
    assert!(refused.contains("bytes"), "{refused}");
    let read = unread.pop().unwrap().collect().await.unwrap().to_bytes();
    assert!(read.len() > 2 << 20 && read.ends_with(b"\n\n"));
    assert!(
        !next(&mut fixture.begin_in(&session, call("long_event", json!({}))).await.into_body())
            .await
            .contains("error")
    );
    let alone =
        fixture.post(&[("accept", "application/json"), ACCEPTS], call("long_event", json!({})));
    assert_eq!(alone.await.status, 200);
}
