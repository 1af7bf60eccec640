//! `kill -9`, again and again, while a receiver fails in every way: everything that is audited arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use agenttrust_testkit::siem::{HttpReceiver, Mood};
use agenttrust_testkit::{ADMIN, trials};
use serde_json::json;

use super::{DESTINATIONS, NEVER, OPEN, agent, all_arrive, audited, body, receiver, text};
use crate::kill9::check;
use crate::served::Served;

/// The least number of times that the Guardian is killed.
const KILLS_LEAST: usize = 10;
const CLIENTS: usize = 4;
/// The numbers of answers of a round after which it is killed; the rounds take turns.
const KILLED_AFTER: [usize; 5] = [3, 12, 25, 7, 18];

/// Returns what the receiver does in a round, one thing after the other; then it takes.
fn moods(round: usize) -> Vec<Mood> {
    match round % 7 {
        0 => vec![Mood::Answer(503, None)],
        1 => vec![Mood::Take, Mood::TakeAndReset],
        2 => vec![Mood::Answer(429, Some("1".to_owned()))],
        3 => vec![Mood::Take, Mood::Stall],
        4 => vec![Mood::Reset],
        5 => vec![Mood::Answer(401, None)],
        // It is not there at all.
        _ => Vec::new(),
    }
}

/// Asks from many sides until so many answers are durable, then kills.
async fn load_and_kill(served: &mut Served, worker: &crate::kill9::Agent, answers: usize) {
    let answered = Arc::new(AtomicUsize::new(0));
    let caller = served.caller();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (caller, worker) = (caller.clone(), worker.clone());
            let answered = Arc::clone(&answered);
            tokio::spawn(async move {
                while check(&caller, &worker, "send_mail", None).await.is_some() {
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let begun = Instant::now();
    while answered.load(Ordering::SeqCst) < answers {
        assert!(begun.elapsed() < NEVER, "{answers} answers do not come");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    served.kill();
    for client in clients {
        client.await.unwrap();
    }
}

/// Runs one round: the receiver fails, the Guardian is killed under load and started again.
async fn round(
    served: &mut Served,
    receiver: &mut HttpReceiver,
    number: usize,
    (database, path): (&str, &str),
) {
    receiver.calm();
    moods(number).into_iter().for_each(|mood| receiver.next(mood));
    let is_gone = number % 7 == 6;
    if is_gone {
        receiver.stop();
    }
    let worker = agent(&served.caller()).await;
    // What an operator changes is tried at once, however often it failed.
    let change = json!({ "batch_size": 10 + number % 2 });
    served.caller().sure("PUT", path, ADMIN, &change).await;
    load_and_kill(served, &worker, KILLED_AFTER[number % KILLED_AFTER.len()]).await;
    if is_gone {
        receiver.restart();
    }
    *served = Served::start(database, &OPEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_audited_arrives_whatever_fails_and_however_often_the_guardian_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("guardian.db").to_str().unwrap().to_owned();
    let mut receiver = receiver();
    let mut served = Served::start(&database, &OPEN);
    let made_after = audited(&served.caller(), "").await.len();
    let made = served.caller().sure("POST", DESTINATIONS, ADMIN, &body(&receiver, 10, 1)).await;
    let path = format!("{DESTINATIONS}/{}", text(&made, "id"));
    let kills = trials(60).max(KILLS_LEAST);
    for number in 0..kills {
        round(&mut served, &mut receiver, number, (&database, &path)).await;
    }
    receiver.calm();
    let caller = served.caller();
    caller.sure("PUT", &path, ADMIN, &json!({ "batch_size": 100 })).await;
    all_arrive(&caller, &receiver, "", made_after).await;
    let (taken, rows) = (receiver.taken().len(), audited(&caller, "").await.len());
    let requests = receiver.requests();
    let failed = requests.iter().filter(|request| request.answered != 200).count();
    println!("{kills} kills, {rows} rows, {taken} events taken, {failed} requests failed");
    // Fewer would mean that the load was none, or that nothing went wrong.
    assert!(rows > 12 * kills, "{rows}");
    assert!(failed > kills / 4, "{failed}");
}
