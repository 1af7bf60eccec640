//! What several approvers hold, no one alone loosens: lowering the effect of a tool and loosening the floor of an agent
//! are held for as many.

use agenttrust::model::{SessionMode, SetFloorRequest};
use agenttrust::{AgentTrustError, Effect};
use agenttrust_guardian::policy::PolicySet;
use agenttrust_guardian::{GuardianBuilder, Role};
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Answer};
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Api, open, open_with};

/// Destructive calls take two approvers.
const TWO: &str = r#"
    @id("two") @elevate @quorum("2") permit (principal, action == Action::"destructive", resource);
    @id("rest") permit (principal, action in [Action::"read", Action::"mutating"], resource);
"#;

fn two(builder: GuardianBuilder) -> GuardianBuilder {
    builder.policy_set(PolicySet::parse("two.cedar", TWO).unwrap())
}

/// A Guardian and the keys of three operators who are different people.
struct Desk {
    api: Api,
    operators: [String; 3],
    agent: String,
    key: String,
}

impl Desk {
    async fn of(api: Api) -> Self {
        let (agent, key) = api.worker().await;
        let mut operators = Vec::new();
        for _ in 0..3 {
            operators.push(api.key(Role::Operator, &[]).await);
        }
        let operators = operators.try_into().unwrap();
        Self { api, operators, agent, key }
    }

    async fn set_effect(&self, key: &str, tool: &str, effect: &str) -> Answer {
        let path = format!("/api/v1/tools/{tool}/effect");
        self.api.put(&path, key, json!({ "effect": effect })).await
    }

    async fn declare(&self, tools: Value) -> Answer {
        self.api.put("/api/v1/tools", &self.operators[0], json!({ "tools": tools })).await
    }

    async fn floor(&self, floor: Value) -> Answer {
        let path = format!("/api/v1/agents/{}/floor", self.agent);
        self.api.put(&path, &self.operators[0], floor).await
    }

    async fn forget(&self, path: &str) -> Answer {
        self.api.ask(Method::DELETE, path, &self.operators[0], None).await
    }

    /// Lets the two others approve.
    async fn approve(&self, approval: &str) {
        for operator in &self.operators[1..] {
            self.api.approve(operator, approval).await.ok();
        }
        assert_eq!(self.api.approval(approval).await["status"], "approved");
    }

    async fn asks(&self, tool: &str) -> Answer {
        self.api.check(&self.key, &self.agent, tool).await
    }
}

/// Returns the approval that a change waits for.
fn waits(answer: &Answer) -> String {
    let message = answer.refused(409, "ELEVATION_REQUIRED").text("message");
    let id = answer.body["details"]["approval_id"].as_str().unwrap();
    assert!(message.contains(id) && message.contains("send this request again"), "{message}");
    assert_eq!(answer.body["details"]["quorum"], 2);
    id.to_owned()
}

async fn lowering_an_effect_takes_as_many_as_the_calls_that_it_lets_pass(api: Api) {
    let desk = Desk::of(api).await;
    let [one, two, three] = &desk.operators;
    let lower = async || desk.set_effect(one, "db_delete", "read").await;
    let approval = waits(&lower().await);
    assert_eq!(waits(&lower().await), approval, "asked again it is the same");
    desk.asks("db_delete").await.held();

    // Who decides sees what is to change.
    let shown = desk.api.approval(&approval).await;
    assert_eq!(shown["action_name"], "agenttrust/tools.lower");
    assert_eq!((&shown["action_effect"], &shown["bound_to"]), (&json!("admin"), &json!("input")));
    assert_eq!((&shown["quorum"], &shown["agent_name"]), (&json!(2), &json!("operators")));
    let changed = &shown["input"]["tools"][0];
    assert_eq!((&changed["tool"], &changed["to"]), (&json!("db_delete"), &json!("read")));
    assert_eq!(changed["from"], "destructive");
    assert_eq!(shown["action_input_summary"], "lower \"db_delete\" from destructive to read");

    desk.api.approve(one, &approval).await.refused(403, "AUTH_DENIED");
    desk.api.approve(two, &approval).await.ok();
    waits(&lower().await);
    desk.api.approve(three, &approval).await.ok();
    lower().await.ok();
    desk.asks("db_delete").await.allowed();
    let used = desk.api.approval(&approval).await;
    assert_eq!((&used["status"], &used["succeeded"]), (&json!("consumed"), &json!(true)));
    let set = desk.api.audit("tool.effect_set").await;
    assert_eq!(set.last().unwrap()["body"]["approval_id"], json!(approval));

    // Raising it takes no one else, and lowering it again takes them anew.
    desk.set_effect(one, "db_delete", "destructive").await.ok();
    assert_ne!(waits(&lower().await), approval);
    desk.asks("db_delete").await.held();
    desk.api.guardian.close().await;
}

#[tokio::test]
async fn lowering_an_effect_takes_as_many_as_the_calls_that_it_lets_pass_on_sqlite() {
    lowering_an_effect_takes_as_many_as_the_calls_that_it_lets_pass(open_with(two).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lowering_an_effect_takes_as_many_as_the_calls_that_it_lets_pass_on_postgres() {
    if let Some(fresh) = Fresh::or_skip() {
        let api = open_with(|builder| two(builder).database(fresh.url())).await;
        lowering_an_effect_takes_as_many_as_the_calls_that_it_lets_pass(api).await;
    }
}

#[tokio::test]
async fn every_way_to_lower_an_effect_is_held() {
    let desk = Desk::of(open_with(two).await).await;
    let one = &desk.operators[0];
    // An admin is one person too, and a key of an admin's making is nobody else.
    waits(&desk.set_effect(ADMIN, "db_delete", "mutating").await);
    // A hint counts as long as no effect is set.
    waits(&desk.set_effect(one, "frobnicate", "read").await);

    desk.set_effect(one, "weather", "destructive").await.ok();
    waits(&desk.forget("/api/v1/tools/weather/effect").await);
    desk.asks("weather").await.held();

    desk.declare(json!([{ "name": "sweep", "effect": "destructive" }])).await.ok();
    desk.asks("sweep").await.held();
    let lower = json!([{ "name": "sweep", "effect": "read" }, { "name": "new", "effect": "read" }]);
    let approval = waits(&desk.declare(lower.clone()).await);
    desk.asks("sweep").await.held();
    let listed = desk.api.get("/api/v1/tools", one).await.ok().body;
    assert_eq!(listed["tools"].as_array().unwrap().len(), 1, "nothing was taken in: {listed}");
    waits(&desk.forget("/api/v1/tools/sweep").await);
    desk.asks("sweep").await.held();
    desk.approve(&approval).await;
    desk.declare(lower).await.ok();
    desk.asks("sweep").await.allowed();
}

#[tokio::test]
async fn an_effect_that_fewer_hold_is_no_way_around_those_who_hold_a_weaker_one() {
    let desk = Desk::of(open_with(two).await).await;
    let one = &desk.operators[0];
    waits(&desk.set_effect(one, "db_drop", "read").await);
    let approval = waits(&desk.set_effect(one, "db_drop", "admin").await);
    waits(&desk.set_effect(one, "db_drop", "read").await);
    desk.asks("db_drop").await.held();
    let shown = desk.api.approval(&approval).await;
    assert_eq!(shown["action_input_summary"], "raise \"db_drop\" from destructive to admin");
    let changed = &shown["input"]["tools"][0];
    assert_eq!(
        (&changed["from"], &changed["to"], &changed["set"]),
        (&json!("destructive"), &json!("admin"), &json!("admin"))
    );
    // A hint counts as long as no effect is set.
    waits(&desk.set_effect(one, "list_files", "admin").await);
    desk.set_effect(one, "weather", "destructive").await.ok();
    waits(&desk.set_effect(one, "weather", "admin").await);
    // Once as many have approved that, nobody holds what is left.
    desk.approve(&approval).await;
    desk.set_effect(one, "db_drop", "admin").await.ok();
    desk.set_effect(one, "db_drop", "read").await.ok();
    desk.asks("db_drop").await.allowed();
}

#[tokio::test]
async fn a_manifest_is_no_way_around_those_who_hold_a_weaker_effect() {
    let desk = Desk::of(open_with(two).await).await;
    let tool = |effect: &str| json!([{ "name": "sweep", "effect": effect }]);
    desk.declare(tool("destructive")).await.ok();
    waits(&desk.declare(tool("read")).await);
    let approval = waits(&desk.declare(tool("admin")).await);
    waits(&desk.declare(tool("read")).await);
    desk.asks("sweep").await.held();
    let shown = desk.api.approval(&approval).await;
    let changed = &shown["input"]["tools"][0];
    assert_eq!((&changed["from"], &changed["to"]), (&json!("destructive"), &json!("admin")));
    assert_eq!((&changed["set"], &changed["declared"]), (&Value::Null, &json!("admin")));
    // Nor with what its name says: neither manifest nor setting, one after the other.
    waits(&desk.declare(json!([{ "name": "db_drop", "effect": "admin" }])).await);
    waits(&desk.set_effect(&desk.operators[0], "db_drop", "read").await);
    desk.asks("db_drop").await.held();
    // What an agent's key raises is for that agent, and no change of an operator's.
    let raised = json!({ "tools": [{ "name": "db_drop", "effect": "admin" }] });
    desk.api.put("/api/v1/tools", &desk.key, raised).await.ok();
    waits(&desk.set_effect(&desk.operators[0], "db_drop", "read").await);
}

#[tokio::test]
async fn a_stronger_effect_that_as_many_hold_is_not_held() {
    let text = r#"
        @id("two") @elevate @quorum("2") permit (principal, action == Action::"destructive", resource);
        @id("three") @elevate @quorum("3") permit (principal, action == Action::"admin", resource);
        @id("reads") @elevate @quorum("2") permit (principal, action == Action::"read", resource);
    "#;
    let set = PolicySet::parse("more.cedar", text).unwrap();
    let desk = Desk::of(open_with(|builder| builder.policy_set(set)).await).await;
    let one = &desk.operators[0];
    desk.set_effect(one, "db_drop", "admin").await.ok();
    desk.declare(json!([{ "name": "sweep", "effect": "admin" }])).await.ok();
    assert!(desk.api.audit("change.held").await.is_empty());
    // A read is held for two here, and what changes something is held for nobody.
    waits(&desk.declare(json!([{ "name": "get_notes", "effect": "mutating" }])).await);
}

#[tokio::test]
async fn what_lowers_nothing_that_several_hold_is_not_held() {
    let default = Desk::of(open().await).await;
    default.set_effect(&default.operators[0], "db_delete", "read").await.ok();
    default.asks("db_delete").await.allowed();

    let desk = Desk::of(open_with(two).await).await;
    let one = &desk.operators[0];
    desk.set_effect(one, "list_files", "destructive").await.ok();
    desk.set_effect(one, "db_grant", "admin").await.ok();
    // Nothing holds an admin call for two.
    desk.set_effect(one, "db_grant", "destructive").await.ok();
    desk.declare(json!([{ "name": "notes", "effect": "read" }])).await.ok();
    desk.forget("/api/v1/tools/notes").await.ok();
    assert!(desk.api.audit("change.held").await.is_empty());

    let text = r#"@id("pay") @elevate @quorum("2") forbid (principal, action, resource == Tool::"pay");
                  @id("rest") permit (principal, action, resource);"#;
    let set = PolicySet::parse("pay.cedar", text).unwrap();
    let desk = Desk::of(open_with(|builder| builder.policy_set(set)).await).await;
    desk.set_effect(&desk.operators[0], "db_delete", "read").await.ok();
    waits(&desk.set_effect(&desk.operators[0], "pay", "read").await);
}

#[tokio::test]
async fn an_approval_of_a_change_is_for_that_change_alone() {
    let desk = Desk::of(open_with(two).await).await;
    let [one, two, _] = &desk.operators;
    let approval = waits(&desk.set_effect(one, "db_delete", "mutating").await);
    desk.approve(&approval).await;
    assert_ne!(waits(&desk.set_effect(one, "db_delete", "read").await), approval);
    assert_ne!(waits(&desk.set_effect(one, "db_drop", "mutating").await), approval);
    // One who approved it and asks for it now is no approver of it any more.
    assert_ne!(waits(&desk.set_effect(two, "db_delete", "mutating").await), approval);
    assert_eq!(desk.api.approval(&approval).await["status"], "approved");
}

#[tokio::test]
async fn a_denied_change_stays_denied_for_its_window() {
    let desk = Desk::of(open_with(two).await).await;
    let [one, two, _] = &desk.operators;
    let approval = waits(&desk.set_effect(one, "db_delete", "read").await);
    let path = format!("/mcp/approvals/{approval}/deny");
    desk.api.post(&path, two, json!({ "decided_by": "ada", "reason": "it deletes" })).await.ok();
    let denied = desk.set_effect(one, "db_delete", "read").await;
    let message = denied.refused(403, "AUTH_DENIED").text("message");
    assert!(message.contains("(it deletes)") && message.contains("until"), "{message}");
    desk.asks("db_delete").await.held();
}

#[tokio::test]
async fn no_agents_call_falls_under_the_approval_of_a_change() {
    let desk = Desk::of(open_with(two).await).await;
    let approval = waits(&desk.set_effect(&desk.operators[0], "db_delete", "read").await);
    let shown = desk.api.approval(&approval).await;
    let (stand_in, digest) =
        (shown["agent_id"].as_str().unwrap(), shown["input_digest"].as_str().unwrap());
    let headers = [("agenttrust-input-digest", digest)];
    let body = |agent: &str| {
        json!({
            "agent_id": agent, "action_name": "agenttrust/tools.lower", "action_effect": "admin",
        })
    };
    // The agent that stands for the operators is known to nobody.
    desk.api.check_with(ADMIN, &headers, body(stand_in)).await.refused(404, "NOT_FOUND");
    let agents = desk.api.get("/api/v1/agents", ADMIN).await.ok().body;
    assert_eq!(agents["agents"].as_array().unwrap().len(), 1, "{agents}");
    let token = json!({ "agent_id": stand_in, "scopes": ["*"] });
    desk.api.post("/api/v1/agent-tokens/issue", ADMIN, token).await.refused(404, "NOT_FOUND");
    let key = json!({ "role": "agent", "agents": [stand_in] });
    desk.api.post("/api/v1/keys", ADMIN, key).await.refused(400, "VALIDATION_ERROR");
    // Nor does a call of an agent by that name use it.
    desk.approve(&approval).await;
    let answer = desk.api.check_with(&desk.key, &headers, body(&desk.agent)).await.ok();
    assert_eq!(answer.body["allowed"], false, "{answer:?}");
    assert_eq!(desk.api.approval(&approval).await["status"], "approved");
}

#[tokio::test]
async fn loosening_a_floor_takes_as_many_as_a_policy_wants() {
    let desk = Desk::of(open_with(two).await).await;
    // Tightening takes nobody else.
    desk.floor(json!({ "mode": "restricted", "scope_ceiling": ["files:*", "db_delete"] }))
        .await
        .ok();
    desk.floor(json!({ "mode": "restricted", "scope_ceiling": ["files:read"] })).await.ok();
    desk.floor(json!({ "mode": "supervised", "scope_ceiling": ["files:read"] })).await.ok();
    for looser in [
        json!({ "mode": "open", "scope_ceiling": null }),
        json!({ "mode": "restricted", "scope_ceiling": ["files:read"] }),
        json!({ "mode": "supervised", "scope_ceiling": ["files:*"] }),
        json!({ "mode": "supervised", "scope_ceiling": null }),
    ] {
        waits(&desk.floor(looser).await);
    }
    desk.asks("db_delete").await.denied("outside");
    let open = json!({ "mode": "open", "scope_ceiling": null });
    let approval = waits(&desk.floor(open.clone()).await);
    let shown = desk.api.approval(&approval).await;
    assert_eq!(shown["action_name"], "agenttrust/agents.loosen");
    assert_eq!(shown["input"]["agent_id"], json!(desk.agent));
    assert_eq!(
        shown["input"]["from"],
        json!({ "mode": "supervised", "scope_ceiling": ["files:read"] })
    );
    assert_eq!(shown["input"]["to"], json!({ "mode": "open", "scope_ceiling": null }));
    desk.approve(&approval).await;
    desk.floor(open).await.ok();
    desk.asks("db_delete").await.held();
    let set = desk.api.audit("agent.floor_set").await;
    assert_eq!(set.last().unwrap()["body"]["approval_id"], json!(approval));
}

#[tokio::test]
async fn a_floor_that_no_policy_for_several_is_about_is_loosened_by_one() {
    let desk = Desk::of(open().await).await;
    desk.floor(json!({ "mode": "supervised" })).await.ok();
    desk.floor(json!({ "mode": "open" })).await.ok();
}

#[tokio::test]
async fn more_at_once_than_an_approver_could_be_shown_is_refused() {
    let desk = Desk::of(open_with(two).await).await;
    let tools = |effect: &str| -> Value {
        (0..900)
            .map(|n| json!({ "name": format!("{n}{}", "x".repeat(100)), "effect": effect }))
            .collect()
    };
    desk.declare(tools("destructive")).await.ok();
    let answer = desk.declare(tools("read")).await;
    let message = answer.refused(400, "VALIDATION_ERROR").text("message");
    assert!(message.contains("fewer at once"), "{message}");
}

#[tokio::test]
async fn the_client_says_which_approval_a_change_waits_for() {
    let desk = Desk::of(open_with(two).await).await;
    let client = desk.api.guardian.client_with_key(&desk.operators[0]).unwrap();
    let error = client.tools().set_effect("db_delete", Effect::Read).await.unwrap_err();
    let AgentTrustError::ElevationRequired { message, approval_id } = &error else {
        panic!("{error:?}")
    };
    assert!(message.contains(approval_id.as_str()), "{message}");
    desk.approve(approval_id).await;
    client.tools().set_effect("db_delete", Effect::Read).await.unwrap();
    desk.asks("db_delete").await.allowed();

    let supervised = SetFloorRequest::new(SessionMode::Supervised);
    client.agents().set_floor(&desk.agent, &supervised).await.unwrap();
    let open = SetFloorRequest::new(SessionMode::Open);
    let error = client.agents().set_floor(&desk.agent, &open).await.unwrap_err();
    assert_eq!(error.code(), "ELEVATION_REQUIRED");
}
