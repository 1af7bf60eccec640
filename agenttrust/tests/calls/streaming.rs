//! SIEM streaming: what the client asks for, and how it reads what it is told by ours and by other gateways.

use std::time::Duration;

use agenttrust::client::{DeliveryFilter, SiemDestinationOptions};
use agenttrust::{
    AgentTrustError, CreateSiemDestinationRequest, SiemFormat, StreamFilter,
    UpdateSiemDestinationRequest, blocking,
};
use serde_json::{Value, json};

use crate::scripted::{Say, Scripted};

fn splunk() -> CreateSiemDestinationRequest {
    CreateSiemDestinationRequest {
        name: "Splunk HEC".to_owned(),
        destination_type: "splunk".to_owned(),
        endpoint_url: "https://splunk.example/services/collector".to_owned(),
        auth_token: Some("secret".to_owned()),
        batch_size: None,
        flush_interval_seconds: None,
        filter_event_types: None,
    }
}

fn destination() -> Value {
    json!({ "id": "siem/1", "name": "Splunk HEC", "destination_type": "splunk", "is_active": true })
}

/// Returns what was asked, without the address.
fn asked_for(scripted: &Scripted) -> Vec<(String, Value)> {
    let here = "http://guardian.test/api/v1/siem/destinations";
    scripted.others().into_iter().map(|(what, body)| (what.replace(here, ""), body)).collect()
}

/// Looks so often, and almost at once again.
fn polls(max_polls: u32) -> StreamFilter {
    StreamFilter {
        destination_id: "siem/1".to_owned(),
        poll_interval: Some(Duration::from_millis(1)),
        max_polls: Some(max_polls),
    }
}

/// Returns a delivery log of these.
fn logs(ids: &[&str]) -> Value {
    json!({ "logs": ids.iter().map(|id| json!({ "id": id, "batch_size": 1 })).collect::<Vec<_>>() })
}

#[tokio::test]
async fn destinations_are_asked_for_by_their_paths_and_read_bare_and_wrapped() {
    let scripted = Scripted::answers([
        destination(),
        json!({ "destination": destination() }),
        json!({ "destinations": [destination()] }),
        json!([destination()]),
        json!({ "destinations": null }),
        destination(),
        destination(),
        destination(),
        json!({ "status": "deleted" }),
    ]);
    let client = scripted.client();
    let streaming = client.streaming();
    assert_eq!(streaming.create(&splunk()).await.unwrap().id, "siem/1");
    let every = CreateSiemDestinationRequest {
        batch_size: Some(10),
        flush_interval_seconds: Some(5),
        filter_event_types: Some(vec!["decision.denied".to_owned()]),
        ..splunk()
    };
    let raw = SiemDestinationOptions::default().format(SiemFormat::Raw);
    assert!(streaming.create_with(&every, &raw).await.unwrap().is_active);
    for listed in [1, 1, 0] {
        assert_eq!(streaming.list().await.unwrap().len(), listed);
    }
    streaming.get("siem/1").await.unwrap();
    let pause = UpdateSiemDestinationRequest { is_active: Some(false), ..Default::default() };
    streaming.update("siem/1", &pause).await.unwrap();
    streaming.update_with("siem/1", &UpdateSiemDestinationRequest::default(), &raw).await.unwrap();
    streaming.delete("siem/1").await.unwrap();
    for id in ["", ".."] {
        let error = streaming.delete(id).await.unwrap_err();
        assert!(matches!(error, AgentTrustError::Validation { status: 0, .. }), "{error}");
    }

    let said = json!({
        "name": "Splunk HEC", "destination_type": "splunk", "auth_token": "secret",
        "endpoint_url": "https://splunk.example/services/collector",
    });
    let mut with = said.clone();
    with["batch_size"] = json!(10);
    with["flush_interval_seconds"] = json!(5);
    with["filter_event_types"] = json!(["decision.denied"]);
    with["format"] = json!("raw");
    let expected = [
        ("POST ", said),
        ("POST ", with),
        ("GET ", Value::Null),
        ("GET ", Value::Null),
        ("GET ", Value::Null),
        ("GET /siem%2F1", Value::Null),
        ("PUT /siem%2F1", json!({ "is_active": false })),
        ("PUT /siem%2F1", json!({ "format": "raw" })),
        ("DELETE /siem%2F1", Value::Null),
    ];
    assert_eq!(asked_for(&scripted), expected.map(|(what, body)| (what.to_owned(), body)));
}

#[tokio::test]
async fn what_became_of_events_is_asked_for_by_its_paths() {
    let scripted = Scripted::answers([
        json!([{ "id": "dlv_1", "status": "failed", "status_code": 503 }]),
        json!({ "success": false, "error_message": "the connection was refused" }),
        json!({}),
        json!({ "destination": destination() }),
        json!({ "set_aside": [{ "id": "1", "event_id": "evt_1" }], "next": "1", "dropped": 7 }),
        json!({ "set_aside": null, "next": null }),
        json!({ "logs": [{ "id": "dlv_1" }], "next": "dlv_1" }),
    ]);
    let client = scripted.client();
    let streaming = client.streaming();
    assert_eq!(streaming.delivery_log("siem/1").await.unwrap()[0].status_code, Some(503));
    let refused = streaming.test("siem/1").await.unwrap();
    assert_eq!(refused.error_message.as_deref(), Some("the connection was refused"));
    assert!(!streaming.test("siem/1").await.unwrap().success, "what is not said did not succeed");
    let since = "2026-11-29T00:00:00Z".parse().unwrap();
    assert_eq!(streaming.replay("siem/1", since).await.unwrap().id, "siem/1");
    let page = streaming
        .set_aside("siem/1", &DeliveryFilter::default().before("2").limit(1))
        .await
        .unwrap();
    assert_eq!(page.set_aside[0].event_id.as_deref(), Some("evt_1"));
    assert_eq!((page.next.as_deref(), page.dropped), (Some("1"), 7));
    let all = DeliveryFilter::default();
    assert!(streaming.set_aside("siem/1", &all).await.unwrap().set_aside.is_empty());
    let page = streaming.delivery_log_with("siem/1", &all.before("dlv_2")).await.unwrap();
    assert_eq!((&*page.items[0].id, page.next.as_deref()), ("dlv_1", Some("dlv_1")));

    let expected = [
        ("GET /siem%2F1/logs", Value::Null),
        ("POST /siem%2F1/test", Value::Null),
        ("POST /siem%2F1/test", Value::Null),
        ("POST /siem%2F1/replay", json!({ "since": "2026-11-29T00:00:00Z" })),
        ("GET /siem%2F1/set-aside?before=2&limit=1", Value::Null),
        ("GET /siem%2F1/set-aside", Value::Null),
        ("GET /siem%2F1/logs?before=dlv%5F2", Value::Null),
    ];
    assert_eq!(asked_for(&scripted), expected.map(|(what, body)| (what.to_owned(), body)));
}

#[tokio::test]
async fn destination_of_another_gateway_is_read_with_what_it_leaves_out_and_what_it_adds() {
    let of_published_clients = json!({
        "id": "d1", "orgId": "o1", "name": "splunk", "destinationType": "sentinel",
        "endpointUrl": "https://x", "isActive": true, "batchSize": 100, "flushIntervalSeconds": 30,
        "filterEventTypes": ["a"], "createdAt": "2026-01-01T00:00:00+00:00", "region": "eu",
        "format": "cef", "authToken": "echoed", "lag_seconds": "unknown",
    });
    let of_nulls = json!({
        "id": "d2", "org_id": null, "name": null, "endpoint_url": null, "auth_token": null,
        "is_active": null, "batch_size": null, "flush_interval_seconds": null,
        "filter_event_types": null, "created_at": null, "format": null, "failing_since": null,
    });
    let scripted = Scripted::answers([json!([of_published_clients, of_nulls, {}])]);
    let listed = scripted.client().streaming().list().await.unwrap();
    let said = &listed[0];
    assert_eq!((&*said.org_id, &*said.destination_type, said.batch_size), ("o1", "sentinel", 100));
    assert_eq!((said.format, said.lag_seconds), (Some(SiemFormat::Unknown), None));
    assert!(said.is_active && said.created_at.is_some() && !format!("{said:?}").contains("echoed"));
    for silent in &listed[1..] {
        assert!(!silent.is_active && silent.format.is_none() && silent.batch_size == 0);
        assert!(silent.filter_event_types.is_none() && silent.created_at.is_none());
    }
}

#[tokio::test]
async fn subscription_tells_of_each_delivery_once_for_as_long_as_it_is_listed() {
    let scripted = Scripted::answers([
        logs(&["a", "b", "a"]),
        logs(&[]),
        logs(&["c", "b"]),
        logs(&["d", "c"]),
        logs(&["e"]),
    ]);
    let mut told = Vec::new();
    let client = scripted.client();
    let all = client.streaming();
    all.subscribe(&polls(4), |delivery| {
        told.push(delivery.id.clone());
        true
    })
    .await
    .unwrap();
    // The log had let go of `b`: only what is still listed is remembered.
    assert_eq!(told, ["a", "b", "c", "b", "d"]);
    assert_eq!(asked_for(&scripted).len(), 4);
}

#[tokio::test]
async fn subscription_ends_when_its_handler_has_had_enough_and_at_the_first_error() {
    let refused = Say::Answer(403, vec![], json!({ "error": "AUTH_DENIED", "message": "no" }));
    let logged = |ids: &[&str]| Say::Answer(200, vec![], logs(ids));
    let scripted = Scripted::default().and_of_approvals([
        logged(&["a", "b"]),
        logged(&["a"]),
        refused,
        logged(&["a"]),
    ]);
    let client = scripted.client();
    let streaming = client.streaming();
    let mut told = 0;
    let enough = |count: &mut u32| {
        *count += 1;
        false
    };
    streaming.subscribe(&polls(9), |_| enough(&mut told)).await.unwrap();
    assert_eq!((told, asked_for(&scripted).len()), (1, 1));
    let ended = streaming.subscribe(&polls(9), |_| true).await.unwrap_err();
    assert!(matches!(ended, AgentTrustError::Authorization { .. }), "{ended}");
    assert_eq!(asked_for(&scripted).len(), 3);
    // As published clients do: it looks once before it counts.
    streaming.subscribe(&polls(0), |_| true).await.unwrap();
    assert_eq!(asked_for(&scripted).len(), 4);
}

#[test]
fn blocking_calls_are_the_same_and_the_handler_may_borrow() {
    let scripted = Scripted::answers([
        destination(),
        logs(&["a"]),
        logs(&["b", "a"]),
        json!({ "success": true, "status_code": 200 }),
    ]);
    let client = blocking::AgentTrustClient::from(scripted.client());
    assert_eq!(client.streaming().create(&splunk()).unwrap().name, "Splunk HEC");
    let mut told = Vec::new();
    let told_of = client.streaming().subscribe(&polls(2), |delivery| {
        told.push(delivery.id.clone());
        true
    });
    told_of.unwrap();
    assert_eq!(told, ["a", "b"]);
    assert!(client.streaming().test("siem/1").unwrap().success);
}
