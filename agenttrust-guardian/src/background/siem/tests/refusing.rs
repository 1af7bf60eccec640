//! A receiver that refuses everything for good: seen to fail, and not asked at full speed until nothing is owed.

use std::time::Duration;

use agenttrust_testkit::siem::{HttpReceiver, Mood, Vendor};
use agenttrust_testkit::{ADMIN, eventually_within};
use serde_json::{Value, json};

use super::{NEVER, SECRET, make, newest_arrives, open, set};
use crate::harness::Harness;

/// The shortest pause of one that refuses everything, and the longest: of what is behind an event that is refused.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A pause as long as any.
const PAUSE: Duration = Duration::from_secs(301);

/// Returns the numbers of the rows that are set aside, in their order.
async fn aside(harness: &Harness, path: &str) -> Vec<i64> {
    let page = harness.get(&format!("{path}/set-aside"), ADMIN).await.ok().body;
    let rows = page["set_aside"].as_array().unwrap().iter().rev();
    rows.map(|row| row["seq"].as_i64().unwrap()).collect()
}

/// Waits until so many rows are set aside, and no more.
async fn are_set_aside(harness: &Harness, path: &str, count: usize) {
    let look = async || {
        let aside = aside(harness, path).await;
        if aside.len() == count { Ok(()) } else { Err(aside) }
    };
    eventually_within(NEVER, format!("{count} are not set aside"), look).await;
}

/// Returns how many destinations fail, as `/health` and the metric have it.
async fn failing(harness: &Harness) -> (Value, String) {
    let health = harness.get("/health", "").await.ok().body["siem"]["destinations_failing"].clone();
    let metrics = harness.get("/metrics", ADMIN).await.ok().body;
    let name = "agenttrust_siem_destinations_failing ";
    let line = metrics.as_str().unwrap().lines().find_map(|line| line.strip_prefix(name));
    (health, line.unwrap().to_owned())
}

async fn fail(harness: &Harness, count: u64) {
    let told = async || {
        let failing = failing(harness).await;
        if failing == (json!(count), count.to_string()) { Ok(()) } else { Err(failing) }
    };
    eventually_within(NEVER, format!("not {count} are told to fail"), told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_refuses_everything_fails_and_is_sent_one_event_a_pause_until_it_takes_one()
{
    let harness = open().await;
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    let path = make(&harness, &receiver).await;
    newest_arrives(&harness, &receiver).await;
    set(&harness, &path, json!({ "is_active": false, "batch_size": 16 })).await;
    let taken_before = receiver.taken().len();
    for _ in 0..40 {
        harness.asks("send_mail").await.ok();
    }
    receiver.mood(Mood::Answer(400, None));
    let engine = harness.guardian.engine();
    engine.clock.stop_at(engine.clock.now());
    set(&harness, &path, json!({ "is_active": true })).await;

    // Ten in a row are enough; the rest waits.
    are_set_aside(&harness, &path, 10).await;
    let view = harness.get(&path, ADMIN).await.ok().body;
    assert!(view["failing_since"].is_string(), "{view}");
    assert_eq!(view["last_status"], 400, "{view}");
    fail(&harness, 1).await;
    let id = path.rsplit('/').next().unwrap();
    for more in 1..=8 {
        let row = engine.store.destination(id.to_owned()).await.unwrap().unwrap();
        let pause = engine.clock.now().until(row.next_at);
        assert!(pause >= PAUSES.0 && pause <= PAUSES.1, "{pause:?}");
        let asked = receiver.requests().len();
        engine.clock.advance(PAUSES.1);
        engine.siem.changed(id);
        are_set_aside(&harness, &path, 10 + more).await;
        assert_eq!(receiver.requests().len(), asked + 1);
    }
    // One that is busy in between has taken nothing by that.
    receiver.mood(Mood::Answer(503, None));
    engine.clock.advance(PAUSE);
    engine.siem.changed(id);
    let busy = async || {
        let status = harness.get(&path, ADMIN).await.ok().body["last_status"].clone();
        if status == 503 { Ok(()) } else { Err(status) }
    };
    eventually_within(NEVER, "it is not tried again", busy).await;

    receiver.calm();
    engine.clock.advance(PAUSE);
    engine.siem.changed(id);
    newest_arrives(&harness, &receiver).await;
    fail(&harness, 0).await;
    let view = harness.get(&path, ADMIN).await.ok().body;
    assert_eq!((&view["failing_since"], &view["last_error"]), (&Value::Null, &Value::Null));
    // Every row is here or there, once and in its order.
    let aside = aside(&harness, &path).await;
    let taken: Vec<i64> = receiver.taken()[taken_before..]
        .iter()
        .map(|event| event.json["seq"].as_i64().unwrap())
        .collect();
    let all: Vec<i64> = (aside[0]..=*taken.last().unwrap()).collect();
    assert_eq!([aside, taken].concat(), all);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_that_is_refused_clears_nothing_of_what_is_known_of_a_failing_destination() {
    let harness = open().await;
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    receiver.mood(Mood::Answer(503, None));
    let path = make(&harness, &receiver).await;
    harness.asks("send_mail").await.ok();
    let view = async || harness.get(&path, ADMIN).await.ok().body;
    let fails = async || view().await["failing_since"].is_string();
    eventually_within(NEVER, "it is not seen to fail", fails).await;
    let since = view().await["failing_since"].clone();
    receiver.mood(Mood::Answer(400, None));
    let engine = harness.guardian.engine();
    let id = path.rsplit('/').next().unwrap();
    engine.clock.advance(PAUSE);
    engine.siem.changed(id);
    let refused = async || !aside(&harness, &path).await.is_empty();
    eventually_within(NEVER, "nothing is set aside", refused).await;
    assert_eq!(view().await["failing_since"], since);
    receiver.calm();
    harness.asks("send_mail").await.ok();
    newest_arrives(&harness, &receiver).await;
    let recovers = async || view().await["failing_since"].is_null();
    eventually_within(NEVER, "it is still said to fail", recovers).await;
}
