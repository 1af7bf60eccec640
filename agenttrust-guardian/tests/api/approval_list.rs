//! The list of approvals: filters, pages, and what is in doubt, on both databases.

use agenttrust_guardian::Role;
use agenttrust_testkit::ADMIN;
use agenttrust_testkit::postgres::Fresh;
use serde_json::{Value, json};

use crate::support::{Api, open, open_with};

async fn list(api: &Api, key: &str, query: &str) -> Vec<String> {
    ids(&api.get(&format!("/mcp/approvals?{query}"), key).await.ok().body)
}

fn ids(answer: &Value) -> Vec<String> {
    let approvals = answer["approvals"].as_array().unwrap().iter();
    approvals.map(|approval| approval["id"].as_str().unwrap().to_owned()).collect()
}

/// The outcome of the call of a check.
struct Outcome<'a> {
    agent: &'a str,
    tool: &'a str,
    check: &'a str,
    success: bool,
}

impl Outcome<'_> {
    async fn report(self, api: &Api, key: &str) {
        let Self { agent, tool, check, success } = self;
        let kind = if success { "tool_end" } else { "tool_error" };
        let event =
            json!({ "event_type": kind, "tool_name": tool, "duration_ms": 1, "success": success });
        let body = json!({ "agent_id": agent, "events": [event] });
        let headers = [("agenttrust-check-ids", check)];
        api.with(&headers).post("/api/v1/telemetry/report", key, body).await.ok();
    }
}

async fn filters_are_exact(api: Api) {
    let (one, one_key) = api.worker().await;
    let (two, two_key) = api.worker().await;
    let pending = api.check(&one_key, &one, "db_delete").await.held();
    let approved = api.check(&one_key, &one, "db_drop").await.held();
    api.approve(ADMIN, &approved).await.ok();
    let denied = api.check(&two_key, &two, "db_delete").await.held();
    api.deny(ADMIN, &denied).await.ok();
    let consumed = api.check(&two_key, &two, "db_drop").await.held();
    api.approve(ADMIN, &consumed).await.ok();
    api.check(&two_key, &two, "db_drop").await.allowed();

    for (query, expected) in [
        ("", vec![&consumed, &denied, &approved, &pending]),
        ("status=pending", vec![&pending]),
        ("status=approved", vec![&approved]),
        ("status=denied", vec![&denied]),
        ("status=consumed", vec![&consumed]),
        ("status=expired", vec![]),
        ("tool=db_delete", vec![&denied, &pending]),
        ("tool=db_delet_", vec![]),
        ("tool=db_delete&status=denied", vec![&denied]),
        ("tool=db_delete'%20OR%201=1--", vec![]),
        ("limit=2", vec![&consumed, &denied]),
        ("in_doubt=true", vec![&consumed]),
        ("in_doubt=false", vec![&denied, &approved, &pending]),
    ] {
        assert_eq!(
            list(&api, ADMIN, query).await,
            expected.into_iter().cloned().collect::<Vec<_>>(),
            "{query}"
        );
    }
    let of_one = list(&api, ADMIN, &format!("agent_id={one}&status=approved")).await;
    assert_eq!(of_one, [approved.as_str()]);
    let at = api.approval(&denied).await["created_at"].as_str().unwrap().to_owned();
    let since = list(&api, ADMIN, &format!("since={at}")).await;
    assert_eq!(since, [consumed.clone(), denied.clone()]);
    let until = list(&api, ADMIN, &format!("until={at}")).await;
    assert_eq!(until, [approved, pending]);
    // An agent's key sees its own, and filters among them.
    assert_eq!(list(&api, &two_key, "status=denied").await, [denied]);
    assert_eq!(list(&api, &one_key, "status=denied").await, Vec::<String>::new());
    for query in [
        "status=lost",
        "limit=0",
        "limit=1001",
        "limit=x",
        "since=yesterday",
        "until=1",
        "in_doubt=1",
        "before=x",
        "before=1",
        "before=.apr_1",
        // A place in another list.
        "before=1.tok_1",
        "tool=a%0Ab",
    ] {
        let answer = api.get(&format!("/mcp/approvals?{query}"), ADMIN).await;
        answer.refused(400, "VALIDATION_ERROR");
    }
}

async fn pages_hold_each_approval_once(api: Api) {
    let (one, two) = (api.agent(&["*"]).await, api.agent(&["*"]).await);
    let key = api.key(Role::Agent, &[&one, &two]).await;
    let mut held = Vec::new();
    for n in 0..7 {
        let agent = if n % 3 == 0 { &one } else { &two };
        held.push(api.check(&key, agent, &format!("delete_{n}")).await.held());
    }
    held.reverse();
    for key in [ADMIN, key.as_str()] {
        let (mut seen, mut next) = (Vec::new(), String::new());
        loop {
            let path = format!("/mcp/approvals?limit=3&before={next}");
            let page = api.get(&path, key).await.ok().body;
            seen.push(ids(&page));
            match page["next"].as_str() {
                Some(more) => next = more.to_owned(),
                None => break,
            }
            // What is opened meanwhile comes before what was seen, and moves nothing.
            if seen.len() == 1 && key == ADMIN {
                api.check(ADMIN, &one, "drop_late").await.held();
            }
        }
        let late = usize::from(key != ADMIN);
        assert_eq!(seen.concat()[late..], held);
        assert_eq!(seen[0].len(), 3);
    }
}

async fn used_approval_is_in_doubt_until_its_outcome_arrives(api: Api) {
    let (agent, key) = api.worker().await;
    let mut used = Vec::new();
    for tool in ["db_delete", "db_drop"] {
        let approval = api.check(&key, &agent, tool).await.held();
        api.approve(ADMIN, &approval).await.ok();
        let check = api.check(&key, &agent, tool).await.allowed().text("check_id");
        used.push((approval, tool, check));
    }
    let (first, second) = (used[0].clone(), used[1].clone());
    assert_eq!(list(&api, ADMIN, "in_doubt=true").await, [second.0.clone(), first.0.clone()]);
    let seen = api.approval(&first.0).await;
    assert_eq!(seen["used_by_check"], first.2);
    assert!(seen["used_at"].is_string() && seen["outcome_at"].is_null(), "{seen}");

    // Nobody else's word counts, nor one about another tool.
    let ended = |tool, check, success| Outcome { agent: &agent, tool, check, success };
    ended(first.1, &first.2, true).report(&api, ADMIN).await;
    ended(second.1, &first.2, true).report(&api, &key).await;
    assert_eq!(list(&api, ADMIN, "in_doubt=true").await.len(), 2);

    ended(first.1, &first.2, true).report(&api, &key).await;
    assert_eq!(list(&api, ADMIN, "in_doubt=true").await, [second.0.as_str()]);
    assert_eq!(list(&api, ADMIN, "in_doubt=true&status=consumed").await, [second.0.as_str()]);
    let seen = api.approval(&first.0).await;
    assert_eq!(
        (&seen["succeeded"], seen["outcome_at"].is_string()),
        (&json!(true), true),
        "{seen}"
    );
    ended(second.1, &second.2, false).report(&api, &key).await;
    assert_eq!(list(&api, ADMIN, "in_doubt=true").await, Vec::<String>::new());
    assert_eq!(api.approval(&second.0).await["succeeded"], false);
}

/// The same on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($promise:ident: $on_sqlite:ident, $on_postgres:ident;)+) => {$(
        #[tokio::test]
        async fn $on_sqlite() {
            $promise(open().await).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $on_postgres() {
            if let Some(database) = Fresh::or_skip() {
                $promise(open_with(|builder| builder.database(database.url())).await).await;
            }
        }
    )+};
}

on_both! {
    filters_are_exact: filters_are_exact_on_sqlite, filters_are_exact_on_postgres;
    pages_hold_each_approval_once:
        pages_hold_each_approval_once_on_sqlite, pages_hold_each_approval_once_on_postgres;
    used_approval_is_in_doubt_until_its_outcome_arrives:
        used_approval_is_in_doubt_until_its_outcome_arrives_on_sqlite,
        used_approval_is_in_doubt_until_its_outcome_arrives_on_postgres;
}
