//! What is kept of a destination, who sees what of it, and how it changes.

use agenttrust_guardian::Role;
use agenttrust_testkit::ADMIN;
use axum::http::Method;
use serde_json::{Value, json};

use super::{DESTINATIONS, made, make, open, quiet, quiet_with};
use crate::support::Api;

async fn all_of_the_audit(api: &Api) -> String {
    api.get("/api/v1/audit?limit=1000", ADMIN).await.ok().body.to_string()
}

#[tokio::test]
async fn what_is_not_said_of_a_destination_is_as_the_guide_has_it() {
    let api = open().await;
    let minimal = json!({
        "name": "elastic-prod", "destination_type": "elastic", "endpoint_url": "https://127.0.0.1:9",
        "auth_token": null, "batch_size": null, "flush_interval_seconds": null, "filter_event_types": null,
    });
    let answer = make(&api, minimal).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let made = answer.body;
    assert!(made["id"].as_str().unwrap().starts_with("dst_"), "{made}");
    for (name, value) in [
        ("name", json!("elastic-prod")),
        ("destination_type", json!("elastic")),
        ("endpoint_url", json!("https://127.0.0.1:9")),
        ("is_active", json!(true)),
        ("batch_size", json!(100)),
        ("flush_interval_seconds", json!(30)),
        ("filter_event_types", json!([])),
        ("format", json!("ocsf")),
        ("org_id", json!("org_default")),
    ] {
        assert_eq!(made[name], value, "{name}: {made}");
    }
    let whole = quiet_with(json!({ "batch_size": 60.0, "flush_interval_seconds": 3600.0 }));
    let made = make(&api, whole).await.ok().body;
    assert_eq!((&made["batch_size"], &made["flush_interval_seconds"]), (&json!(60), &json!(3600)));
}

#[tokio::test]
async fn token_is_shown_by_no_answer_and_no_row_of_the_audit() {
    let api = open().await;
    let answer = make(&api, quiet()).await.ok().body;
    let path = format!("{DESTINATIONS}/{}", answer["id"].as_str().unwrap());
    let other = "hunter3-of-the-receiver";
    let changed = api.put(&path, ADMIN, json!({ "auth_token": other })).await.ok().body;
    let shown = [
        answer,
        changed,
        api.get(&path, ADMIN).await.ok().body,
        api.get(DESTINATIONS, ADMIN).await.ok().body,
        api.post(&format!("{path}/test"), ADMIN, json!({})).await.ok().body,
        api.get(&format!("{path}/logs"), ADMIN).await.ok().body,
        api.get("/api/v1/audit?limit=1000", ADMIN).await.ok().body,
    ];
    for shown in shown {
        let shown = shown.to_string();
        assert!(!shown.contains("hunter"), "{shown}");
    }
    let told = api.audit("siem.destination_updated").await;
    assert_eq!(told[0]["body"]["auth_token"], true, "{told:?}");
}

#[tokio::test]
async fn who_may_not_change_a_destination_sees_its_host_and_not_its_path() {
    let api = open().await;
    let path = made(
        &api,
        quiet_with(
            json!({ "endpoint_url": "https://siem.example.com/hunter2/services/collector" }),
        ),
    )
    .await;
    for role in [Role::Auditor, Role::Operator] {
        let key = api.key(role, &[]).await;
        let listed = api.get(DESTINATIONS, &key).await.ok().body;
        let read = api.get(&path, &key).await.ok().body;
        for shown in [&listed["destinations"][0], &read] {
            assert_eq!(shown["endpoint_url"], "https://siem.example.com/…", "{shown}");
        }
    }
    let whole = api.get(&path, ADMIN).await.ok().text("endpoint_url");
    assert!(whole.contains("/hunter2/"), "{whole}");
    let audit = all_of_the_audit(&api).await;
    assert!(!audit.contains("hunter2") && audit.contains("https://siem.example.com/…"), "{audit}");
}

#[tokio::test]
async fn change_touches_what_it_names_and_one_that_changes_nothing_is_not_recorded() {
    let api = open().await;
    let path = made(&api, quiet()).await;
    let before = api.get(&path, ADMIN).await.ok().body;
    for nothing in [
        json!({}),
        json!({ "name": null, "is_active": null, "batch_size": null, "filter_event_types": null }),
        json!({ "name": "prod", "destination_type": "splunk", "is_active": true, "batch_size": 100.0 }),
    ] {
        assert_eq!(
            api.put(&path, ADMIN, nothing).await.ok().body["updated_at"],
            before["updated_at"]
        );
    }
    assert!(api.audit("siem.destination_updated").await.is_empty());
    let change = json!({
        "name": "other", "is_active": false, "batch_size": 7, "flush_interval_seconds": 9, "format": "raw",
        "filter_event_types": ["decision.denied", "approval.*"],
    });
    let changed = api.put(&path, ADMIN, change.clone()).await.ok().body;
    for (name, value) in change.as_object().unwrap() {
        assert_eq!(&changed[name], value, "{changed}");
    }
    assert_eq!(changed["endpoint_url"], before["endpoint_url"]);
    assert_eq!(api.get(&path, ADMIN).await.ok().body["name"], "other");
    let told = &api.audit("siem.destination_updated").await[0]["body"];
    assert_eq!((&told["is_active"], &told["batch_size"]), (&json!(false), &json!(7)), "{told}");
    let all = api.put(&path, ADMIN, json!({ "filter_event_types": [] })).await.ok().body;
    assert_eq!(all["filter_event_types"], json!([]));
}

#[tokio::test]
async fn token_is_kept_for_the_host_that_it_was_given_for_and_no_other() {
    let api = open().await;
    let path = made(&api, quiet()).await;
    for elsewhere in [
        "http://127.0.0.2:9/services/collector",
        "http://127.0.0.1:10/services/collector",
        "https://127.0.0.1:9/services/collector",
    ] {
        let answer = api.put(&path, ADMIN, json!({ "endpoint_url": elsewhere })).await;
        let refused = answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(refused.body["details"]["field"], "auth_token", "{elsewhere}");
        assert!(refused.text("message").contains("another host"), "{refused:?}");
    }
    let here = json!({ "endpoint_url": "http://127.0.0.1:9/x/services/collector" });
    assert_eq!(
        api.put(&path, ADMIN, here.clone()).await.ok().body["endpoint_url"],
        here["endpoint_url"]
    );
    let there = json!({ "endpoint_url": "http://127.0.0.2:9/services/collector", "auth_token": "of-that-one" });
    api.put(&path, ADMIN, there).await.ok();
    // Where there is no token, there is none to be told elsewhere.
    let open_one = json!({ "name": "open", "destination_type": "elastic", "auth_token": null });
    let open_one = made(&api, quiet_with(open_one)).await;
    api.put(&open_one, ADMIN, json!({ "endpoint_url": "http://127.0.0.3:9" })).await.ok();
}

#[tokio::test]
async fn destination_that_is_removed_is_gone_with_what_is_kept_of_it() {
    let api = open().await;
    let path = made(&api, quiet()).await;
    api.ask(Method::DELETE, &path, ADMIN, None).await.ok();
    api.ask(Method::DELETE, &path, ADMIN, None).await.refused(404, "NOT_FOUND");
    for rest in ["", "/logs", "/set-aside"] {
        api.get(&format!("{path}{rest}"), ADMIN).await.refused(404, "NOT_FOUND");
    }
    api.put(&path, ADMIN, json!({ "name": "x" })).await.refused(404, "NOT_FOUND");
    api.post(&format!("{path}/test"), ADMIN, json!({})).await.refused(404, "NOT_FOUND");
    let since = json!({ "since": "2026-01-02T03:04:05Z" });
    api.post(&format!("{path}/replay"), ADMIN, since).await.refused(404, "NOT_FOUND");
    let (created, removed) =
        (api.audit("siem.destination_created").await, api.audit("siem.destination_removed").await);
    assert_eq!(created[0]["body"]["destination_id"], removed[0]["body"]["destination_id"]);
    assert_eq!(created[0]["body"]["name"], "prod");
    let listed = api.get(DESTINATIONS, ADMIN).await.ok().body;
    assert_eq!(listed, json!({ "destinations": [] }));
}

#[tokio::test]
async fn organisation_has_twenty_destinations_at_most() {
    let api = open().await;
    let numbered = |number: usize| quiet_with(json!({ "name": format!("prod-{number}") }));
    let paths = (0..21).map(|number| make(&api, numbered(number)));
    let paths = futures_util::future::join_all(paths).await;
    let (ok, full): (Vec<_>, Vec<_>) = paths.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((ok.len(), full.len()), (20, 1));
    let said = full[0].refused(429, "TOO_MANY").text("message");
    assert!(said.contains("20 SIEM destinations") && said.contains("remove one"), "{said}");
    let removed = format!("{DESTINATIONS}/{}", ok[0].text("id"));
    api.ask(Method::DELETE, &removed, ADMIN, None).await.ok();
    make(&api, quiet()).await.ok();
    let listed: Value = api.get(DESTINATIONS, ADMIN).await.ok().body;
    assert_eq!(listed["destinations"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn name_of_a_destination_is_its_own_in_its_organisation() {
    let api = open().await;
    let made_at_once = futures_util::future::join_all((0..4).map(|_| make(&api, quiet()))).await;
    let (ok, taken): (Vec<_>, Vec<_>) = made_at_once.iter().partition(|made| made.status == 201);
    assert_eq!((ok.len(), taken.len()), (1, 3), "{made_at_once:?}");
    let id = ok[0].text("id");
    for taken in taken {
        let said = taken.refused(409, "CONFLICT").text("message");
        assert!(said.contains("\"prod\"") && said.contains(&id), "{said}");
        assert_eq!(taken.body["details"], json!({ "field": "name", "destination_id": id }));
    }
    // Names are compared as they are written.
    let other = made(&api, quiet_with(json!({ "name": "Prod" }))).await;
    let before = api.get(&other, ADMIN).await.ok().body;
    api.put(&other, ADMIN, json!({ "name": "prod" })).await.refused(409, "CONFLICT");
    assert_eq!(api.get(&other, ADMIN).await.ok().body["name"], before["name"]);
    api.put(&other, ADMIN, json!({ "name": "Prod", "batch_size": 7 })).await.ok();
    // What looks like it, or like an id, is no name.
    for name in ["prod ", " ", "prod\u{200b}", "prod\u{202e}", "p\u{a0}rod", "dst_1"] {
        let said = make(&api, quiet_with(json!({ "name": name }))).await;
        assert_eq!(said.refused(400, "VALIDATION_ERROR").body["details"]["field"], "name");
        api.put(&other, ADMIN, json!({ "name": name })).await.refused(400, "VALIDATION_ERROR");
    }
    // Another organisation's names are its own.
    let body = json!({ "role": "admin", "org_id": "org_two" });
    let key = api.post("/api/v1/keys", ADMIN, body).await.ok().text("key");
    api.post(DESTINATIONS, &key, quiet()).await.ok();
    // And it is free once the other one is gone.
    api.ask(Method::DELETE, &format!("{DESTINATIONS}/{id}"), ADMIN, None).await.ok();
    api.put(&other, ADMIN, json!({ "name": "prod" })).await.ok();
}

#[tokio::test]
async fn destination_without_the_token_that_its_receiver_needs_is_refused_and_a_weak_one_says_so() {
    let api = open().await;
    for (kind, says) in [("splunk", "HTTP Event Collector"), ("datadog", "API key")] {
        for token in [json!({ "auth_token": null }), json!({})] {
            let url = "http://127.0.0.1:9";
            let mut body = quiet_with(json!({ "destination_type": kind, "endpoint_url": url }));
            body.as_object_mut().unwrap().remove("auth_token");
            for (name, value) in token.as_object().unwrap() {
                body[name] = value.clone();
            }
            let answer = make(&api, body).await;
            let refused = answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(refused.body["details"]["field"], "auth_token", "{kind}");
            assert!(refused.text("message").contains(says), "{refused:?}");
        }
    }
    let unsigned = json!({ "name": "hook", "destination_type": "webhook", "auth_token": null });
    let made = make(&api, quiet_with(unsigned)).await.ok().body;
    assert!(made["warning"].as_str().unwrap().contains("unsigned"), "{made}");
    let path = format!("{DESTINATIONS}/{}", made["id"].as_str().unwrap());
    let secret = "whsec_MDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmY=";
    let signed = api.put(&path, ADMIN, json!({ "auth_token": secret })).await.ok().body;
    assert!(signed.get("warning").is_none(), "{signed}");
    let open_one = json!({ "name": "open", "destination_type": "elastic", "auth_token": null });
    assert!(make(&api, quiet_with(open_one)).await.ok().body.get("warning").is_none());
}
