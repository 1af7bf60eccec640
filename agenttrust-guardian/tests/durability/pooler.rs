//! A pooler before the database: its mode in which a connection keeps its server will do, the others are refused by
//! name.

use std::time::Duration;

use agenttrust_testkit::eventually_within;
use agenttrust_testkit::postgres::{Bouncer, Fresh};
use serde_json::json;
use tokio::task::block_in_place;

use crate::program::{command, refused, text as as_text};
use crate::replicas::{Replica, text};
use crate::served::Served;

/// The limit for a test that would hang.
const NEVER: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn guardians_behind_a_pooler_in_session_mode_act_as_one() {
    let Some(database) = Fresh::or_skip() else { return };
    let Some(bouncer) = block_in_place(|| Bouncer::or_skip(&database, "session")) else { return };
    let served = ["one", "two"]
        .map(|name| block_in_place(|| Served::start(bouncer.url(), &["--replica", name])));
    let [near, far] = [0, 1].map(|which: usize| Replica(served[which].caller()));
    let operator = text(&near.key("operator", &[]).await, "key");
    let agent = near.agent().await;
    let known = async || far.allows(&agent, "send_mail").await;
    eventually_within(NEVER, "the other one does not know the agent", known).await;
    let approval = text(&far.check(&agent, "db_delete").await, "approval_id");
    near.0.sure("POST", &format!("/mcp/approvals/{approval}/approve"), &operator, &json!({})).await;
    assert!(far.allows(&agent, "db_delete").await, "an approval serves wherever it was given");
    assert!(!near.allows(&agent, "db_delete").await, "and once");
    near.revoke_agent(&agent).await;
    let denied = async || !far.allows(&agent, "search").await;
    eventually_within(NEVER, "the other one goes on with what was revoked", denied).await;
    near.audited().await;
    far.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pooler_that_changes_the_server_behind_a_connection_is_refused_by_name() {
    let Some(database) = Fresh::or_skip() else { return };
    // What a Guardian has in its database, for the commands that open one.
    drop(block_in_place(|| Served::start(&database.url(), &[])));
    for mode in ["transaction", "statement"] {
        let Some(bouncer) = block_in_place(|| Bouncer::or_skip(&database, mode)) else { return };
        let said = refused(&["--database", bouncer.url()], &[]).await;
        must_name_it(&said);
        for arguments in [["keys", "list"], ["audit", "verify"]] {
            let output = command(&[&arguments[..], &["--database", bouncer.url()]].concat(), &[])
                .output()
                .await
                .unwrap();
            must_name_it(&as_text(&output.stderr));
        }
    }
}

fn must_name_it(said: &str) {
    let names = ["PgBouncer in transaction mode", "session mode", "connect to PostgreSQL directly"];
    assert!(names.iter().all(|name| said.contains(name)), "{said}");
    assert!(!said.contains("disk"), "{said}");
}
