//! The system's clock is set ahead and back: nothing lasts longer for it, and nothing comes back.

use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::model::headers::IDEMPOTENCY_KEY;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Answer, eventually};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::harness::{Harness, open_with};

const HOUR: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

/// A thing that lasts for a time.
#[derive(Clone, Copy, Debug)]
enum Thing {
    /// A token works.
    Token,
    /// A session that was made from a token is open.
    ApiSession,
    /// A session that no token bounds is open.
    Session,
    /// An approval can be decided.
    Pending,
    /// An approved action may run.
    Approved,
    /// A denial, which is also the answer when the caller asks again.
    Denial,
    /// An answer is repeated.
    Repeat,
    /// Three denials stop all asking.
    ThreeDenials,
}

const THINGS: [Thing; 8] = [
    Thing::Token,
    Thing::ApiSession,
    Thing::Session,
    Thing::Pending,
    Thing::Approved,
    Thing::Denial,
    Thing::Repeat,
    Thing::ThreeDenials,
];

/// Returns a Guardian whose clock is in the test's hand.
async fn stopped() -> Harness {
    let api = open_with(|builder| builder.session_ttl(2 * HOUR)).await;
    api.guardian.engine().clock.stop_at(Timestamp::now());
    Harness::new(api).await
}

fn clock(harness: &Harness) -> &Clock {
    &harness.guardian.engine().clock
}

async fn repeated(harness: &Harness) -> Answer {
    harness.asks_with(&[(IDEMPOTENCY_KEY, "once")], "search").await
}

impl Thing {
    fn lasts_for(self) -> Duration {
        match self {
            Self::Token | Self::ApiSession | Self::Repeat => Duration::from_secs(60),
            Self::Session => 2 * HOUR,
            Self::Pending | Self::Approved | Self::Denial => Duration::from_secs(300),
            Self::ThreeDenials => Duration::from_secs(600),
        }
    }

    /// Begins one and returns what it goes by.
    async fn begin(self, harness: &Harness) -> String {
        match self {
            Self::Token => {
                let body = json!({ "agent_id": harness.agent, "scopes": ["search"], "ttl": 60 });
                harness.post("/api/v1/agent-tokens/issue", ADMIN, body).await.ok().text("token")
            }
            Self::ApiSession => {
                let token = Box::pin(Self::Token.begin(harness)).await;
                let path = "/api/v1/agenttrust/api-sessions/init";
                let session = harness.post(path, ADMIN, json!({ "token": token })).await.ok();
                session.text("session_id")
            }
            Self::Session => {
                let session = harness.session(&harness.key, &harness.agent, json!({})).await.ok();
                session.text("session_id")
            }
            Self::Pending => harness.asks("db_delete").await.held(),
            Self::Approved => {
                let approval = harness.asks("db_delete").await.held();
                harness.approve(ADMIN, &approval).await.ok();
                approval
            }
            Self::Denial => {
                let approval = harness.asks("db_delete").await.held();
                harness.deny(ADMIN, &approval).await.ok();
                approval
            }
            Self::Repeat => repeated(harness).await.ok().text("check_id"),
            Self::ThreeDenials => {
                for session in ["a", "b", "c"] {
                    let approval = harness.asks_in(session, "db_delete").await.held();
                    harness.deny(ADMIN, &approval).await.ok();
                }
                String::new()
            }
        }
    }

    /// Returns whether it still lasts.
    async fn lasts(self, harness: &Harness, begun: &str) -> bool {
        match self {
            Self::Token => {
                let body = json!({ "token": begun });
                let answer =
                    harness.post("/api/v1/agent-tokens/introspect", ADMIN, body).await.ok();
                answer.body["active"] == true
            }
            Self::ApiSession | Self::Session => {
                harness.asks_in(begun, "search").await.ok().body["allowed"] == true
            }
            Self::Pending => {
                let pending = harness.approval(begun).await["status"] == "pending";
                let decided = harness.approve(&harness.operator, begun).await.status == 200;
                assert_eq!(pending, decided, "what is shown is what can be decided");
                pending
            }
            Self::Approved => {
                let approved = harness.approval(begun).await["status"] == "approved";
                let allowed = harness.asks("db_delete").await.body["allowed"] == true;
                assert_eq!(approved, allowed, "what is shown is what may run");
                approved
            }
            Self::Denial => harness.asks("db_delete").await.body["approval_id"] == *begun,
            Self::Repeat => repeated(harness).await.ok().text("check_id") == begun,
            Self::ThreeDenials => {
                harness.asks_in("d", "db_delete").await.body["approval_id"] == Value::Null
            }
        }
    }
}

fn set_back(clock: &Clock) {
    clock.set_back(HOUR);
}

fn set_ahead_and_back(clock: &Clock) {
    clock.set_ahead(HOUR);
    clock.set_back(HOUR);
}

fn set_back_and_ahead(clock: &Clock) {
    clock.set_back(2 * HOUR);
    clock.set_ahead(HOUR);
}

fn set_ahead(clock: &Clock) {
    clock.set_ahead(HOUR);
}

#[tokio::test]
async fn nothing_lasts_longer_for_a_clock_that_is_set() {
    for jump in [set_back, set_ahead_and_back, set_back_and_ahead, set_ahead] {
        for thing in THINGS {
            let harness = stopped().await;
            let begun = thing.begin(&harness).await;
            jump(clock(&harness));
            clock(&harness).advance(thing.lasts_for());
            assert!(!thing.lasts(&harness, &begun).await, "{thing:?}");
        }
    }
}

#[tokio::test]
async fn nothing_comes_back_with_a_clock_that_is_set_back() {
    for thing in THINGS {
        let harness = stopped().await;
        let begun = thing.begin(&harness).await;
        clock(&harness).advance(thing.lasts_for());
        clock(&harness).set_back(24 * HOUR);
        assert!(!thing.lasts(&harness, &begun).await, "{thing:?}");

        let harness = stopped().await;
        let begun = thing.begin(&harness).await;
        clock(&harness).set_ahead(thing.lasts_for());
        clock(&harness).set_back(thing.lasts_for());
        assert!(!thing.lasts(&harness, &begun).await, "{thing:?} was over for a moment");
    }
}

#[tokio::test]
async fn clock_that_is_set_back_takes_nothing_away() {
    for thing in THINGS {
        let harness = stopped().await;
        let begun = thing.begin(&harness).await;
        set_back(clock(&harness));
        clock(&harness).advance(thing.lasts_for() - SECOND);
        assert!(thing.lasts(&harness, &begun).await, "{thing:?}");
    }
}

#[tokio::test]
async fn guardian_that_starts_is_not_before_what_was_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guardian.db").to_str().unwrap().to_owned();
    let open = async || open_with(|builder| builder.database(&path)).await;
    let api = open().await;
    let (agent, key) = api.worker().await;
    api.guardian.engine().clock.set_ahead(HOUR);
    let decided = api.guardian.engine().clock.now();
    api.check(&key, &agent, "send_mail").await.allowed();
    api.guardian.close().await;
    // It was set right while nobody looked.
    let api = open().await;
    assert!(api.guardian.engine().clock.now() >= decided);
    let newest = api.audit("decision").await.pop().unwrap();
    assert!(newest["at"].as_str().unwrap().parse::<Timestamp>().unwrap() >= decided);
    api.guardian.close().await;
}

#[tokio::test]
async fn replica_is_not_before_what_another_one_wrote_down() {
    let Some(database) = Fresh::or_skip() else { return };
    let open = async |name: &str| {
        open_with(|builder| builder.database(database.url()).replica(name)).await
    };
    let (ahead, behind) = (open("ahead").await, open("behind").await);
    ahead.guardian.engine().clock.set_ahead(HOUR);
    let issued = ahead.guardian.engine().clock.now();
    let agent = ahead.agent(&["*"]).await;
    let path = format!("/api/v1/agents/{agent}");
    let heard = async || behind.get(&path, ADMIN).await.status == 200;
    eventually("it never hears of the agent", heard).await;
    assert!(behind.guardian.engine().clock.now() >= issued);
    ahead.guardian.close().await;
    behind.guardian.close().await;
}
