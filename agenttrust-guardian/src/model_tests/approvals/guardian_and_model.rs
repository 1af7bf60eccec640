//! A real Guardian, everybody who asks it, and the model that must say the same.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust::guard::digest::{Commitment, commit};
use agenttrust::model::ApprovalStatus;
use agenttrust::model::headers::{BINDS, INPUT_DIGEST};
use agenttrust_testkit::{ADMIN, Answer};
use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::coverage::Coverage;
use super::evidence::Evidence;
use super::intent::{AGENTS, Intent, OPERATORS, Transition};
use super::model::{Act, Ask, Denial, Input, KeyHolder, Model, Said};
use crate::domain::Role;
use crate::harness::{Api, open_with};
use crate::policy::PolicySet;

const POLICIES: &str = r#"
    @id("hold-destructive") @elevate @quorum("2") @window("10m") @single_use
    permit (principal, action == Action::"destructive", resource);
    @id("hold-admin") @elevate @quorum("2") @window("10m")
    permit (principal, action == Action::"admin", resource);
"#;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
});

/// A key as its holder and its admin know it.
#[derive(Clone, Debug)]
struct TestKey {
    id: String,
    secret: String,
}

/// The agents and keys, which stay the same while the Guardian restarts.
#[derive(Debug)]
struct Identities {
    agents: Vec<String>,
    keys: BTreeMap<KeyHolder, TestKey>,
}

/// A Guardian and its model.
pub(super) struct GuardianAndModel {
    url: String,
    /// The name of its audit log, where logs have names.
    replica: String,
    start: Timestamp,
    api: Arc<Api>,
    identities: Arc<Identities>,
    model: Model,
    evidence: Evidence,
    coverage: &'static Coverage,
}

async fn open_replica(url: &str, replica: &str, at: Timestamp) -> Arc<Api> {
    let set = PolicySet::parse("trial.cedar", POLICIES).unwrap();
    let api = open_with(|builder| builder.database(url).replica(replica).policy_set(set)).await;
    // Time passes only as the trial says, so that the model knows it to the microsecond.
    api.guardian.engine().clock.stop_at(at);
    Arc::new(api)
}

impl GuardianAndModel {
    pub(super) fn new(url: String, coverage: &'static Coverage) -> Self {
        RUNTIME.block_on(async {
            let start = Timestamp::now();
            let replica = crate::domain::ids::new("life_");
            let api = open_replica(&url, &replica, start).await;
            // Makes the keys that do not come from the admin who asks and decides.
            let other = api.guardian.create_key(Role::Admin, &[]).await.unwrap();
            let deputy = key(&api, ADMIN, json!({ "role": "admin" })).await;
            let mut agents = Vec::new();
            let mut keys = BTreeMap::new();
            for who in 0..AGENTS {
                let agent = api.agent(&["*"]).await;
                let body = json!({ "role": "agent", "agents": [agent] });
                keys.insert(KeyHolder::Agent(who), key(&api, &other, body).await);
                agents.push(agent);
            }
            let owner = KeyHolder::Fleet.owner();
            let body = json!({ "role": "agent", "agents": agents, "owner": owner });
            keys.insert(KeyHolder::Fleet, key(&api, &other, body).await);
            for who in (0..OPERATORS).map(KeyHolder::Operator) {
                let maker = match who {
                    KeyHolder::Operator(0) => ADMIN,
                    _ if who.comes_from(KeyHolder::Admin) => &deputy.secret,
                    _ => &other,
                };
                let body = json!({ "role": "operator", "owner": who.owner() });
                keys.insert(who, key(&api, maker, body).await);
            }
            let listed = api.get("/api/v1/keys", ADMIN).await.ok().body;
            let made = listed["keys"].as_array().unwrap().iter().find(|key| key["id"] == deputy.id);
            let id = made.unwrap()["made_by"].as_str().unwrap().to_owned();
            keys.insert(KeyHolder::Admin, TestKey { id, secret: ADMIN.to_owned() });
            let identities = Arc::new(Identities { agents, keys });
            let (model, evidence) = Default::default();
            Self { url, replica, start, api, identities, model, evidence, coverage }
        })
    }

    /// Takes what happens, and fails if the answers are none that the model could give.
    pub(super) fn take(&mut self, transition: Transition) {
        match transition {
            Transition::One(intent) => self.at_once(&[intent]),
            Transition::AtOnce(intents) => self.at_once(&intents),
            Transition::Pass(seconds) => {
                let by = Duration::from_secs(seconds);
                self.model.now += by;
                self.api.guardian.engine().clock.advance(by);
            }
            Transition::Restart => RUNTIME.block_on(async {
                self.api.guardian.close().await;
                let now = self.start.saturating_add(self.model.now);
                self.api = open_replica(&self.url, &self.replica, now).await;
            }),
        }
    }

    fn at_once(&mut self, intents: &[Intent]) {
        let acts: Vec<Act> = intents.iter().filter_map(|one| one.resolve(&self.model)).collect();
        let said = RUNTIME.block_on(async {
            let tasks = acts.iter().map(|act| {
                let (api, identities, act) =
                    (Arc::clone(&self.api), Arc::clone(&self.identities), act.clone());
                let target = self.target(&act);
                tokio::spawn(async move { perform(&api, &identities, &act, target).await })
            });
            let said = join_all(tasks.collect::<Vec<_>>()).await;
            said.into_iter().map(|said| said.expect("a request panicked")).collect::<Vec<Said>>()
        });
        acts.iter().zip(&said).for_each(|(act, said)| self.coverage.count(act, said));
        let steps: Vec<(&Act, &Said)> = acts.iter().zip(&said).collect();
        self.model = explain(&self.model, &self.model, &steps).unwrap_or_else(|| {
            panic!("no order of these steps gives these answers: {steps:?}\nfrom {:?}", self.model)
        });
    }

    /// Returns id and input of the approval that a step is about.
    fn target(&self, act: &Act) -> Option<(String, Ask)> {
        let (Act::Decide { approval, .. } | Act::Disclose { approval, .. }) = *act else {
            return None;
        };
        let approval = &self.model.approvals[approval];
        Some((approval.id.clone(), approval.ask))
    }

    /// Fails unless the approvals are what the model says, and the audit proves what was answered.
    pub(super) fn must_agree(&mut self) {
        RUNTIME.block_on(async {
            let mut listed = Vec::new();
            for agent in &self.identities.agents {
                let path = format!("/mcp/approvals?agent_id={agent}");
                let found = self.api.get(&path, ADMIN).await.ok().body;
                listed.extend(found["approvals"].as_array().unwrap().clone());
            }
            assert_eq!(listed.len(), self.model.approvals.len());
            for approval in &self.model.approvals {
                let seen = listed.iter().find(|seen| seen["id"] == *approval.id).unwrap();
                let (ask, now) = (approval.ask, self.model.now);
                let by = approval.decided.map(|(by, _)| &self.identities.keys[&by].id);
                let expected = json!({
                    "status": approval.status(now),
                    "approvals": self.model.votes(approval),
                    "decided_by_key": by,
                    "agent_id": self.identities.agents[ask.agent],
                    "session_id": session(ask).unwrap_or_default(),
                    "action_name": tool(ask),
                    "action_effect": effect(ask),
                    "bound_to": ask.bound().0,
                });
                for (field, expected) in expected.as_object().unwrap() {
                    assert_eq!(&seen[field], expected, "{field} of {seen} and {approval:?}");
                }
                if approval.was_shown {
                    let input = ask.bound().1;
                    let seen = self.api.approval(&approval.id).await;
                    let shown = if approval.status(now) == ApprovalStatus::Pending && approval.shown
                    {
                        value(input)
                    } else {
                        Value::Null
                    };
                    assert_eq!(seen["input"], shown, "{approval:?}");
                }
            }
            self.evidence.gather(&self.api).await;
        });
        self.evidence.must_agree(&self.model, |id| {
            let mut keys = self.identities.keys.iter();
            *keys.find(|(_, held)| held.id == id).expect("a key of this life").0
        });
    }

    /// Ends the Guardian, after the chain was walked.
    pub(super) fn end(self) {
        RUNTIME.block_on(async {
            self.api.audit_rows().await;
            self.api.guardian.close().await;
        });
    }
}

/// Returns the model after these steps in an order in which it gives these answers. Depth first: most orders
/// are over with their first step.
fn explain(before: &Model, model: &Model, steps: &[(&Act, &Said)]) -> Option<Model> {
    if steps.is_empty() {
        return Some(model.clone());
    }
    for (index, (act, said)) in steps.iter().enumerate() {
        let fresh = match said {
            Said::Held(id) if model.approvals.iter().all(|one| one.id != *id) => id,
            _ => "",
        };
        // A key that is revoked at the same time may have been looked at before.
        let admitted = match act {
            Act::Decide { who, .. } if model.is_revoked(*who) => !before.is_revoked(*who),
            _ => false,
        };
        for admitted in [false, true].into_iter().take(1 + usize::from(admitted)) {
            let mut next = model.clone();
            if next.step(act, fresh, admitted) == **said {
                let mut rest = steps.to_vec();
                rest.remove(index);
                if let Some(found) = explain(before, &next, &rest) {
                    return Some(found);
                }
            }
        }
    }
    None
}

async fn key(api: &Api, maker: &str, body: Value) -> TestKey {
    let made = api.post("/api/v1/keys", maker, body).await.ok();
    TestKey { id: made.text("id"), secret: made.text("key") }
}

async fn perform(
    api: &Api,
    identities: &Identities,
    act: &Act,
    target: Option<(String, Ask)>,
) -> Said {
    let target = || target.clone().unwrap();
    let secret = |who: KeyHolder| identities.keys[&who].secret.as_str();
    match *act {
        Act::Check { who, ask } => check(api, identities, secret(who), ask).await,
        Act::Decide { who, approve, .. } => {
            let id = target().0;
            let answer = if approve {
                api.approve(secret(who), &id).await
            } else {
                api.deny(secret(who), &id).await
            };
            if answer.status != 200 {
                return Said::Refused(answer.status.as_u16());
            }
            let status: ApprovalStatus = answer.text("status").parse().unwrap();
            let votes =
                answer.body["approvals"].as_u64().map(|votes| u32::try_from(votes).unwrap());
            Said::Status(status, votes)
        }
        Act::Disclose { honest, .. } => {
            let (id, ask) = target();
            let input = ask.bound().1;
            let shown = if honest { value(input) } else { value(input + 1) };
            let body = json!({ "input": shown, "r": commitment(input).opening });
            let path = format!("/mcp/approvals/{id}/input");
            done(&api.put(&path, secret(KeyHolder::Agent(ask.agent)), body).await)
        }
        Act::RevokeKey(operator) => {
            let id = &identities.keys[&KeyHolder::Operator(operator)].id;
            match done(&api.ask(Method::DELETE, &format!("/api/v1/keys/{id}"), ADMIN, None).await) {
                Said::Refused(404) => Said::Done,
                said => said,
            }
        }
        Act::RevokeAgent(agent) => {
            let path = format!("/api/v1/agents/{}/revoke", identities.agents[agent]);
            done(&api.post(&path, ADMIN, json!({ "reason": "a trial" })).await)
        }
    }
}

async fn check(api: &Api, identities: &Identities, secret: &str, ask: Ask) -> Said {
    let mut body = json!({ "agent_id": identities.agents[ask.agent], "action_name": tool(ask) });
    if let Some(session) = session(ask) {
        body["session_id"] = json!(session);
    }
    if ask.admin {
        body["action_effect"] = json!("admin");
    }
    let (summary, digest) = match ask.input {
        Input::Silent => (None, None),
        Input::Counted => (Some("[16 chars]".to_owned()), None),
        Input::Summary(n) => (Some(format!("drop table t{n}")), None),
        Input::Digest(n) | Input::Part(_, n) => (Some("[16 chars]".to_owned()), Some(n)),
        Input::Both(n) => (Some("drop table t0".to_owned()), Some(n)),
    };
    body["action_input_summary"] = json!(summary);
    let digest = digest.map(|n| commitment(n).digest);
    let mut headers: Vec<_> = digest.iter().map(|digest| (INPUT_DIGEST, digest.as_str())).collect();
    if let Input::Part(part, _) = ask.input {
        headers.push((BINDS, part.as_str()));
    }
    let answer = api.check_with(secret, &headers, body).await;
    if answer.status != 200 {
        return Said::Refused(answer.status.as_u16());
    }
    assert_eq!(answer.text("action_effect"), effect(ask), "{answer:?}");
    if answer.body["allowed"] == true {
        return Said::Allowed(answer.text("approval_id"));
    }
    if answer.body["elevation_required"] == true {
        return Said::Held(answer.text("approval_id"));
    }
    let reason = answer.text("reason");
    Said::Denied(
        if reason.contains("is revoked, which is for good")
            || reason.contains("was revoked or suspended while it asked")
        {
            Denial::Revoked
        } else if reason.contains("was denied, which holds for another") {
            Denial::Standing(answer.text("approval_id"))
        } else if reason.contains("approvals pending, which is the most") {
            Denial::TooManyPending
        } else if reason.contains("3 times within 10 minutes") {
            Denial::TooManyDenials
        } else {
            panic!("denied for no reason that the model knows: {reason}")
        },
    )
}

fn done(answer: &Answer) -> Said {
    match answer.status.as_u16() {
        200 => Said::Done,
        status => Said::Refused(status),
    }
}

fn session(ask: Ask) -> Option<String> {
    (ask.session > 0).then(|| format!("s{}", ask.session))
}

fn tool(ask: Ask) -> &'static str {
    if ask.tool == 0 { "db_delete" } else { "db_drop" }
}

fn effect(ask: Ask) -> &'static str {
    if ask.admin { "admin" } else { "destructive" }
}

fn value(input: u8) -> Value {
    json!({ "table": input })
}

fn commitment(input: u8) -> Commitment {
    commit(&[7; 32], &value(input)).unwrap()
}
