//! The waits before a destination that does not take events is tried again, with what it is tried, and what is said of
//! it meanwhile.

use axum::http::Method;

use super::*;
use crate::store::DestinationRow;

fn id_in(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}

/// Waits until it has failed so often, and returns it as it is kept, with how long it is left alone.
async fn failed(harness: &Harness, path: &str, times: i64) -> (DestinationRow, Duration) {
    let (store, id) = (&harness.guardian.engine().store, id_in(path));
    let look = async || {
        let row = store.destination(id.clone()).await.unwrap().unwrap();
        if row.attempts == times { Ok(row) } else { Err(row.attempts) }
    };
    let row = eventually_within(NEVER, "it does not fail as often", look).await;
    let last = store.siem_deliveries(id.clone(), None, 1).await.unwrap().remove(0);
    let pause = last.delivered_at.until(row.next_at);
    (row, pause)
}

/// Lets so much time go by, and has what is owed to a destination looked at.
fn pass(harness: &Harness, path: &str, time: Duration) {
    let engine = harness.guardian.engine();
    engine.clock.advance(time);
    engine.siem.changed(&id_in(path));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_asks_for_time_is_sent_nothing_before_it_is_over() {
    let harness = open().await;
    let (busy, other) = (
        HttpReceiver::start(Vendor::Webhook, SECRET),
        HttpReceiver::start(Vendor::Webhook, SECRET),
    );
    busy.next(Mood::Answer(429, Some("600".to_owned())));
    let path = make(&harness, &busy).await;
    let (_, pause) = failed(&harness, &path, 1).await;
    assert!(pause >= 600 * SECOND && pause <= 601 * SECOND, "{pause:?}");
    pass(&harness, &path, 590 * SECOND);
    make(&harness, &other).await;
    newest_arrives(&harness, &other).await;
    assert_eq!(busy.requests().len(), 1);
    pass(&harness, &path, 12 * SECOND);
    newest_arrives(&harness, &busy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_asks_for_time_is_left_alone_by_a_guardian_that_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db");
    let settings = |builder: crate::GuardianBuilder| {
        builder.database(path.to_str().unwrap()).allow_outbound("127.0.0.0/8")
    };
    let (busy, other) = (
        HttpReceiver::start(Vendor::Webhook, SECRET),
        HttpReceiver::start(Vendor::Webhook, SECRET),
    );
    busy.next(Mood::Answer(503, Some("120".to_owned())));
    let harness = Harness::new(open_with(settings).await).await;
    let destination = make(&harness, &busy).await;
    failed(&harness, &destination, 1).await;
    harness.guardian.close().await;
    drop(harness);
    let harness = Harness::new(open_with(settings).await).await;
    make(&harness, &other).await;
    newest_arrives(&harness, &other).await;
    assert_eq!(busy.requests().len(), 1);
    pass(&harness, &destination, 122 * SECOND);
    newest_arrives(&harness, &busy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_time_that_it_fails_it_is_left_alone_for_longer() {
    let harness = open().await;
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    receiver.mood(Mood::Answer(503, None));
    let path = make(&harness, &receiver).await;
    for (times, least) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
        let (_, pause) = failed(&harness, &path, times).await;
        // By chance up to twice as long.
        assert!(pause >= least * SECOND && pause <= 2 * least * SECOND, "{times}: {pause:?}");
        pass(&harness, &path, 20 * SECOND);
    }
    receiver.calm();
    pass(&harness, &path, 300 * SECOND);
    newest_arrives(&harness, &receiver).await;
    let settled = async || {
        let row = harness.guardian.engine().store.destination(id_in(&path)).await.unwrap().unwrap();
        if row.attempts == 0 && row.failing_since.is_none() { Ok(()) } else { Err(row.attempts) }
    };
    eventually_within(NEVER, "it is held to have failed", settled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_sent_again_is_the_same_message_with_the_same_events() {
    let harness = open().await;
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    for mood in [Mood::Answer(503, None), Mood::TakeAndReset] {
        receiver.next(mood);
    }
    let path = make(&harness, &receiver).await;
    for times in [1, 2] {
        failed(&harness, &path, times).await;
        pass(&harness, &path, 300 * SECOND);
    }
    harness.asks("send_mail").await.ok();
    newest_arrives(&harness, &receiver).await;
    let sent: Vec<_> = receiver
        .requests()
        .into_iter()
        .map(|request| (request.headers["webhook-id"].clone(), request.body))
        .collect();
    assert!(sent[0] == sent[1] && sent[1] == sent[2], "{sent:?}");
    assert_ne!(sent[2].0, sent[3].0, "another batch is another message");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_counts_at_once_also_while_a_receiver_does_not_answer() {
    let harness = open().await;
    let (stalled, moved) = (
        HttpReceiver::start(Vendor::Webhook, SECRET),
        HttpReceiver::start(Vendor::Webhook, SECRET),
    );
    stalled.mood(Mood::Stall);
    let path = make(&harness, &stalled).await;
    let stalls = async || !stalled.requests().is_empty();
    eventually_within(NEVER, "nothing is sent", stalls).await;
    let begun = Instant::now();
    set(&harness, &path, json!({ "endpoint_url": moved.url(), "auth_token": SECRET })).await;
    newest_arrives(&harness, &moved).await;
    // A receiver that does not answer is waited for for half a minute.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(stalled.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_was_removed_is_sent_nothing_more() {
    let harness = open().await;
    let (removed, other) = (
        HttpReceiver::start(Vendor::Webhook, SECRET),
        HttpReceiver::start(Vendor::Webhook, SECRET),
    );
    make(&harness, &other).await;
    let path = make(&harness, &removed).await;
    newest_arrives(&harness, &removed).await;
    let before = removed.requests().len();
    harness.ask(Method::DELETE, &path, ADMIN, None).await.ok();
    for _ in 0..2 {
        harness.asks("send_mail").await.ok();
        newest_arrives(&harness, &other).await;
    }
    assert_eq!(removed.requests().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_at_the_very_time_comes_again_first_and_then_all_that_came_after_it() {
    let harness = open().await;
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    let path = make(&harness, &receiver).await;
    for _ in 0..3 {
        harness.asks("send_mail").await.ok();
    }
    newest_arrives(&harness, &receiver).await;
    // What it took is sent again, and first, where it is sent back before that is kept.
    let engine = harness.guardian.engine();
    let settled =
        async || engine.siem.lag(&id_in(&path), engine.clock.now()) == Some(Duration::ZERO);
    eventually_within(NEVER, "what was taken is owed still", settled).await;
    let first = receiver.taken();
    let from = first.len() - 2;
    let since = json!({ "since": first[from].json["at"] });
    harness.post(&format!("{path}/replay"), ADMIN, since).await.ok();
    let wanted: Vec<_> = first[from..].iter().map(|event| event.id.clone()).collect();
    // The row of the replay may be on its way before the job hears of it, and comes again behind them then.
    let comes = async || {
        let again = receiver.ids().split_off(first.len());
        let begins =
            |skipped: usize| again.get(skipped..).is_some_and(|again| again.starts_with(&wanted));
        if begins(0) || begins(1) { Ok(()) } else { Err(again) }
    };
    eventually_within(NEVER, "what happened since does not come first", comes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_refused_among_others_that_are_taken_is_set_aside_alone() {
    let harness = open().await;
    let receiver = HttpReceiver::start(Vendor::Elastic, "token-of-the-receiver");
    let body = json!({
        "name": "logs", "destination_type": "elastic", "endpoint_url": receiver.url(),
        "auth_token": "token-of-the-receiver", "flush_interval_seconds": 1, "format": "raw",
    });
    let made = harness.post("/api/v1/siem/destinations", ADMIN, body).await.ok();
    let path = format!("/api/v1/siem/destinations/{}", made.text("id"));
    set(&harness, &path, json!({ "is_active": false })).await;
    for _ in 0..3 {
        harness.asks("send_mail").await.ok();
    }
    let bad = harness.audit("decision").await[1]["hash"].as_str().unwrap()[..32].to_owned();
    let bad = format!("evt_{bad}");
    receiver.mood(Mood::RefuseEvent(bad.clone()));
    set(&harness, &path, json!({ "is_active": true })).await;
    newest_arrives(&harness, &receiver).await;
    assert!(!receiver.ids().contains(&bad));
    let aside = async || {
        let page = harness.get(&format!("{path}/set-aside"), ADMIN).await.ok().body;
        let ids = page["set_aside"].as_array().unwrap().iter();
        let ids: Vec<_> = ids.map(|aside| aside["event_id"].clone()).collect();
        if ids == [json!(bad)] { Ok(page["set_aside"][0].clone()) } else { Err(page) }
    };
    let aside = eventually_within(NEVER, "it is not set aside", aside).await;
    assert!(aside["reason"].as_str().unwrap().contains("400 for this event"), "{aside}");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_far_behind_it_is_and_that_it_fails_is_told_alike_wherever_it_is_told() {
    let harness = open().await;
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    receiver.mood(Mood::Answer(503, None));
    let path = make(&harness, &receiver).await;
    failed(&harness, &path, 1).await;
    harness.guardian.engine().clock.advance(100 * SECOND);
    let told = async || {
        let view = harness.get(&path, ADMIN).await.ok().body;
        let health = harness.get("/health", "").await.ok().body;
        let metrics = harness.get("/metrics", ADMIN).await.ok().body;
        let metric = |name: &str| -> u64 {
            let mut lines = metrics.as_str().unwrap().lines();
            let line = lines.find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.unwrap_or_else(|| panic!("no {name}: {metrics}")).parse().unwrap()
        };
        let lags = [
            view["lag_seconds"].as_u64().unwrap(),
            health["siem"]["lag_seconds"].as_u64().unwrap(),
            metric("agenttrust_siem_lag_seconds"),
        ];
        let failing = [
            u64::from(view["failing_since"].is_string()),
            health["siem"]["destinations_failing"].as_u64().unwrap(),
            metric("agenttrust_siem_destinations_failing"),
        ];
        (lags, failing)
    };
    let (lags, failing) = told().await;
    assert!(lags.iter().all(|lag| (100..160).contains(lag)), "{lags:?}");
    assert_eq!(failing, [1, 1, 1]);
    receiver.calm();
    pass(&harness, &path, 300 * SECOND);
    let settled = async || {
        let told = told().await;
        if told == ([0, 0, 0], [0, 0, 0]) { Ok(()) } else { Err(told) }
    };
    eventually_within(NEVER, "what it was owed is told of still", settled).await;
    let metrics = harness.get("/metrics", ADMIN).await.ok().body;
    for (result, least) in [("later", 1), ("taken", 1)] {
        let name = format!("agenttrust_siem_batches_total{{result=\"{result}\"}} ");
        let line = metrics.as_str().unwrap().lines().find_map(|line| line.strip_prefix(&name));
        assert!(line.unwrap().parse::<u64>().unwrap() >= least, "{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_destination_does_not_want_are_not_kept_for_it() {
    let harness = open().await;
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    let path = make(&harness, &receiver).await;
    set(&harness, &path, json!({ "filter_event_types": ["siem.events_cut"] })).await;
    harness.asks("send_mail").await.ok();
    let rows = newest(&harness).await;
    let engine = harness.guardian.engine();
    let passed_over = async || {
        // They are passed over together, after half a minute.
        pass(&harness, &path, 31 * SECOND);
        let floor = engine.store.siem_floor(engine.settings.log.clone()).await.unwrap();
        if floor >= Some(rows) { Ok(()) } else { Err((floor, rows)) }
    };
    eventually_within(NEVER, "they are owed still", passed_over).await;
}

/// Returns a replica on this database.
async fn replica(database: &agenttrust_testkit::postgres::Fresh) -> Harness {
    const SECRET_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let settings = |builder: crate::GuardianBuilder| {
        let builder = builder.database(database.url()).replica("one");
        builder.secret_key(SECRET_KEY).allow_outbound("127.0.0.0/8")
    };
    Harness::new(open_with(settings).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_keeps_a_destination_for_as_long_as_its_receiver_takes() {
    let Some(database) = agenttrust_testkit::postgres::Fresh::or_skip() else { return };
    let harness = replica(&database).await;
    let receiver = HttpReceiver::start(Vendor::Webhook, SECRET);
    receiver.mood(Mood::Stall);
    make(&harness, &receiver).await;
    let stalls = async || !receiver.requests().is_empty();
    eventually_within(NEVER, "nothing is sent", stalls).await;
    let db = harness.guardian.engine().store.db();
    let leased_until = async || {
        let until = query("SELECT lease_until FROM siem_destinations");
        let (until,): (i64,) = until.fetch_one(&db).await.unwrap();
        until
    };
    let first = leased_until().await;
    let renewed = async || leased_until().await > first;
    eventually_within(Duration::from_secs(15), "the lease is not renewed", renewed).await;
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_closes_lets_the_others_have_its_destinations_at_once() {
    let Some(database) = agenttrust_testkit::postgres::Fresh::or_skip() else { return };
    let harness = replica(&database).await;
    let receivers: Vec<HttpReceiver> =
        (0..8).map(|_| HttpReceiver::start(Vendor::Webhook, SECRET)).collect();
    for receiver in &receivers {
        make(&harness, receiver).await;
    }
    let database = crate::store::Database::parse(&database.url()).unwrap();
    let db = crate::store::Store::open(&database).await.unwrap().db();
    let leased = async || {
        let count = query("SELECT COUNT(*) FROM siem_destinations WHERE lease_until > $1");
        let count = count.bind(Timestamp::now().unix_micros()).fetch_one(&db).await;
        let (count,): (i64,) = count.unwrap();
        count
    };
    let all = async || leased().await == 8;
    eventually_within(NEVER, "not all of them are sent to", all).await;
    harness.guardian.close().await;
    // By itself a lease ends six seconds after its holder is gone, or later.
    assert_eq!(leased().await, 0);
}
