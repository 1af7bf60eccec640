//! Delegations against a model of them. Delegations are given, handed on, narrowed, revoked and suspended, at one
//! replica or two, while time passes. In a session an agent may do exactly what every link of its chain allows, and
//! never more than the first agent of the chain.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use agenttrust::Timestamp;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, trials};
use axum::http::Method;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::harness::{Api, open_with};

const AGENTS: usize = 5;
const TOOLS: [&str; 4] = ["files:read", "files:list", "web_search", "mail:send"];
const SCOPES: [&[&str]; 6] = [
    &["*"],
    &["files:*"],
    &["files:read"],
    &["files:list", "web_search"],
    &["mail:*", "files:read"],
    &["web_search"],
];
const HELD: [&[&str]; AGENTS] =
    [&["*"], &["files:*", "web_search"], &["files:read"], &["mail:*"], &[]];

/// A step that may be done. Numbers pick from what there is.
#[derive(Clone, Debug)]
enum Step {
    Give { from: usize, to: usize, scope: usize, ttl: u64, most: Option<u32> },
    HandOn { parent: usize, to: usize, scope: usize, ttl: u64, most: Option<u32> },
    Revoke(usize),
    Suspend(usize),
    Reactivate(usize),
    RevokeAgent(usize),
    Floor(usize, Option<usize>),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let number = || any::<usize>();
    let ttl = || 20..400_u64;
    let most = || proptest::option::weighted(0.3, 1..4_u32);
    let step = prop_oneof![
        4 => (0..AGENTS, number(), number(), ttl(), most())
            .prop_map(|(from, to, scope, ttl, most)| Step::Give { from, to, scope, ttl, most }),
        8 => (number(), number(), number(), ttl(), most())
            .prop_map(|(parent, to, scope, ttl, most)| Step::HandOn { parent, to, scope, ttl, most }),
        2 => number().prop_map(Step::Revoke),
        1 => (0..AGENTS).prop_map(Step::Suspend),
        3 => (0..AGENTS).prop_map(Step::Reactivate),
        1 => (0..AGENTS * 4).prop_map(Step::RevokeAgent),
        2 => (0..AGENTS, proptest::option::of(0..SCOPES.len()))
            .prop_map(|(agent, scope)| Step::Floor(agent, scope)),
        2 => (1..60_u64).prop_map(Step::Pass),
    ];
    vec(step, 10..24)
}

/// Returns whether a list of capabilities covers a tool, by the guide's notation, written once more.
fn covers(list: &[&str], tool: &str) -> bool {
    list.iter().any(|one| match one.strip_suffix('*') {
        Some(prefix) => tool.starts_with(prefix),
        None => *one == tool,
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Standing {
    Active,
    Suspended,
    Revoked,
}

#[derive(Clone, Debug)]
struct Agent {
    id: String,
    standing: Standing,
    floor: Option<usize>,
}

#[derive(Clone, Debug)]
struct Given {
    id: String,
    from: usize,
    to: usize,
    scope: usize,
    parent: Option<usize>,
    until: u64,
    most: Option<u32>,
    used: u32,
    revoked: bool,
}

/// The agents, the delegations and the time, as the rules have them.
#[derive(Clone, Debug, Default)]
struct Model {
    agents: Vec<Agent>,
    given: Vec<Given>,
    now: u64,
}

impl Model {
    /// Returns the delegation and all that it was made from, the first one last.
    fn chain(&self, which: usize) -> Vec<usize> {
        let mut chain = vec![which];
        while let Some(parent) = self.given[*chain.last().unwrap()].parent {
            chain.push(parent);
        }
        chain
    }

    /// Returns whether no link of it is over, and no agent of it is at rest.
    fn works(&self, which: usize) -> bool {
        let stands = |agent: usize| self.agents[agent].standing == Standing::Active;
        let link = |link: &usize| {
            let given = &self.given[*link];
            !given.revoked && given.until > self.now && stands(given.from)
        };
        stands(self.given[which].to) && self.chain(which).iter().all(link)
    }

    /// Returns whether no link of it has let through as many calls as it may.
    fn has_calls_left(&self, which: usize) -> bool {
        self.chain(which).iter().all(|link| {
            let given = &self.given[*link];
            given.most.is_none_or(|most| given.used < most)
        })
    }

    /// Returns whether a call of this tool is let through, which counts towards every link.
    fn call(&mut self, which: usize, tool: &str) -> bool {
        let chain = self.chain(which);
        let within_floor =
            |agent: usize| self.agents[agent].floor.is_none_or(|floor| covers(SCOPES[floor], tool));
        let root = self.given[*chain.last().unwrap()].from;
        let lets = self.works(which)
            && covers(HELD[root], tool)
            && within_floor(self.given[which].to)
            && chain.iter().all(|link| {
                let given = &self.given[*link];
                covers(SCOPES[given.scope], tool)
                    && within_floor(given.from)
                    && given.most.is_none_or(|most| given.used < most)
            });
        if lets {
            for link in chain {
                self.given[link].used += 1;
            }
        }
        lets
    }

    /// Returns whether this may be given, by an agent of its own or by what it was given.
    fn may_give(&self, from: usize, to: usize, scope: usize, parent: Option<usize>) -> bool {
        let stands = |agent: usize| self.agents[agent].standing == Standing::Active;
        let within = |outer: &[&str]| {
            SCOPES[scope].iter().all(|name| match name.strip_suffix('*') {
                // Wide names are within wider ones only.
                Some(prefix) => outer.iter().any(|one| {
                    one.strip_suffix('*').is_some_and(|outer| prefix.starts_with(outer))
                }),
                None => covers(outer, name),
            })
        };
        let floor = self.agents[from].floor;
        let has = match parent {
            None => within(HELD[from]),
            Some(parent) => {
                let chain = self.chain(parent);
                let in_chain =
                    |agent: usize| chain.iter().any(|link| self.given[*link].from == agent);
                let root = self.given[*chain.last().unwrap()].from;
                chain.len() < 8
                    && self.works(parent)
                    && !in_chain(to)
                    && within(SCOPES[self.given[parent].scope])
                    && within(HELD[root])
            }
        };
        stands(from)
            && stands(to)
            && from != to
            && has
            && floor.is_none_or(|floor| within(SCOPES[floor]))
    }

    /// Returns the delegations that work.
    fn working(&self) -> Vec<usize> {
        (0..self.given.len()).filter(|which| self.works(*which)).collect()
    }

    /// Returns a receiver and a scope by which this may be given, as near as can be to those that were picked; those
    /// that were picked where no others fit, and for one number in eight.
    fn fitting(
        &self,
        (from, to, scope): (usize, usize, usize),
        parent: Option<usize>,
    ) -> (usize, usize) {
        let picked = (to % AGENTS, scope % SCOPES.len());
        if scope % 8 == 0 {
            return picked;
        }
        let near = (0..AGENTS).flat_map(|more| (0..SCOPES.len()).map(move |wider| (more, wider)));
        let mut near = near.map(|(more, wider)| {
            ((to % AGENTS + more) % AGENTS, (scope % SCOPES.len() + wider) % SCOPES.len())
        });
        near.find(|(to, scope)| self.may_give(from, *to, *scope, parent)).unwrap_or(picked)
    }

    /// Revokes a delegation with all below it.
    fn revoke(&mut self, which: usize) {
        for link in 0..self.given.len() {
            if self.chain(link).contains(&which) && self.given[link].until > self.now {
                self.given[link].revoked = true;
            }
        }
    }
}

/// A Guardian or two replicas of one, and the model.
struct Both {
    replicas: Vec<Api>,
    model: Model,
    asked: usize,
}

impl fmt::Debug for Both {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.model.fmt(f)
    }
}

impl Both {
    async fn new(url: &str, replicas: usize) -> Self {
        let start = Timestamp::now();
        let mut opened = Vec::new();
        for number in 0..replicas {
            let name = crate::domain::ids::new(&format!("replica_{number}_"));
            let api = open_with(|builder| builder.database(url).replica(name)).await;
            api.guardian.engine().clock.stop_at(start);
            opened.push(api);
        }
        let mut both = Self { replicas: opened, model: Model::default(), asked: 0 };
        for held in HELD {
            let id = both.replicas[0].agent(held).await;
            both.model.agents.push(Agent { id, standing: Standing::Active, floor: None });
        }
        both
    }

    /// Returns the replica whose turn it is, once it has followed.
    async fn next(&mut self) -> &Api {
        self.asked += 1;
        let api = &self.replicas[self.asked % self.replicas.len()];
        api.guardian.engine().sync().await.unwrap();
        api
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Give { from, to, scope, ttl, most } => {
                let (to, scope) = self.model.fitting((from, to, scope), None);
                self.give(from, to, (scope, ttl, most), None).await;
            }
            Step::HandOn { parent, to, scope, ttl, most } => {
                let working = self.model.working();
                // Now and then one that is over.
                let parent = match working.is_empty() || parent % 8 == 0 {
                    true if self.model.given.is_empty() => return,
                    true => parent % self.model.given.len(),
                    false => working[parent % working.len()],
                };
                let from = self.model.given[parent].to;
                let (to, scope) = self.model.fitting((from, to, scope), Some(parent));
                self.give(from, to, (scope, ttl, most), Some(parent)).await;
            }
            Step::Revoke(which) => {
                if self.model.given.is_empty() {
                    return;
                }
                let which = which % self.model.given.len();
                let path = format!("/api/v1/delegations/{}", self.model.given[which].id);
                let answer = self.next().await.ask(Method::DELETE, &path, ADMIN, None).await;
                let there = !self.model.given[which].revoked
                    && self.model.given[which].until > self.model.now;
                assert_eq!(
                    answer.status,
                    if there { 200 } else { 404 },
                    "{answer:?} {:?}",
                    self.model
                );
                self.model.revoke(which);
            }
            Step::Suspend(agent) => self.set_standing(agent, "suspend", Standing::Suspended).await,
            Step::Reactivate(agent) => {
                self.set_standing(agent, "reactivate", Standing::Active).await
            }
            // One in four: the rest would soon have nobody left.
            Step::RevokeAgent(agent) if agent < AGENTS => {
                self.set_standing(agent, "revoke", Standing::Revoked).await;
                for link in 0..self.model.given.len() {
                    let given = &self.model.given[link];
                    if given.from == agent || given.to == agent {
                        self.model.revoke(link);
                    }
                }
            }
            Step::RevokeAgent(_) => {}
            Step::Floor(agent, scope) => self.set_floor(agent, scope).await,
            Step::Pass(seconds) => {
                self.model.now += seconds;
                for api in &self.replicas {
                    api.guardian.engine().clock.advance(Duration::from_secs(seconds));
                }
            }
        }
    }

    async fn set_floor(&mut self, agent: usize, scope: Option<usize>) {
        let path = format!("/api/v1/agents/{}/floor", self.model.agents[agent].id);
        let body = match scope {
            Some(scope) => json!({ "scope_ceiling": SCOPES[scope] }),
            None => json!({ "mode": "open", "scope_ceiling": null }),
        };
        self.next().await.put(&path, ADMIN, body).await.ok();
        self.model.agents[agent].floor = scope;
    }

    async fn set_standing(&mut self, agent: usize, path: &str, standing: Standing) {
        if self.model.agents[agent].standing == Standing::Revoked {
            return;
        }
        let path = format!("/api/v1/agents/{}/{path}", self.model.agents[agent].id);
        self.next().await.post(&path, ADMIN, json!({})).await.ok();
        self.model.agents[agent].standing = standing;
    }

    async fn give(
        &mut self,
        from: usize,
        to: usize,
        (scope, ttl, most): (usize, u64, Option<u32>),
        parent: Option<usize>,
    ) {
        let outer = parent.map(|parent| self.model.given[parent].clone());
        let most_of_parent = outer.as_ref().and_then(|outer| outer.most);
        let tighter = most.is_none_or(|most| most_of_parent.is_none_or(|outer| most <= outer));
        let may = self.model.may_give(from, to, scope, parent) && tighter;
        let restrictions = most.map_or(json!({}), |most| json!({ "max_calls": most }));
        let body = json!({
            "from_agent_id": self.model.agents[from].id,
            "to_agent_id": self.model.agents[to].id,
            "scope": SCOPES[scope],
            "ttl_seconds": ttl,
            "restrictions": restrictions,
            "parent_delegation_id": outer.as_ref().map(|outer| outer.id.clone()),
        });
        let answer = self.next().await.post("/api/v1/delegations", ADMIN, body).await;
        assert_eq!(answer.status.is_success(), may, "{answer:?} {:?}", self.model);
        if !may {
            return;
        }
        let id = answer.body["delegation"]["id"].as_str().unwrap().to_owned();
        let until = self.model.now + ttl;
        let until = outer.map_or(until, |outer| until.min(outer.until));
        let given = Given { id, from, to, scope, parent, until, most, used: 0, revoked: false };
        self.model.given.push(given);
    }

    /// Asks for every delegation and every tool what the model says of it.
    async fn must_agree(&mut self, sessions: &mut Vec<Option<String>>) {
        sessions.resize(self.model.given.len(), None);
        for (which, opened) in sessions.iter_mut().enumerate() {
            let path = format!("/api/v1/delegations/{}/session", self.model.given[which].id);
            let works = self.model.works(which);
            let answer = self.next().await.post(&path, ADMIN, json!({})).await;
            assert_eq!(answer.status.is_success(), works, "{answer:?} {:?}", self.model);
            if works {
                *opened = Some(answer.text("session_id"));
            }
            let path = format!("/api/v1/delegations/{}", self.model.given[which].id);
            let read = self.next().await.get(&path, ADMIN).await.ok().body;
            let usable = works && self.model.has_calls_left(which);
            assert_eq!(read["usable"], usable, "{read} {:?}", self.model);
            assert_eq!(read.get("unusable_because").is_none(), usable, "{read}");
            // A session from before is tried again when what it came from is over.
            let Some(session) = opened.clone() else { continue };
            let agent = self.model.agents[self.model.given[which].to].id.clone();
            for tool in TOOLS {
                let answer = self.next().await.check_in(ADMIN, &agent, tool, &session).await;
                let lets = self.model.call(which, tool);
                assert_eq!(
                    answer.body["allowed"],
                    Value::Bool(lets),
                    "{tool} {answer:?} {:?}",
                    self.model
                );
                if lets {
                    self.root_may(which, tool);
                }
            }
        }
    }

    /// Checks the promise itself, apart from how the model comes to its answers.
    fn root_may(&self, which: usize, tool: &str) {
        let chain = self.model.chain(which);
        let root = self.model.given[*chain.last().unwrap()].from;
        let agents: BTreeSet<usize> =
            chain.iter().map(|link| self.model.given[*link].from).collect();
        assert!(covers(HELD[root], tool) && agents.contains(&root));
    }
}

fn try_by_force(
    url: impl Fn() -> (String, Option<tempfile::TempDir>),
    replicas: usize,
    cases: usize,
) {
    let runtime = Runtime::new().unwrap();
    let cases = u32::try_from(trials(cases)).unwrap();
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let (given, deepest) = (Cell::new(0), Cell::new(0));
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        let (url, _folder) = url();
        let both = runtime.block_on(async {
            let mut both = Both::new(&url, replicas).await;
            let mut sessions = Vec::new();
            for step in steps {
                both.take(step).await;
                both.must_agree(&mut sessions).await;
            }
            for api in &both.replicas {
                api.guardian.close().await;
            }
            both
        });
        given.set(given.get() + both.model.given.len());
        let depth = (0..both.model.given.len()).map(|which| both.model.chain(which).len()).max();
        deepest.set(deepest.get().max(depth.unwrap_or(0)));
        Ok::<(), TestCaseError>(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let (given, deepest) = (given.get(), deepest.get());
    println!("{cases} sequences, {given} delegations, chains of up to {deepest}");
    assert!(given > 0 && deepest > 1, "too little was tried to mean something");
}

#[test]
fn nobody_does_what_the_root_could_not_on_sqlite() {
    let file = || {
        let folder = tempfile::tempdir().unwrap();
        let url = folder.path().join("guardian.db").to_str().unwrap().to_owned();
        (url, Some(folder))
    };
    try_by_force(file, 1, 100);
}

#[test]
fn nobody_does_what_the_root_could_not_across_replicas_on_postgres() {
    let Some(database) = Fresh::or_skip() else { return };
    try_by_force(|| (database.url(), None), 2, 60);
}
