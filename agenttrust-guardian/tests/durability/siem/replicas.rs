//! Two replicas on one PostgreSQL: one of them delivers what both write, and the other one goes on when it is killed.

use std::time::Instant;

use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::siem::HttpReceiver;
use agenttrust_testkit::{ADMIN, eventually_within};

use super::{
    Asked, DESTINATIONS, NEVER, OPEN, agent, all_arrive, arrived, audited, body, receiver, text,
};
use crate::kill9::{Agent, check};
use crate::served::Served;

const NAMES: [&str; 2] = ["one", "two"];

fn start(url: &str, which: usize) -> Served {
    let named = ["--replica", NAMES[which], OPEN[0], OPEN[1]];
    tokio::task::block_in_place(|| Served::start(url, &named))
}

/// Asks a replica for some decisions, each of them a row of its log.
async fn ask(served: &Served, worker: &Agent, count: usize) {
    for _ in 0..count {
        let decided = async || check(&served.caller(), worker, "send_mail", None).await;
        let answer = eventually_within(NEVER, "no answer", decided).await;
        assert_eq!(answer["allowed"], true, "{answer}");
    }
}

/// Returns which of them delivers: it alone knows how far behind it is.
async fn deliverer(served: &[Served; 2], path: &str) -> usize {
    let look = async || {
        let mut knows = Vec::new();
        for (which, replica) in served.iter().enumerate() {
            if replica.caller().read(path).await["lag_seconds"].is_u64() {
                knows.push(which);
            }
        }
        if let [which] = knows[..] { Ok(which) } else { Err(knows) }
    };
    eventually_within(NEVER, "not one of them delivers", look).await
}

/// Checks that nothing came twice while both lived.
fn once(receiver: &HttpReceiver) {
    let arrived: usize = NAMES.map(|log| arrived(receiver, log).len()).iter().sum();
    assert_eq!(receiver.taken().len(), arrived, "two replicas sent the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_delivers_what_both_write_and_the_other_goes_on_when_it_is_killed() {
    let Some(database) = Fresh::or_skip() else { return };
    let receiver = receiver();
    let url = database.url();
    let mut served = [start(&url, 0), start(&url, 1)];
    let worker = agent(&served[0].caller()).await;
    let mut made_after = Vec::new();
    for (which, name) in NAMES.into_iter().enumerate() {
        made_after.push(audited(&served[which].caller(), name).await.len());
    }
    let made = served[0].caller().sure("POST", DESTINATIONS, ADMIN, &body(&receiver, 5, 1)).await;
    let path = format!("{DESTINATIONS}/{}", text(&made, "id"));
    for replica in &served {
        ask(replica, &worker, 12).await;
    }
    for (which, name) in NAMES.into_iter().enumerate() {
        all_arrive(&served[which].caller(), &receiver, name, made_after[which]).await;
    }
    once(&receiver);

    let first = deliverer(&served, &path).await;
    let other = 1 - first;
    // The killed one leaves rows behind that it did not send.
    ask(&served[first], &worker, 3).await;
    served[first].kill();
    let killed = Instant::now();
    ask(&served[other], &worker, 12).await;
    for (which, name) in NAMES.into_iter().enumerate() {
        all_arrive(&served[other].caller(), &receiver, name, made_after[which]).await;
    }
    println!("the other one went on after {:?}", killed.elapsed());
    // And the one that comes back takes nothing away.
    served[first] = start(&url, first);
    ask(&served[first], &worker, 6).await;
    all_arrive(&served[first].caller(), &receiver, NAMES[first], made_after[first]).await;
    assert_eq!(deliverer(&served, &path).await, other);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_of_one_name_never_both_deliver() {
    let Some(database) = Fresh::or_skip() else { return };
    let receiver = receiver();
    let url = database.url();
    // As while one takes over from the other.
    let mut served = [start(&url, 0), start(&url, 0)];
    let worker = agent(&served[0].caller()).await;
    let made_after = audited(&served[0].caller(), NAMES[0]).await.len();
    let made = served[0].caller().sure("POST", DESTINATIONS, ADMIN, &body(&receiver, 1, 1)).await;
    let path = format!("{DESTINATIONS}/{}", text(&made, "id"));
    for _ in 0..4 {
        for replica in &served {
            ask(replica, &worker, 3).await;
        }
    }
    all_arrive(&served[1].caller(), &receiver, NAMES[0], made_after).await;
    once(&receiver);

    // Only what the killed one had under way may come again.
    let first = deliverer(&served, &path).await;
    served[first].kill();
    let before = receiver.taken().len();
    ask(&served[1 - first], &worker, 6).await;
    all_arrive(&served[1 - first].caller(), &receiver, NAMES[0], made_after).await;
    served[first] = start(&url, 0);
    ask(&served[first], &worker, 6).await;
    all_arrive(&served[first].caller(), &receiver, NAMES[0], made_after).await;
    let (taken, arrived) = (receiver.taken().len(), arrived(&receiver, NAMES[0]).len());
    assert!(taken <= arrived + 1, "{taken} came, {arrived} of them new, {before} before the kill");
    assert_eq!(deliverer(&served, &path).await, 1 - first);
}
