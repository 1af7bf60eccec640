//! A receiver that has no room for one event of a bulk: it is owed still, with those behind it.

use agenttrust_testkit::siem::{HttpReceiver, Mood, Request, Vendor};
use agenttrust_testkit::{ADMIN, eventually_within};
use serde_json::{Value, json};

use super::{NEVER, SECOND, newest, newest_arrives, open, set};

const TOKEN: &str = "token-of-elastic";

/// Returns the ids and the numbers of the rows of a bulk request.
fn bulk(request: &Request) -> Vec<(String, i64)> {
    let lines: Vec<Value> =
        request.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let event = |pair: &[Value]| {
        let id = pair[0]["create"]["_id"].as_str().unwrap().to_owned();
        (id, pair[1]["seq"].as_i64().unwrap())
    };
    lines.chunks(2).map(event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_bulk_that_there_is_no_room_for_is_owed_with_those_behind_it_and_comes_again()
{
    let harness = open().await;
    let receiver = HttpReceiver::start(Vendor::Elastic, TOKEN);
    let body = json!({
        "name": "elastic", "destination_type": "elastic", "endpoint_url": receiver.url(), "auth_token": TOKEN,
        "batch_size": 5, "flush_interval_seconds": 1, "format": "raw",
    });
    let made = harness.post("/api/v1/siem/destinations", ADMIN, body).await.ok();
    let id = made.text("id");
    let path = format!("/api/v1/siem/destinations/{id}");
    newest_arrives(&harness, &receiver).await;
    let first = newest(&harness).await + 1;
    set(&harness, &path, json!({ "is_active": false })).await;
    for _ in 0..6 {
        harness.asks("send_mail").await.ok();
    }
    let engine = harness.guardian.engine();
    engine.clock.stop_at(engine.clock.now());
    let before = receiver.requests().len();
    let asked = async |count: usize| {
        let look = async || {
            let requests = receiver.requests().split_off(before);
            if requests.len() == count { Ok(requests) } else { Err(requests.len()) }
        };
        eventually_within(NEVER, format!("there are not {count} requests"), look).await
    };
    let put_off = async || {
        let view = harness.get(&path, ADMIN).await.ok().body;
        if view["last_status"] == 503 { Ok(()) } else { Err(view) }
    };
    let again = || {
        engine.clock.advance(301 * SECOND);
        engine.siem.changed(&id);
    };

    // All are refused a place at first, which tells what a bulk holds.
    receiver.next(Mood::Answer(503, None));
    set(&harness, &path, json!({ "is_active": true })).await;
    let all = bulk(&asked(1).await[0]);
    assert_eq!(
        all.iter().map(|(_, seq)| *seq).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4].map(|n| first + n)
    );
    eventually_within(NEVER, "it is not put off", put_off).await;
    // Then one is. What is before it is crossed out, and the next bulk begins with it.
    receiver.next(Mood::Busy(all[2].0.clone()));
    receiver.next(Mood::Answer(503, None));
    again();
    let requests = asked(3).await;
    assert_eq!(bulk(&requests[1]), all);
    let more = bulk(&requests[2]);
    assert_eq!(more[..3], all[2..], "it does not go on with what is owed");
    let floor = engine.store.siem_floor(engine.settings.log.clone()).await.unwrap();
    assert_eq!(floor, Some(first + 1));

    eventually_within(NEVER, "it is not put off", put_off).await;
    again();
    newest_arrives(&harness, &receiver).await;
    // Each is there once: what was taken behind it is, when it comes again, there already.
    let taken = receiver.taken();
    let taken = taken.iter().map(|event| event.json["seq"].as_i64().unwrap());
    let taken: Vec<i64> = taken.filter(|seq| *seq >= first).collect();
    let behind = (first + 5)..=newest(&harness).await;
    let order: Vec<i64> = [0, 1, 3, 4, 2].map(|n| first + n).into_iter().chain(behind).collect();
    assert_eq!(taken, order);
    assert_eq!(receiver.wrong(), Vec::<String>::new());
}
