//! Receivers that answer more than is to be said.

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

/// Answers every request with 200 and this; returns its URL.
async fn answering(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(async move || body);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn answered(kind: DestinationKind, body: String, count: usize) -> Delivery {
    let url = answering(body).await;
    deliver(&patient(), (kind, &url), None, &events(count)).await
}

#[tokio::test]
async fn answer_that_is_longer_than_what_is_to_be_said_is_no_word_that_events_were_taken() {
    let long = json!({ "text": "Success", "code": 0, "more": vec![0; 100_000] }).to_string();
    let why = reason(answered(DestinationKind::Splunk, long.clone(), 2).await);
    assert!(why.contains("longer than 65536 bytes"), "{why}");
    // Of these the status says all.
    for kind in [DestinationKind::Datadog, DestinationKind::Webhook] {
        assert_eq!(answered(kind, long.clone(), 2).await, Delivery::taken(Some(200)));
    }
    let items = vec![json!({ "create": { "status": 201 } }); 200_000];
    let why = reason(answered(DestinationKind::Elastic, bulk(&items), 2).await);
    assert!(why.contains("tells of other events"), "{why}");
}

#[tokio::test]
async fn reason_of_elastic_that_has_no_end_is_not_read() {
    let error = |text: &str| json!({ "create": { "status": 400, "error": { "reason": text } } });
    let items =
        [error(&"x".repeat(100_000)), error("too deep"), json!({ "create": { "status": 201 } })];
    let refused =
        |place, why: &str| (place, format!("the receiver answered 400 for this event: {why}"));
    let taken = Delivery::Taken {
        status: Some(200),
        refused: vec![refused(0, "it does not say why"), refused(1, "too deep")],
        later: Vec::new(),
    };
    assert_eq!(answered(DestinationKind::Elastic, bulk(&items), 3).await, taken);
}

#[tokio::test]
async fn token_that_a_receiver_repeats_is_no_part_of_the_reason() {
    let error = json!({ "reason": format!("the key {TOKEN} may not write") });
    let items = [json!({ "create": { "status": 400, "error": error } })];
    let url = answering(bulk(&items)).await;
    let place = (DestinationKind::Elastic, url.as_str());
    let taken = Delivery::Taken {
        status: Some(200),
        refused: vec![(
            0,
            "the receiver answered 400 for this event: the key … may not write".to_owned(),
        )],
        later: Vec::new(),
    };
    assert_eq!(deliver(&patient(), place, Some(TOKEN), &events(1)).await, taken);
}

fn bulk(items: &[Value]) -> String {
    json!({ "took": 1, "errors": true, "items": items }).to_string()
}
