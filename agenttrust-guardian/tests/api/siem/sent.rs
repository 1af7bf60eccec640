//! What was sent to a destination: an event for trial, what became of the others, and once more.

use std::collections::BTreeSet;

use agenttrust_testkit::siem::{HttpReceiver, Mood, Vendor};
use agenttrust_testkit::{ADMIN, eventually};
use serde_json::{Value, json};

use super::{TOKEN, made, of, open, quiet_with, with};
use crate::support::{Api, open_with};

async fn tried(api: &Api, path: &str) -> Value {
    api.post(&format!("{path}/test"), ADMIN, json!({})).await.ok().body
}

#[tokio::test(flavor = "multi_thread")]
async fn event_for_trial_arrives_also_while_the_destination_is_paused() {
    let api = open().await;
    let receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    let path = made(&api, with(of(&receiver, "splunk"), json!({ "format": "raw" }))).await;
    api.put(&path, ADMIN, json!({ "is_active": false })).await.ok();
    let rows = api.audit_rows().await;
    assert_eq!(tried(&api, &path).await, json!({ "success": true, "status_code": 200 }));
    let trials = || {
        let taken = receiver.taken().into_iter();
        taken.filter(|event| event.json["kind"] == "siem.test").collect::<Vec<_>>()
    };
    let first = trials();
    assert_eq!(first.len(), 1);
    assert!(first[0].id.starts_with("evt_"), "{first:?}");
    assert_eq!(first[0].json["body"]["name"], "here");
    tried(&api, &path).await;
    assert_ne!(trials()[1].id, first[0].id);
    assert_eq!(api.audit_rows().await, rows, "it is in no audit");
    assert_eq!(receiver.wrong(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn event_for_trial_that_is_not_taken_is_answered_with_what_the_receiver_said() {
    let api = open().await;
    let receiver = HttpReceiver::start(Vendor::Elastic, "another-token");
    let quiet = json!({ "filter_event_types": ["siem.events_cut"] });
    let path = made(&api, with(of(&receiver, "elastic"), quiet)).await;
    for (mood, status) in [
        (None, json!(401)),
        (Some(Mood::Answer(503, None)), json!(503)),
        (Some(Mood::Answer(400, None)), json!(400)),
        (Some(Mood::Reset), Value::Null),
    ] {
        if let Some(mood) = mood {
            api.put(&path, ADMIN, json!({ "auth_token": "another-token" })).await.ok();
            receiver.next(mood);
        }
        let told = tried(&api, &path).await;
        assert_eq!((&told["success"], &told["status_code"]), (&json!(false), &status), "{told}");
        assert!(!told["error_message"].as_str().unwrap().is_empty(), "{told}");
        assert!(!told.to_string().contains(TOKEN), "{told}");
    }
    assert_eq!(tried(&api, &path).await["success"], true);
    let nowhere = made(&api, super::quiet()).await;
    let told = tried(&api, &nowhere).await;
    assert_eq!((&told["success"], told.get("status_code")), (&json!(false), None), "{told}");
}

#[tokio::test]
async fn event_for_trial_goes_nowhere_that_is_closed_by_now() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("guardian.db").to_str().unwrap().to_owned();
    let api = open_with(|it| it.database(&database).allow_private_targets(true)).await;
    let receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    let quiet = json!({ "filter_event_types": ["siem.events_cut"] });
    let path = made(&api, with(of(&receiver, "splunk"), quiet)).await;
    api.guardian.close().await;
    drop(api);
    let api = open_with(|it| it.database(&database)).await;
    let told = tried(&api, &path).await;
    assert_eq!(told["success"], false);
    assert!(told["error_message"].as_str().unwrap().contains("must be https"), "{told}");
    assert!(receiver.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_what_was_sent_is_listed_page_by_page() {
    let api = open().await;
    let receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    let path = made(&api, with(of(&receiver, "splunk"), json!({ "batch_size": 1 }))).await;
    for _ in 0..4 {
        api.agent(&[]).await;
    }
    let all = async || {
        let logs = api.get(&format!("{path}/logs"), ADMIN).await.ok().body["logs"].clone();
        (logs.as_array().unwrap().len() >= 5).then(|| logs.as_array().unwrap().clone())
    };
    let all = eventually("five sendings are not listed", all).await;
    for record in &all {
        assert_eq!((&record["status"], &record["status_code"]), (&json!("success"), &json!(200)));
        assert_eq!(record["batch_size"], 1, "{record}");
        assert!(path.ends_with(record["destination_id"].as_str().unwrap()), "{record}");
        assert!(record.get("error_message").is_none() && record["delivered_at"].is_string());
    }
    let ids: BTreeSet<&str> = all.iter().map(|record| record["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), all.len());
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{path}/logs?limit=2&before={next}"), ADMIN).await.ok().body;
        let page_ids = page["logs"].as_array().unwrap().iter();
        seen.extend(page_ids.map(|record| record["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(more) => next = more.to_owned(),
            None => break,
        }
    }
    let mut sorted = seen.clone();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted.dedup();
    assert_eq!(seen, sorted, "the newest first, each once");
    let shown = api.get(&path, ADMIN).await.ok().body;
    assert_eq!((&shown["failing_since"], &shown["last_error"]), (&Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn event_that_is_refused_for_good_is_set_aside_with_the_reason_and_the_rest_goes_on() {
    let api = open().await;
    let receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    receiver.next(Mood::Answer(400, None));
    let path = made(&api, with(of(&receiver, "splunk"), json!({ "batch_size": 1 }))).await;
    let agent = api.agent(&[]).await;
    let aside = async || {
        let page = api.get(&format!("{path}/set-aside"), ADMIN).await.ok().body;
        (!page["set_aside"].as_array().unwrap().is_empty()).then_some(page)
    };
    let aside = eventually("none is set aside", aside).await;
    let one = &aside["set_aside"][0];
    assert_eq!(one["kind"], "siem.destination_created", "{one}");
    assert_eq!((&one["status_code"], &one["log"]), (&json!(400), &json!("")), "{one}");
    assert!(one["event_id"].as_str().unwrap().starts_with("evt_"), "{one}");
    assert!(one["seq"].as_i64().unwrap() > 0 && one["at"].is_string(), "{one}");
    assert!(!one["reason"].as_str().unwrap().is_empty(), "{one}");
    assert_eq!(aside["dropped"], 0);
    let rest = async || {
        let taken = receiver.taken().into_iter();
        taken.map(|event| event.json.to_string()).find(|event| event.contains(&agent))
    };
    eventually("the next one does not arrive", rest).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_since_a_time_is_sent_once_more_with_the_same_ids() {
    let api = open().await;
    let receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    let begun = agenttrust::Timestamp::now();
    let wanted = json!({ "filter_event_types": ["agent.*"], "format": "raw" });
    let path = made(&api, with(of(&receiver, "splunk"), wanted)).await;
    for _ in 0..3 {
        api.agent(&[]).await;
    }
    let arrived = async |count: usize| {
        let ids = async || Some(receiver.ids()).filter(|ids| ids.len() >= count);
        eventually("they do not arrive", ids).await
    };
    let first = arrived(3).await;
    let replay = format!("{path}/replay");
    let answer = api.post(&replay, ADMIN, json!({ "since": begun })).await.ok().body;
    assert!(path.ends_with(answer["id"].as_str().unwrap()), "{answer}");
    let both = arrived(6).await;
    assert_eq!(both, [first.clone(), first].concat());
    let told = &api.audit("siem.destination_replayed").await[0]["body"];
    assert_eq!(told["name"], "here", "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_leaves_out_nothing_that_is_owed() {
    let api = open().await;
    let mut receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    receiver.stop();
    let wanted = json!({ "filter_event_types": ["agent.*"], "format": "raw" });
    let path = made(&api, with(of(&receiver, "splunk"), wanted)).await;
    let agents = [api.agent(&[]).await, api.agent(&[]).await];
    // After all that it is owed.
    let now = json!({ "since": agenttrust::Timestamp::now() });
    receiver.restart();
    api.post(&format!("{path}/replay"), ADMIN, now).await.ok();
    let all = async || {
        let taken: Vec<String> =
            receiver.taken().into_iter().map(|event| event.json.to_string()).collect();
        agents.iter().all(|agent| taken.iter().any(|event| event.contains(agent))).then_some(())
    };
    eventually("one does not arrive", all).await;
}

#[tokio::test]
async fn destination_that_cannot_be_reached_says_since_when_and_why() {
    let api = open().await;
    let path =
        made(&api, quiet_with(json!({ "filter_event_types": null, "flush_interval_seconds": 1 })))
            .await;
    let failing = async || {
        let shown = api.get(&path, ADMIN).await.ok().body;
        shown["failing_since"].is_string().then_some(shown)
    };
    let shown = eventually("it is not seen to fail", failing).await;
    assert!(!shown["last_error"].as_str().unwrap().is_empty(), "{shown}");
    let logs = api.get(&format!("{path}/logs"), ADMIN).await.ok().body;
    assert_eq!(logs["logs"][0]["status"], "failed", "{logs}");
    assert!(logs["logs"][0].get("status_code").is_none(), "{logs}");
}
