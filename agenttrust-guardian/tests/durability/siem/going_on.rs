//! One destination and the other: what is refused, stalls, is paused or sent back, and how everything else goes on.

use std::time::{Duration, Instant};

use agenttrust_testkit::siem::{HttpReceiver, Mood};
use agenttrust_testkit::{ADMIN, eventually, eventually_within};
use serde_json::{Value, json};

use super::{Asked, DESTINATIONS, NEVER, all_arrive, arrived, audited, body, receiver, text};
use crate::support::{Harness, open_with};

/// Returns a Guardian that may reach a receiver here.
async fn open() -> Harness {
    const SECRET_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let settings = |builder: agenttrust_guardian::GuardianBuilder| {
        builder.secret_key(SECRET_KEY).allow_outbound("127.0.0.0/8")
    };
    Harness::new(open_with(settings).await).await
}

/// Makes a destination; returns its path.
async fn make(harness: &Harness, body: Value) -> String {
    let made = harness.post(DESTINATIONS, ADMIN, body).await.ok().body;
    format!("{DESTINATIONS}/{}", text(&made, "id"))
}

async fn change(harness: &Harness, path: &str, change: Value) {
    harness.put(path, ADMIN, change).await.ok();
}

async fn ask(harness: &Harness, count: usize) {
    for _ in 0..count {
        harness.asks("send_mail").await.ok();
    }
}

/// Returns what a metric says.
async fn metric(harness: &Harness, name: &str) -> u64 {
    let text = harness.read("/metrics").await;
    let text = text.as_str().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name}: {text}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_stalls_delays_no_other_and_no_health() {
    let harness = open().await;
    let (stalled, good) = (receiver(), receiver());
    stalled.mood(Mood::Stall);
    make(&harness, body(&stalled, 1, 1)).await;
    let made_after = audited(&*harness, "").await.len();
    make(&harness, body(&good, 1, 1)).await;
    let begun = Instant::now();
    ask(&harness, 5).await;
    all_arrive(&*harness, &good, "", made_after).await;
    // A stalled one is waited for for half a minute.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(!stalled.requests().is_empty() && stalled.taken().is_empty());
    let health = harness.read("/health").await;
    assert_eq!(health["status"], "healthy");
    let names: Vec<_> = health["siem"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["destinations_failing", "lag_seconds"]);
    assert_eq!(metric(&harness, "agenttrust_siem_destinations").await, 2);
}

/// Returns the id of the event of the last decision.
async fn last_decision(harness: &Harness) -> String {
    let rows = audited(&**harness, "").await;
    rows.into_iter().rfind(|row| row.kind == "decision").unwrap().id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_refused_for_good_is_set_aside_and_the_rest_goes_on() {
    let harness = open().await;
    let receiver = receiver();
    let made_after = audited(&*harness, "").await.len();
    let path = make(&harness, body(&receiver, 16, 1)).await;
    change(&harness, &path, json!({ "is_active": false })).await;
    ask(&harness, 20).await;
    let bad = last_decision(&harness).await;
    ask(&harness, 20).await;
    receiver.mood(Mood::RefuseEvent(bad.clone()));
    change(&harness, &path, json!({ "is_active": true })).await;
    let rows = audited(&*harness, "").await;
    let good: Vec<_> =
        rows.iter().skip(made_after).map(|row| &row.id).filter(|id| **id != bad).collect();
    let arrive = async || {
        let arrived = arrived(&receiver, "");
        if arrived.iter().eq(good.iter().copied()) {
            Ok(())
        } else {
            Err((arrived.len(), good.len()))
        }
    };
    eventually_within(NEVER, "the rest does not go on", arrive).await;
    let aside = harness.read(&format!("{path}/set-aside")).await;
    assert_eq!(aside["set_aside"].as_array().unwrap().len(), 1, "{aside}");
    let aside = &aside["set_aside"][0];
    assert_eq!((&aside["event_id"], &aside["kind"]), (&json!(bad), &json!("decision")));
    assert_eq!(aside["status_code"], 400, "{aside}");
    assert!(aside["reason"].as_str().unwrap().contains("400"), "{aside}");
    // It was looked for by halves, and nothing was sent twice for it.
    assert!(receiver.requests().len() < 24, "{}", receiver.requests().len());
    assert_eq!(receiver.taken().len(), good.len());
    assert_eq!(metric(&harness, "agenttrust_siem_events_set_aside_total").await, 1);
    // It is counted once the receiver has answered.
    let counted =
        async || metric(&harness, "agenttrust_siem_events_sent_total").await >= good.len() as u64;
    eventually("what was sent is not counted", counted).await;
    let view = harness.read(&path).await;
    assert!(view["failing_since"].is_null(), "{view}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_paused_is_owed_what_happens_and_one_that_is_sent_back_gets_it_again()
{
    let harness = open().await;
    let receiver = receiver();
    let made_after = audited(&*harness, "").await.len();
    let path = make(&harness, body(&receiver, 100, 1)).await;
    all_arrive(&*harness, &receiver, "", made_after).await;
    change(&harness, &path, json!({ "is_active": false })).await;
    let since = harness.read("/api/v1/audit/logs").await["logs"][0]["newest_at"].clone();
    let before = receiver.taken().len();
    ask(&harness, 5).await;
    let metrics = async || metric(&harness, "agenttrust_siem_destinations").await == 0;
    eventually("it is not paused", metrics).await;
    assert_eq!(receiver.taken().len(), before);
    change(&harness, &path, json!({ "is_active": true })).await;
    all_arrive(&*harness, &receiver, "", made_after).await;

    let first = receiver.taken().len();
    assert_eq!(
        first,
        arrived(&receiver, "").len(),
        "nothing comes twice, and nothing while it is paused"
    );
    let replay = json!({ "since": since });
    harness.post(&format!("{path}/replay"), ADMIN, replay).await.ok();
    let expected = audited(&*harness, "").await.len() - made_after;
    let again = async || {
        let again = receiver.taken().len() - first;
        // All that came since it was paused, and that it was sent back.
        if again > 5 && arrived(&receiver, "").len() == expected { Ok(()) } else { Err(again) }
    };
    eventually_within(NEVER, "it does not come again", again).await;
    let again: Vec<_> = receiver.ids().split_off(first);
    let seen = arrived(&receiver, "");
    let from = seen.iter().position(|id| *id == again[0]).unwrap();
    assert_eq!(again, seen[from..], "in the order of before, with the same ids");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_goes_when_it_is_full_or_when_its_time_has_come() {
    let harness = open().await;
    let (full, timed) = (receiver(), receiver());
    make(&harness, body(&timed, 1000, 1)).await;
    // What is owed since: that it was made, and what follows.
    make(&harness, body(&full, 5, 3600)).await;
    ask(&harness, 12).await;
    let sizes = |receiver: &HttpReceiver| {
        let events = |request: &agenttrust_testkit::siem::Request| {
            let body: Value = serde_json::from_str(&request.body).unwrap();
            body["events"].as_array().unwrap().len()
        };
        receiver.requests().iter().map(events).collect::<Vec<_>>()
    };
    let look = async || if full.requests().len() >= 2 { Ok(()) } else { Err(sizes(&full)) };
    eventually("no full batch goes", look).await;
    let rows = audited(&*harness, "").await.len();
    let look = async || timed.taken().last().is_some_and(|last| last.json["seq"] == rows);
    eventually("what waited for a second does not go", look).await;
    assert!(sizes(&full).iter().all(|size| *size == 5), "{:?}", sizes(&full));
    // Not each by itself.
    assert!(timed.requests().len() < timed.taken().len(), "{:?}", sizes(&timed));
}
