//! What a destination gets exactly: from where on it is sent back, nothing while it is paused, and what is shown of it.

use std::collections::BTreeSet;

use agenttrust_testkit::siem::{HttpReceiver, Vendor};
use agenttrust_testkit::{ADMIN, eventually};
use serde_json::{Value, json};

use super::{DESTINATIONS, TOKEN, made, of, open, quiet, with};
use crate::support::Api;

/// Waits until as many events arrived, and returns the numbers of their rows.
async fn arrived(receiver: &HttpReceiver, count: usize) -> Vec<u64> {
    let seqs = async || {
        let taken = receiver.taken();
        let seqs = taken.iter().map(|event| event.json["seq"].as_u64().unwrap());
        (taken.len() >= count).then(|| seqs.collect::<Vec<_>>())
    };
    eventually("they do not arrive", seqs).await
}

/// Waits until the answers of the receiver are kept: what it took is sent again where a change comes before that.
async fn settled(api: &Api, path: &str, count: u64) {
    let settled = async || {
        let logs = api.get(&format!("{path}/logs"), ADMIN).await.ok().body["logs"].clone();
        let sizes = logs.as_array().unwrap().iter().map(|one| one["batch_size"].as_u64().unwrap());
        sizes.sum::<u64>() == count
    };
    eventually("what was taken is not kept", settled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn destination_that_is_sent_back_gets_the_row_of_that_very_time_and_none_before_it() {
    let api = open().await;
    let receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    let wanted = json!({ "filter_event_types": ["agent.created"], "format": "raw" });
    let path = made(&api, with(of(&receiver, "splunk"), wanted)).await;
    for _ in 0..4 {
        api.agent(&[]).await;
    }
    let first = arrived(&receiver, 4).await;
    assert_eq!(first.len(), 4);
    settled(&api, &path, 4).await;
    let at = receiver.taken()[2].json["at"].clone();
    api.post(&format!("{path}/replay"), ADMIN, json!({ "since": at })).await.ok();
    arrived(&receiver, 6).await;
    // What comes after all of it, so that nothing else was on its way.
    api.agent(&[]).await;
    let all = arrived(&receiver, 7).await;
    assert_eq!(all[..6], [&first[..], &first[2..]].concat());
    assert_eq!(all.len(), 7, "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn destination_that_is_paused_gets_nothing_while_another_one_gets_all() {
    let api = open().await;
    let (paused, other) =
        (HttpReceiver::start(Vendor::Splunk, TOKEN), HttpReceiver::start(Vendor::Splunk, TOKEN));
    let wanted = json!({ "filter_event_types": ["agent.created"], "format": "raw" });
    let path = made(&api, with(of(&paused, "splunk"), wanted.clone())).await;
    made(&api, with(of(&other, "splunk"), with(wanted, json!({ "name": "other" })))).await;
    api.agent(&[]).await;
    let before = arrived(&paused, 1).await;
    settled(&api, &path, 1).await;
    api.put(&path, ADMIN, json!({ "is_active": false })).await.ok();
    for count in 2..=4 {
        // Each waits for its second, in which one that is not paused would send as well.
        api.agent(&[]).await;
        arrived(&other, count).await;
    }
    assert_eq!(arrived(&paused, 0).await, before);
    api.put(&path, ADMIN, json!({ "is_active": true })).await.ok();
    assert_eq!(arrived(&paused, 4).await, arrived(&other, 4).await);
}

#[tokio::test]
async fn answer_about_a_destination_has_these_members_and_no_other() {
    let api = open().await;
    let path = made(&api, quiet()).await;
    let known: BTreeSet<&str> = [
        "id",
        "org_id",
        "name",
        "destination_type",
        "endpoint_url",
        "is_active",
        "batch_size",
        "flush_interval_seconds",
        "filter_event_types",
        "format",
        "lag_seconds",
        "failing_since",
        "last_error",
        "last_status",
        "created_by",
        "created_at",
        "updated_at",
    ]
    .into();
    let listed = api.get(DESTINATIONS, ADMIN).await.ok().body;
    let changed = api.put(&path, ADMIN, json!({ "batch_size": 3 })).await.ok().body;
    for shown in [&listed["destinations"][0], &api.get(&path, ADMIN).await.ok().body, &changed] {
        let members: BTreeSet<&str> = shown.as_object().unwrap().keys().map(|it| &**it).collect();
        assert_eq!(members, known);
        // Not sealed either.
        assert!(!shown.to_string().contains("sealed."), "{shown}");
    }
    let audit: Value = api.get("/api/v1/audit?limit=1000", ADMIN).await.ok().body;
    assert!(!audit.to_string().contains("sealed."), "{audit}");
}
