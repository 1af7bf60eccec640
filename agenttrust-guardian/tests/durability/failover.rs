//! The database moves to another server, or the way to it breaks silently. What was answered is there afterwards,
//! nothing else is allowed meanwhile, and the Guardian goes on by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agenttrust_testkit::eventually_within;
use agenttrust_testkit::postgres::{Fresh, Server};
use agenttrust_testkit::proxy::{Proxy, Wire};
use serde_json::Value;
use tokio::task::block_in_place;

use crate::program::{refused, run};
use crate::replicas::{Agent, Replica, text};
use crate::served::Served;

/// The time by which a Guardian goes by what is there now: it takes a second or two, and longer on a busy machine.
const SOON: Duration = Duration::from_secs(45);

const END_ALL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// Asks on and on.
struct Asking {
    over: Arc<AtomicBool>,
    allowed: tokio::task::JoinHandle<Vec<String>>,
}

impl Asking {
    fn begin(guardian: Replica, agent: Agent) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let allowed = tokio::spawn(async move {
            let mut allowed = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                let answer = guardian.try_check(&agent, "send_mail").await;
                match answer {
                    Some((200, answer)) if answer["allowed"] == true => {
                        allowed.push(text(&answer, "check_id"));
                    }
                    _ => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
            allowed
        });
        Self { over, allowed }
    }

    /// Stops; every check that was allowed must be in the audit.
    async fn must_be_in_the_audit_of(self, guardian: &Replica) {
        self.over.store(true, Ordering::Relaxed);
        let allowed = self.allowed.await.unwrap();
        let audited = guardian.audited().await;
        let lost: Vec<_> = allowed.iter().filter(|check| !audited.contains(*check)).collect();
        assert!(lost.is_empty(), "{} of {}: {lost:?}", lost.len(), allowed.len());
        println!("{} checks were allowed, and all are in the audit", allowed.len());
    }
}

async fn health(guardian: &Replica) -> u16 {
    guardian.0.ask("GET", "/health", "", &Value::Null).await.expect("it answers").0
}

async fn denies_and_says_so(guardian: &Replica, agent: &Agent) {
    let unwell = async || {
        let status = health(guardian).await;
        if status == 503 { Ok(()) } else { Err(status) }
    };
    eventually_within(SOON, "it claims to be well", unwell).await;
    // What only reads may be allowed for as long as memory is trusted.
    let denies = async || !guardian.allows(agent, "search").await;
    eventually_within(SOON, "it goes on without a database", denies).await;
    assert!(!guardian.allows(agent, "send_mail").await);
    assert_eq!(health(guardian).await, 503);
}

async fn works_again(guardian: &Replica, agent: &Agent) {
    let works = async || guardian.allows(agent, "send_mail").await;
    eventually_within(SOON, "nothing is allowed again", works).await;
    let well = async || {
        let status = health(guardian).await;
        if status == 200 { Ok(()) } else { Err(status) }
    };
    eventually_within(SOON, "it does not claim to be well", well).await;
}

fn served(url: &str) -> (Served, Replica) {
    let served = block_in_place(|| Served::start(url, &["--replica", "one"]));
    let guardian = Replica(served.caller());
    (served, guardian)
}

#[tokio::test(flavor = "multi_thread")]
async fn guardian_follows_the_primary_and_denies_while_only_a_standby_answers() {
    let Some(old) = block_in_place(Server::or_skip) else { return };
    let new = block_in_place(|| old.standby());
    let proxy = Proxy::before(old.address()).await;
    let (_served, guardian) = served(&old.url_by(proxy.address));
    let (good, bad) = (guardian.agent().await, guardian.agent().await);
    guardian.revoke_agent(&bad).await;
    let asking = Asking::begin(guardian.clone(), good.clone());
    works_again(&guardian, &good).await;
    let said = refused(&["--database", &new.url()], &[]).await;
    assert!(said.contains("the server takes no writes: it is a standby"), "{said}");
    // Whoever only reads is served by a standby too.
    let verified = run(&["audit", "verify", "--database", &new.url()], &[]).await;
    assert!(verified.status.success(), "{verified:?}");

    block_in_place(|| {
        old.stop();
        new.promote();
        old.follow(&new);
    });
    // The name leads to the old one as before.
    denies_and_says_so(&guardian, &good).await;
    proxy.lead_to(new.address());
    works_again(&guardian, &good).await;
    assert!(!guardian.allows(&bad, "search").await, "what was taken back came back");
    asking.must_be_in_the_audit_of(&guardian).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_takes_no_more_writes_is_told_of_and_used_once_it_does() {
    let Some(server) = block_in_place(Server::or_skip) else { return };
    let (_served, guardian) = served(&server.url());
    let agent = guardian.agent().await;
    works_again(&guardian, &agent).await;
    for (word, then) in [("on", false), ("off", true)] {
        block_in_place(|| {
            server.execute(&format!("ALTER SYSTEM SET default_transaction_read_only = {word}"));
            server.execute("SELECT pg_reload_conf()");
        });
        match then {
            false => denies_and_says_so(&guardian, &agent).await,
            true => works_again(&guardian, &agent).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_die_without_a_word_are_replaced_and_changes_heard_of_again() {
    let Some(database) = Fresh::or_skip() else { return };
    let proxy = Proxy::before(database.address()).await;
    let (_served, guardian) = served(&database.url_by(proxy.address));
    let agent = guardian.agent().await;
    let asking = Asking::begin(guardian.clone(), agent.clone());
    works_again(&guardian, &agent).await;

    proxy.lose_connections();
    works_again(&guardian, &agent).await;
    // One that listens asks for nothing, and would wait for ever.
    proxy.lose_notifications(true);
    let told = async || {
        guardian.agent().await;
        proxy.lost_notifications() > 0
    };
    eventually_within(SOON, "no connection listens for changes", told).await;
    asking.must_be_in_the_audit_of(&guardian).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_an_administrator_ends_cost_no_check() {
    let Some(database) = Fresh::or_skip() else { return };
    let (_served, guardian) = served(&database.url());
    let agent = guardian.agent().await;
    for _ in 0..3 {
        block_in_place(|| database.execute(END_ALL));
        assert!(guardian.allows(&agent, "send_mail").await);
        guardian.agent().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_that_is_cut_in_the_middle_costs_no_more_than_the_connection() {
    let Some(server) = block_in_place(Server::or_skip) else { return };
    let proxy = Proxy::before(server.address()).await;
    let (_served, guardian) = served(&server.url_by(proxy.address));
    let agent = guardian.agent().await;
    let asking = Asking::begin(guardian.clone(), agent.clone());
    works_again(&guardian, &agent).await;
    for _ in 0..2 {
        proxy.set(Wire::Torn);
        denies_and_says_so(&guardian, &agent).await;
        proxy.set(Wire::Whole);
        works_again(&guardian, &agent).await;
    }
    asking.must_be_in_the_audit_of(&guardian).await;
}
