//! Delegations: what an agent lets another do in its place, never more than it may do itself, and no longer than all
//! that it rests on stands.

use std::time::{Duration, Instant};

use agenttrust_guardian::Role;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Answer, eventually};
use axum::http::Method;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::support::{Api, open, open_with};

pub(crate) const DELEGATIONS: &str = "/api/v1/delegations";
/// The time by which taking back is in force: a second is promised, the rest is for a machine that is busy.
const IN_FORCE: Duration = Duration::from_secs(3);

/// Asks for a delegation of `scope` from one agent to another, with more members of the body.
pub(crate) async fn ask(
    api: &Api,
    key: &str,
    (from, to): (&str, &str),
    scope: &[&str],
    more: Value,
) -> Answer {
    let mut body = json!({ "from_agent_id": from, "to_agent_id": to, "scope": scope });
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    api.post(DELEGATIONS, key, body).await
}

/// Returns the id of a delegation that is made.
pub(crate) async fn give(api: &Api, between: (&str, &str), scope: &[&str], more: Value) -> String {
    let made = ask(api, ADMIN, between, scope, more).await.ok();
    made.body["delegation"]["id"].as_str().unwrap().to_owned()
}

pub(crate) fn under(parent: &str) -> Value {
    json!({ "parent_delegation_id": parent })
}

async fn session(api: &Api, key: &str, delegation: &str) -> Answer {
    api.post(&format!("{DELEGATIONS}/{delegation}/session"), key, json!({})).await
}

pub(crate) async fn begun(api: &Api, delegation: &str) -> String {
    session(api, ADMIN, delegation).await.ok().text("session_id")
}

pub(crate) async fn revoke(api: &Api, key: &str, delegation: &str) -> Answer {
    api.ask(Method::DELETE, &format!("{DELEGATIONS}/{delegation}"), key, None).await
}

/// Returns agents that form a chain, and what each but the first has of its own: nothing.
pub(crate) async fn chain_of(api: &Api, most: usize) -> Vec<String> {
    let mut agents = vec![api.agent(&["web_search", "files:*"]).await];
    for _ in 1..most {
        agents.push(api.agent(&[]).await);
    }
    agents
}

#[tokio::test]
async fn agent_does_in_the_session_what_the_delegation_gives_and_nothing_else() {
    let api = open().await;
    let (giver, receiver) =
        (api.agent(&["web_search", "files:*"]).await, api.agent(&["mail"]).await);
    let id = give(&api, (&giver, &receiver), &["web_search"], json!({})).await;
    api.check(ADMIN, &receiver, "web_search").await.denied("no capability that covers");
    let opened = session(&api, ADMIN, &id).await.ok();
    assert_eq!(opened.body["source"], "delegation");
    assert_eq!(opened.body["delegation_id"], *id);
    assert_eq!(opened.body["scope_ceiling"], json!(["web_search"]));
    assert_eq!(opened.body["mode"], "restricted");
    let session = opened.text("session_id");
    api.check_in(ADMIN, &receiver, "web_search", &session).await.allowed();
    // Neither what the giver kept for itself, nor what the receiver has of its own.
    api.check_in(ADMIN, &receiver, "files:read", &session).await.denied("outside the scope");
    api.check_in(ADMIN, &receiver, "mail", &session).await.denied("nothing of its own");
    api.check_in(ADMIN, &giver, "web_search", &session).await.denied("another agent");
    assert_eq!(begun(&api, &id).await, session, "asked again, it is the same session");
    let rows = api.audit("decision").await;
    let row = rows.iter().find(|row| row["body"]["decision"] == "allow").unwrap();
    assert_eq!(row["body"]["delegations"], json!([id]));
    assert_eq!(api.audit("delegation.created").await[0]["body"]["to_agent_id"], *receiver);
}

#[tokio::test]
async fn chain_hands_on_no_more_than_it_was_given_and_is_read_as_one() {
    let api = open().await;
    let agents = chain_of(&api, 4).await;
    let first = give(&api, (&agents[0], &agents[1]), &["files:*"], json!({})).await;
    let second =
        give(&api, (&agents[1], &agents[2]), &["files:read", "files:list"], under(&first)).await;
    let wider = ask(&api, ADMIN, (&agents[2], &agents[3]), &["files:*"], under(&second)).await;
    wider.refused(403, "AUTH_DENIED").says("outside the scope of delegation");
    let third = give(&api, (&agents[2], &agents[3]), &["files:read"], under(&second)).await;
    let read = api.get(&format!("{DELEGATIONS}/{third}"), ADMIN).await.ok();
    assert_eq!(read.body["delegation_chain"], json!([first, second]));
    assert_eq!(read.body["parent_delegation_id"], *second);
    let session = begun(&api, &third).await;
    api.check_in(ADMIN, &agents[3], "files:read", &session).await.allowed();
    api.check_in(ADMIN, &agents[3], "files:list", &session).await.denied("outside the scope");
    // Only who was given something hands it on.
    let stolen = ask(&api, ADMIN, (&agents[3], &agents[2]), &["files:read"], under(&first)).await;
    stolen.refused(403, "AUTH_DENIED").says("cannot hand it on");
}

#[tokio::test]
async fn revoking_any_link_stops_all_below_it_and_nothing_above() {
    let api = open().await;
    for broken in 0..3 {
        let agents = chain_of(&api, 4).await;
        let mut ids: Vec<String> = Vec::new();
        for link in 0..3 {
            let more = ids.last().map_or(json!({}), |parent| under(parent));
            ids.push(give(&api, (&agents[link], &agents[link + 1]), &["files:read"], more).await);
        }
        let mut sessions = Vec::new();
        for id in &ids {
            sessions.push(begun(&api, id).await);
        }
        revoke(&api, ADMIN, &ids[broken]).await.ok();
        for (link, session) in sessions.iter().enumerate() {
            let answer = api.check_in(ADMIN, &agents[link + 1], "files:read", session).await;
            let state = api.get(&format!("{DELEGATIONS}/{}", ids[link]), ADMIN).await.ok();
            if link < broken {
                answer.allowed();
                assert_eq!(state.body["state"], "active");
            } else {
                answer.denied("not open");
                assert_eq!(state.body["state"], "revoked");
                session_is_gone(&api, &ids[link]).await;
            }
        }
        let open = api.get("/api/v1/sessions?state=open", ADMIN).await.ok();
        let open = open.body["sessions"].as_array().unwrap().clone();
        let open = open.iter().filter(|it| sessions.iter().any(|id| it["session_id"] == **id));
        assert_eq!(open.count(), broken);
        revoke(&api, ADMIN, &ids[broken]).await.refused(404, "NOT_FOUND");
    }
}

pub(crate) async fn session_is_gone(api: &Api, delegation: &str) {
    session(api, ADMIN, delegation)
        .await
        .refused(404, "NOT_FOUND")
        .says("does not work: it, or one");
}

#[tokio::test]
async fn what_an_agent_gave_and_was_given_ends_with_it_and_rests_while_it_is_suspended() {
    let api = open().await;
    for (which, path) in [(0, "revoke"), (1, "revoke"), (0, "suspend"), (1, "suspend")] {
        let agents = chain_of(&api, 3).await;
        let first = give(&api, (&agents[0], &agents[1]), &["files:read"], json!({})).await;
        let second = give(&api, (&agents[1], &agents[2]), &["files:read"], under(&first)).await;
        let session = begun(&api, &second).await;
        let agent = &agents[which];
        api.post(&format!("/api/v1/agents/{agent}/{path}"), ADMIN, json!({})).await.ok();
        let answer = api.check_in(ADMIN, &agents[2], "files:read", &session).await;
        if path == "suspend" {
            answer.denied("is suspended");
            let refused = self::session(&api, ADMIN, &second).await;
            refused.refused(403, "AUTH_DENIED").says("is suspended");
            api.post(&format!("/api/v1/agents/{agent}/reactivate"), ADMIN, json!({})).await.ok();
            api.check_in(ADMIN, &agents[2], "files:read", &session).await.allowed();
        } else {
            answer.denied("not open");
            let state = api.get(&format!("{DELEGATIONS}/{second}"), ADMIN).await.ok();
            assert_eq!(state.body["state"], "revoked");
        }
    }
}

#[tokio::test]
async fn floor_of_any_agent_in_the_chain_holds_for_those_who_act_for_it() {
    let api = open().await;
    for which in 0..3 {
        let agents = chain_of(&api, 3).await;
        let first = give(&api, (&agents[0], &agents[1]), &["files:*"], json!({})).await;
        let second = give(&api, (&agents[1], &agents[2]), &["files:*"], under(&first)).await;
        let session = begun(&api, &second).await;
        api.check_in(ADMIN, &agents[2], "files:read", &session).await.allowed();
        let floor = format!("/api/v1/agents/{}/floor", agents[which]);
        api.put(&floor, ADMIN, json!({ "scope_ceiling": ["files:list"] })).await.ok();
        api.check_in(ADMIN, &agents[2], "files:read", &session).await.denied("scope ceiling");
        api.check_in(ADMIN, &agents[2], "files:list", &session).await.allowed();
        api.put(&floor, ADMIN, json!({ "mode": "supervised", "scope_ceiling": null })).await.ok();
        let held = api.check_in(ADMIN, &agents[2], "files:delete", &session).await;
        held.held();
    }
}

#[tokio::test]
async fn restrictions_of_every_link_hold_and_can_only_be_tightened() {
    let api = open().await;
    let agents = [api.agent(&["*"]).await, api.agent(&[]).await, api.agent(&[]).await];
    let restrictions = json!({ "tools": ["github/*"], "servers": ["github"], "max_calls": 3 });
    let restricted = json!({ "restrictions": restrictions });
    let first = give(&api, (&agents[0], &agents[1]), &["*"], restricted).await;
    let mut more = under(&first);
    for (looser, said) in [
        (json!({ "tools": ["*"] }), "restrictions.tools"),
        (json!({ "servers": ["gitlab"] }), "restrictions.servers"),
        (json!({ "max_calls": 4 }), "restrictions.max_calls"),
    ] {
        more["restrictions"] = looser;
        let refused = ask(&api, ADMIN, (&agents[1], &agents[2]), &["*"], more.clone()).await;
        refused.refused(403, "AUTH_DENIED").says(said);
    }
    more["restrictions"] = json!({ "tools": ["github/issues/*"] });
    let second = give(&api, (&agents[1], &agents[2]), &["*"], more).await;
    let (outer, inner) = (begun(&api, &first).await, begun(&api, &second).await);
    api.check_in(ADMIN, &agents[1], "gitlab/list", &outer).await.denied("restricted to");
    api.check_in(ADMIN, &agents[1], "list", &outer).await.denied("restricted to");
    api.check_in(ADMIN, &agents[2], "github/repos/list", &inner).await.denied("restricted to");
    // A call under the second counts towards the first.
    api.check_in(ADMIN, &agents[2], "github/issues/list", &inner).await.allowed();
    api.check_in(ADMIN, &agents[1], "github/repos/list", &outer).await.allowed();
    api.check_in(ADMIN, &agents[2], "github/issues/list", &inner).await.allowed();
    for (agent, session) in [(&agents[1], &outer), (&agents[2], &inner)] {
        let denied = api.check_in(ADMIN, agent, "github/issues/list", session).await;
        denied.denied("3 of 3 calls were let through");
    }
}

#[tokio::test]
async fn delegation_lives_no_longer_than_what_it_is_made_from() {
    let api = open().await;
    let agents = chain_of(&api, 3).await;
    let first =
        give(&api, (&agents[0], &agents[1]), &["files:read"], json!({ "ttl_seconds": 60 })).await;
    let mut more = under(&first);
    more["ttl_seconds"] = json!(3600);
    let second = give(&api, (&agents[1], &agents[2]), &["files:read"], more).await;
    let expiry = |body: Value| body["expires_at"].as_str().unwrap().to_owned();
    let outer = expiry(api.get(&format!("{DELEGATIONS}/{first}"), ADMIN).await.ok().body);
    assert_eq!(expiry(api.get(&format!("{DELEGATIONS}/{second}"), ADMIN).await.ok().body), outer);
    assert_eq!(expiry(session(&api, ADMIN, &second).await.ok().body), outer);
    let restricted = json!({ "restrictions": { "not_after": outer } });
    let third = give(&api, (&agents[0], &agents[2]), &["files:read"], restricted).await;
    assert_eq!(expiry(api.get(&format!("{DELEGATIONS}/{third}"), ADMIN).await.ok().body), outer);
}

#[tokio::test]
async fn approver_reads_for_whom_the_agent_asks_and_the_policies_are_told() {
    const POLICIES: &str = r#"
        permit (principal, action, resource);
        @id("refunds") @elevate @reason("money leaves")
        forbid (principal, action, resource == Tool::"refund")
        when { context has delegation } unless { context.approved };
        @id("deep") forbid (principal, action, resource)
        when { context has delegation && context.delegation.depth > 2 };
    "#;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("all.cedar"), POLICIES).unwrap();
    let api = open_with(|builder| builder.policies(folder.path())).await;
    let mut agents = Vec::new();
    for name in ["alice's assistant", "buyer-7", "shopbot", "helper"] {
        let body = json!({ "name": name, "capabilities": ["refund"] });
        agents.push(api.post("/api/v1/agents", ADMIN, body).await.ok().text("id"));
    }
    let first = give(&api, (&agents[0], &agents[1]), &["refund"], json!({})).await;
    let second = give(&api, (&agents[1], &agents[2]), &["refund"], under(&first)).await;
    let third = give(&api, (&agents[2], &agents[3]), &["refund"], under(&second)).await;
    api.check(ADMIN, &agents[2], "refund").await.allowed();
    let session = begun(&api, &second).await;
    let held = api.check_in(ADMIN, &agents[2], "refund", &session).await.held();
    let approval = api.get(&format!("/mcp/approvals/{held}"), ADMIN).await.ok();
    assert_eq!(
        approval.body["on_behalf_of"],
        json!([
            { "agent_id": agents[1], "agent_name": "buyer-7" },
            { "agent_id": agents[0], "agent_name": "alice's assistant" },
        ])
    );
    let deep = begun(&api, &third).await;
    api.check_in(ADMIN, &agents[3], "refund", &deep).await.denied("deep");
}

#[tokio::test]
async fn agents_key_delegates_from_its_own_agents_and_sees_what_they_gave_and_were_given() {
    let api = open().await;
    let agents = [api.agent(&["a"]).await, api.agent(&["a"]).await, api.agent(&["a"]).await];
    let keys = [
        api.key(Role::Agent, &[&agents[0]]).await,
        api.key(Role::Agent, &[&agents[1]]).await,
        api.key(Role::Agent, &[&agents[2]]).await,
    ];
    let made = ask(&api, &keys[0], (&agents[0], &agents[1]), &["a"], json!({})).await.ok();
    let id = made.body["delegation"]["id"].as_str().unwrap().to_owned();
    let foreign = ask(&api, &keys[0], (&agents[1], &agents[0]), &["a"], json!({})).await;
    foreign.refused(403, "AUTH_DENIED");
    let path = format!("{DELEGATIONS}/{id}");
    for key in &keys[..2] {
        api.get(&path, key).await.ok();
        assert_eq!(api.get(DELEGATIONS, key).await.ok().body["delegations"][0]["id"], *id);
    }
    api.get(&path, &keys[2]).await.refused(404, "NOT_FOUND");
    assert_eq!(api.get(DELEGATIONS, &keys[2]).await.ok().body["delegations"], json!([]));
    // Only the agent that was given to opens it.
    session(&api, &keys[0], &id).await.refused(403, "AUTH_DENIED");
    session(&api, &keys[2], &id).await.refused(404, "NOT_FOUND");
    let opened = session(&api, &keys[1], &id).await.ok().text("session_id");
    api.check_in(&keys[1], &agents[1], "a", &opened).await.allowed();
    revoke(&api, &keys[2], &id).await.refused(404, "NOT_FOUND");
    revoke(&api, &keys[0], &id).await.ok();
    api.check_in(&keys[1], &agents[1], "a", &opened).await.denied("not open");
}

#[tokio::test]
async fn what_cannot_be_delegated_is_refused_and_nothing_is_made() {
    let api = open().await;
    let mut agents = chain_of(&api, 10).await;
    let (from, to) = (agents[0].clone(), agents[1].clone());
    let suspended = api.agent(&["web_search"]).await;
    api.post(&format!("/api/v1/agents/{suspended}/suspend"), ADMIN, json!({})).await.ok();
    let many: Vec<String> = (0..257).map(|n| format!("files:{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let none = json!({});
    for (between, scope, more, status, said) in [
        ((&from, &from), &["web_search"][..], none.clone(), 400, "is the agent that gives"),
        ((&from, &to), &[], none.clone(), 400, "would give nothing"),
        ((&from, &to), &many, none.clone(), 400, "257 entries"),
        ((&from, &to), &["*"], none.clone(), 403, "no capability"),
        ((&from, &to), &["web/*"], none.clone(), 403, "no capability"),
        ((&from, &to), &["files/*"], none.clone(), 403, "no capability"),
        ((&from, &to), &["a*"], none.clone(), 400, "scope"),
        ((&to, &from), &["web_search"], none.clone(), 403, "no capability"),
        ((&suspended, &to), &["web_search"], none.clone(), 403, "suspended"),
        ((&from, &suspended), &["web_search"], none.clone(), 403, "suspended"),
        ((&from, &"agt_none".to_owned()), &["web_search"], none.clone(), 404, "agt_none"),
        ((&from, &to), &["web_search"], json!({ "ttl_seconds": 0 }), 400, "ttl_seconds is 0"),
        ((&from, &to), &["web_search"], json!({ "ttl_seconds": -1 }), 400, "ttl_seconds"),
        ((&from, &to), &["web_search"], json!({ "ttl_seconds": 2_592_001 }), 400, "at most"),
        (
            (&from, &to),
            &["web_search"],
            json!({ "ttl_seconds": 9_223_372_036_854_775_808_u64 }),
            400,
            "ttl_seconds",
        ),
        (
            (&from, &to),
            &["web_search"],
            json!({ "restrictions": { "max_call": 1 } }),
            400,
            "did you mean max_calls?",
        ),
        ((&from, &to), &["web_search"], json!({ "restrictions": ["tools"] }), 400, ""),
        (
            (&from, &to),
            &["web_search"],
            json!({ "restrictions": { "not_after": "2020-01-01T00:00:00Z" } }),
            400,
            "is past",
        ),
        ((&from, &to), &["web_search"], under("dlg_none"), 404, "does not work: it, or one"),
    ] {
        let refused = ask(&api, ADMIN, (between.0, between.1), scope, more).await;
        let code = match status {
            400 => "VALIDATION_ERROR",
            403 => "AUTH_DENIED",
            _ => "NOT_FOUND",
        };
        refused.refused(status, code).says(said);
    }
    assert_eq!(api.get(DELEGATIONS, ADMIN).await.ok().body["delegations"], json!([]));

    let mut parent = give(&api, (&from, &to), &["web_search"], none.clone()).await;
    for pair in agents[1..9].windows(2) {
        let circle = ask(&api, ADMIN, (&pair[0], &from), &["web_search"], under(&parent)).await;
        circle.refused(400, "VALIDATION_ERROR").says("in this chain already");
        parent = give(&api, (&pair[0], &pair[1]), &["web_search"], under(&parent)).await;
    }
    let last = agents.pop().unwrap();
    let deep = ask(&api, ADMIN, (&agents[8], &last), &["web_search"], under(&parent)).await;
    deep.refused(400, "VALIDATION_ERROR").says("a chain of 8");
    revoke(&api, ADMIN, &parent).await.ok();
    let late = ask(&api, ADMIN, (&agents[8], &last), &["web_search"], under(&parent)).await;
    late.refused(404, "NOT_FOUND").says("does not work: it, or one");
    let made = api.audit("delegation.created").await.len();
    assert_eq!(made, 8);
}

#[tokio::test]
async fn list_is_cut_into_pages_and_filtered() {
    let api = open().await;
    let agents = chain_of(&api, 2).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(give(&api, (&agents[0], &agents[1]), &["files:read"], json!({})).await);
    }
    ids.reverse();
    let page = api.get(&format!("{DELEGATIONS}?limit=2"), ADMIN).await.ok();
    let of = |page: &Answer| -> Vec<String> {
        let list = page.body["delegations"].as_array().unwrap().iter();
        list.map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of(&page), ids[..2]);
    let next = page.text("next");
    let rest = api.get(&format!("{DELEGATIONS}?limit=2&before={next}"), ADMIN).await.ok();
    assert_eq!(of(&rest), ids[2..]);
    assert!(rest.body.get("next").is_none());
    revoke(&api, ADMIN, &ids[0]).await.ok();
    let state =
        async |state: &str| of(&api.get(&format!("{DELEGATIONS}?state={state}"), ADMIN).await.ok());
    assert_eq!(state("revoked").await, ids[..1]);
    assert_eq!(state("active").await, ids[1..]);
    let foreign = next.replace("dlg_", "ats_");
    for wrong in [format!("before={foreign}"), "before=x".to_owned(), "state=open".to_owned()] {
        let refused = api.get(&format!("{DELEGATIONS}?{wrong}"), ADMIN).await;
        refused.refused(400, "VALIDATION_ERROR");
    }
}

/// Returns two replicas on one PostgreSQL, if there is one.
async fn replicas(database: &Fresh) -> [Api; 2] {
    let url = database.url();
    [
        open_with(|builder| builder.database(&url).replica("one")).await,
        open_with(|builder| builder.database(&url).replica("two")).await,
    ]
}

/// Asks at all of these at once for a call that a delegation lets through so many times, and counts how often it was.
async fn race(replicas: &[&Api], most: usize) {
    let agents = chain_of(replicas[0], 3).await;
    let restricted = json!({ "restrictions": { "max_calls": most } });
    let first = give(replicas[0], (&agents[0], &agents[1]), &["files:*"], restricted).await;
    let second = give(replicas[0], (&agents[1], &agents[2]), &["files:read"], under(&first)).await;
    let sessions = [begun(replicas[0], &first).await, begun(replicas[0], &second).await];
    for api in replicas {
        let there = async || api.check_in(ADMIN, &agents[2], "files:list", &sessions[1]).await;
        eventually("the replica knows of the session", async || {
            // Before it knows of the agent, it says so without a reason.
            let reason = there().await.body["reason"].clone();
            reason.as_str().is_some_and(|reason| reason.contains("outside the scope"))
        })
        .await;
    }
    let calls = (0..40).map(async |n: usize| {
        let (agent, session) = (&agents[1 + n % 2], &sessions[n % 2]);
        let api = replicas[n / 2 % replicas.len()];
        api.check_in(ADMIN, agent, "files:read", session).await.body["allowed"] == true
    });
    let allowed = join_all(calls).await.into_iter().filter(|allowed| *allowed).count();
    assert_eq!(allowed, most);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_let_through_are_counted_exactly_by_one_guardian_and_by_two() {
    let api = open().await;
    race(&[&api], 7).await;
    let Some(database) = Fresh::or_skip() else { return };
    let [one, two] = replicas(&database).await;
    race(&[&one, &two], 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_at_one_replica_stops_at_the_other_within_a_second() {
    let Some(database) = Fresh::or_skip() else { return };
    let [one, two] = replicas(&database).await;
    for link in 0..3 {
        let agents = chain_of(&one, 4).await;
        let mut ids: Vec<String> = Vec::new();
        for link in 0..3 {
            let more = ids.last().map_or(json!({}), |parent| under(parent));
            ids.push(give(&one, (&agents[link], &agents[link + 1]), &["files:read"], more).await);
        }
        let session = begun(&one, &ids[2]).await;
        let allows = async || {
            let answer = two.check_in(ADMIN, &agents[3], "files:read", &session).await;
            answer.body["allowed"] == true
        };
        eventually("the other replica knows of it", allows).await;
        let asked = Instant::now();
        revoke(&one, ADMIN, &ids[link]).await.ok();
        eventually("the other replica stops it", async || !allows().await).await;
        assert!(asked.elapsed() < IN_FORCE, "{:?}", asked.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn delegation_revoked_twice_at_once_is_revoked_once_and_recorded() {
    let api = open().await;
    let agents = chain_of(&api, 2).await;
    let id = give(&api, (&agents[0], &agents[1]), &["files:read"], json!({})).await;
    let (one, other) = join(revoke(&api, ADMIN, &id), revoke(&api, ADMIN, &id)).await;
    for answer in [one, other] {
        // Whoever is second finds it being taken back, or taken back.
        assert!(matches!(answer.status.as_u16(), 200 | 404), "{answer:?}");
    }
    assert!(!api.audit("delegation.revoked").await.is_empty());
    session_is_gone(&api, &id).await;
}

#[tokio::test]
async fn delegation_narrows_with_the_agent_that_it_begins_with_and_never_widens() {
    let api = open().await;
    let agents = chain_of(&api, 3).await;
    let first = give(&api, (&agents[0], &agents[1]), &["files:*"], json!({})).await;
    let second = give(&api, (&agents[1], &agents[2]), &["files:read"], under(&first)).await;
    let session = begun(&api, &second).await;
    let path = format!("/api/v1/agents/{}", agents[0]);
    let change = async |body: Value| api.ask(Method::PATCH, &path, ADMIN, Some(body)).await.ok();
    let check = async || api.check_in(ADMIN, &agents[2], "files:read", &session).await;
    check().await.allowed();
    change(json!({ "capabilities": ["web_search"] })).await;
    check().await.denied("no capability that covers");
    let late = ask(&api, ADMIN, (&agents[1], &agents[2]), &["files:read"], under(&first)).await;
    late.refused(403, "AUTH_DENIED").says("covers any more");
    change(json!({ "capabilities": ["*"] })).await;
    check().await.denied("never widens");
    // What is given anew is given.
    let anew = give(&api, (&agents[0], &agents[2]), &["files:read"], json!({})).await;
    let session = begun(&api, &anew).await;
    api.check_in(ADMIN, &agents[2], "files:read", &session).await.allowed();
    // What the agents in between have of their own makes no difference.
    let between = format!("/api/v1/agents/{}", agents[1]);
    api.ask(Method::PATCH, &between, ADMIN, Some(json!({ "capabilities": ["mail"] }))).await.ok();
    api.check_in(ADMIN, &agents[2], "files:read", &session).await.allowed();
}
