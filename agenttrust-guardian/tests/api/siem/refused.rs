//! What no destination can be made with, or changed to: a clear error that names the field, and nothing is kept.

use agenttrust_testkit::ADMIN;
use serde_json::{Value, json};

use super::{DESTINATIONS, TOKEN, made, make, open, quiet_with};
use crate::support::{Api, open as open_strictly, open_with};

/// Asserts that it is refused for this field, and returns what is said.
async fn refuses(api: &Api, members: Value, field: &str) -> String {
    let answer = make(api, quiet_with(members.clone())).await;
    assert_eq!(answer.status, 400, "{members}: {answer:?}");
    assert_eq!(answer.body["details"]["field"], field, "{members}: {answer:?}");
    let said = answer.text("message");
    assert!(!said.contains(TOKEN), "{said}");
    said
}

#[tokio::test]
async fn endpoint_that_is_never_called_is_refused_for_every_kind() {
    let strict = open_strictly().await;
    for kind in ["splunk", "datadog", "elastic", "webhook"] {
        for url in [
            "",
            "splunk",
            "http://siem.example.com/services/collector",
            "https://127.0.0.1/services/collector",
            "https://10.0.0.8/services/collector",
            "https://169.254.169.254/latest/meta-data/",
            "https://[::1]/",
            "https://localhost/",
            "https://me:pw@siem.example.com/",
            "https://siem.example.com/#top",
            "https://siem.example.com/\n",
            "ftp://siem.example.com/",
            "file:///etc/passwd",
            "syslog+tls://siem.example.com:6514",
            &format!("https://siem.example.com/{}", "x".repeat(2_000)),
        ] {
            let members =
                json!({ "destination_type": kind, "endpoint_url": url, "auth_token": null });
            refuses(&strict, members, "endpoint_url").await;
        }
    }
    for (kind, url) in [
        ("syslog", "https://siem.example.com/"),
        ("syslog", "syslog+tcp://127.0.0.1:601"),
        ("syslog", "syslog+tls://10.0.0.8:6514"),
        ("syslog", "syslog+tls://me:pw@log.example.com:6514"),
        ("syslog", "syslog+tls://"),
        ("file", "https://siem.example.com/"),
        ("file", "/var/log/events.jsonl"),
        ("file", "file:///var/log/events.jsonl"),
        ("file", "file:///etc/passwd"),
        ("file", "file://host/share/x"),
    ] {
        let members = json!({ "destination_type": kind, "endpoint_url": url, "auth_token": null });
        refuses(&strict, members, "endpoint_url").await;
    }
    // The addresses of a cloud's own services stay closed also where private ones are open.
    let api = open().await;
    refuses(&api, json!({ "endpoint_url": "https://169.254.169.254/" }), "endpoint_url").await;
    let path = made(&api, quiet_with(json!({}))).await;
    let answer = api.put(&path, ADMIN, json!({ "endpoint_url": "ftp://127.0.0.1:9/" })).await;
    let refused = answer.refused(400, "VALIDATION_ERROR");
    assert_eq!(refused.body["details"]["field"], "endpoint_url");
    let listed = strict.get(DESTINATIONS, ADMIN).await.ok().body;
    assert_eq!(listed, json!({ "destinations": [] }));
}

#[tokio::test]
async fn type_and_form_that_are_not_known_are_refused_with_those_that_are() {
    let api = open().await;
    for kind in ["", "Splunk", "kafka", "unknown"] {
        let said = refuses(&api, json!({ "destination_type": kind }), "destination_type").await;
        assert!(said.contains("splunk, datadog, elastic, webhook, syslog, file"), "{said}");
    }
    for format in ["", "OCSF", "cef", "unknown"] {
        let said = refuses(&api, json!({ "format": format }), "format").await;
        assert!(said.contains("ocsf or raw"), "{said}");
    }
    let path = made(&api, quiet_with(json!({}))).await;
    let answer = api.put(&path, ADMIN, json!({ "destination_type": "elastic" })).await;
    let said = answer.refused(400, "VALIDATION_ERROR").text("message");
    assert!(said.contains("make another one"), "{said}");
}

#[tokio::test]
async fn numbers_out_of_bounds_are_refused_with_the_bounds() {
    let api = open().await;
    for size in [json!(0), json!(1_001), json!(1_000_000_000), json!(u64::MAX)] {
        let said = refuses(&api, json!({ "batch_size": size }), "batch_size").await;
        assert!(said.contains("use 1 to 1000"), "{said}");
    }
    for seconds in [json!(0), json!(3_601), json!(1_000_000_000)] {
        let field = "flush_interval_seconds";
        let said = refuses(&api, json!({ "flush_interval_seconds": seconds }), field).await;
        assert!(said.contains("use 1 to 3600"), "{said}");
    }
    for bad in [json!(-1), json!(1.5), json!("100"), json!([]), json!(true), json!(1e300)] {
        refuses(&api, json!({ "batch_size": bad.clone() }), "batch_size").await;
        let field = "flush_interval_seconds";
        refuses(&api, json!({ "flush_interval_seconds": bad }), field).await;
    }
}

#[tokio::test]
async fn filter_of_an_unknown_event_type_is_refused_with_the_types_there_are() {
    let api = open().await;
    for word in ["decisions", "*", "approval.aproved", "decision.maybe"] {
        let body = quiet_with(json!({ "filter_event_types": ["decision", word] }));
        let answer = make(&api, body).await;
        answer.refused(400, "VALIDATION_ERROR");
        let details = &answer.body["details"];
        assert_eq!(details["field"], "filter_event_types[1]", "{word}: {answer:?}");
        assert!(answer.text("message").contains("name a kind"), "{answer:?}");
        let known = details["event_types"].as_array().unwrap();
        for kind in ["decision", "approval.approved", "key.created", "siem.destination_created"] {
            assert!(known.contains(&json!(kind)), "{kind}: {known:?}");
        }
    }
    let many = vec!["decision"; 257];
    refuses(&api, json!({ "filter_event_types": many }), "filter_event_types").await;
    refuses(&api, json!({ "filter_event_types": ["a\nb"] }), "filter_event_types[0]").await;
    refuses(&api, json!({ "filter_event_types": "decision" }), "filter_event_types").await;
}

#[tokio::test]
async fn token_that_no_receiver_has_is_refused_and_repeated_nowhere() {
    let api = open().await;
    for token in [
        String::new(),
        format!("{TOKEN}\nX-Other: 1"),
        format!("{TOKEN}\r\n"),
        format!(" {TOKEN}"),
        format!("{TOKEN}\u{e9}"),
        format!("{TOKEN}\0"),
        TOKEN.repeat(200),
    ] {
        refuses(&api, json!({ "auth_token": token }), "auth_token").await;
    }
    let webhook = json!({ "destination_type": "webhook", "endpoint_url": "http://127.0.0.1:9/" });
    let said = refuses(&api, webhook, "auth_token").await;
    assert!(said.contains("whsec_"), "{said}");
    let syslog =
        json!({ "destination_type": "syslog", "endpoint_url": "syslog+tcp://127.0.0.1:9" });
    let said = refuses(&api, syslog, "auth_token").await;
    assert!(said.contains("leave it out"), "{said}");
    let audit = api.get("/api/v1/audit?limit=1000", ADMIN).await.ok().body.to_string();
    assert!(!audit.contains(TOKEN), "{audit}");
    // That it was tried is recorded.
    assert!(!api.audit("siem.destination_refused").await.is_empty());
}

#[tokio::test]
async fn name_with_a_control_character_and_one_without_end_are_refused() {
    let api = open().await;
    for name in ["", "a\nb", "a\u{1b}[31m", "a\0", &"x".repeat(201)] {
        refuses(&api, json!({ "name": name }), "name").await;
    }
    let path = made(&api, quiet_with(json!({}))).await;
    let answer = api.put(&path, ADMIN, json!({ "name": "a\u{7f}" })).await;
    assert_eq!(answer.refused(400, "VALIDATION_ERROR").body["details"]["field"], "name");
}

#[tokio::test]
async fn member_that_looks_like_a_known_one_is_refused_and_others_are_named_and_skipped() {
    let api = open().await;
    let answer = make(&api, quiet_with(json!({ "auth_tokn": "x" }))).await;
    let said = answer.refused(400, "VALIDATION_ERROR").text("message");
    assert!(said.contains("auth_token"), "{said}");
    let answer = make(&api, quiet_with(json!({ "of_tomorrow": 1 }))).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let path = format!("{DESTINATIONS}/{}", answer.text("id"));
    let replay = format!("{path}/replay");
    for bad in [
        json!({}),
        json!({ "since": "yesterday" }),
        json!({ "since": 7 }),
        json!({ "since": "2026-01-02T03:04:05Z", "until": "2026-01-02T03:04:05Z" }),
        json!({ "since": "9999-01-02T03:04:05Z" }),
    ] {
        api.post(&replay, ADMIN, bad).await.refused(400, "VALIDATION_ERROR");
    }
    for query in ["limit=0", "limit=201", "limit=x", "before=msg_1", "before=x%0Ay", "after=1"] {
        for list in ["logs", "set-aside"] {
            let answer = api.get(&format!("{path}/{list}?{query}"), ADMIN).await;
            if list == "logs" && query == "after=1" {
                continue;
            }
            answer.refused(400, "VALIDATION_ERROR");
        }
    }
}

#[tokio::test]
async fn file_on_the_guardians_machine_is_for_its_own_organisation_alone() {
    let folder = tempfile::tempdir().unwrap();
    let api = open_with(|builder| builder.siem_files(folder.path())).await;
    let url = format!("file://{}/events.jsonl", folder.path().display());
    let file = json!({ "destination_type": "file", "endpoint_url": url, "auth_token": null });
    make(&api, quiet_with(file.clone())).await.ok();
    let body = json!({ "role": "admin", "org_id": "org_two" });
    let key = api.post("/api/v1/keys", ADMIN, body).await.ok().text("key");
    let answer = api.post(DESTINATIONS, &key, quiet_with(file)).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.text("message").contains("org_default"), "{answer:?}");
}
