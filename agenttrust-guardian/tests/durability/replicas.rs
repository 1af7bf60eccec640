//! Two Guardians on one PostgreSQL, each a process of its own, on a connection of its own that can be cut. What one
//! learns the other one knows, neither decides alone what takes both, and nothing is lost.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::proxy::{Proxy, Wire};
use agenttrust_testkit::{ADMIN, eventually_within, is_long};
use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::served::{Caller, Served};

/// The limit for a test that would hang.
const NEVER: Duration = Duration::from_secs(20);
/// The time by which a replica without its database has to deny: it trusts its memory for two seconds, and a busy
/// machine may be late.
const DENIES_WITHIN: Duration = Duration::from_secs(4);
/// The time in which a change is promised to reach the other replica.
const PROMISED: Duration = Duration::from_secs(1);

/// Two replicas and their wires.
struct Pair {
    proxies: [Proxy; 2],
    served: [Served; 2],
    // Dropped last.
    database: Fresh,
}

impl Pair {
    async fn or_skip() -> Option<Self> {
        let database = Fresh::or_skip()?;
        let proxies =
            [Proxy::before(database.address()).await, Proxy::before(database.address()).await];
        let start = |which: usize| {
            let url = database.url_by(proxies[which].address);
            tokio::task::block_in_place(|| Served::start(&url, &["--replica", NAMES[which]]))
        };
        let served = [start(0), start(1)];
        Some(Self { proxies, served, database })
    }

    fn replica(&self, which: usize) -> Replica {
        Replica(self.served[which].caller())
    }

    fn restart(&mut self, which: usize) {
        let url = self.database.url_by(self.proxies[which].address);
        self.served[which] =
            tokio::task::block_in_place(|| Served::start(&url, &["--replica", NAMES[which]]));
    }
}

const NAMES: [&str; 2] = ["one", "two"];

/// Asks one of them.
#[derive(Clone)]
pub(crate) struct Replica(pub(crate) Caller);

/// An agent and its key.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    id: String,
    key: String,
    key_id: String,
}

impl Replica {
    async fn get(&self, path: &str) -> Value {
        self.0.sure("GET", path, ADMIN, &Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.0.sure("POST", path, ADMIN, &body).await
    }

    pub(crate) async fn agent(&self) -> Agent {
        let body = json!({ "name": "worker", "capabilities": ["*"] });
        let id = text(&self.post("/api/v1/agents", body).await, "id");
        let key = self.key("agent", &[&id]).await;
        Agent { id, key: text(&key, "key"), key_id: text(&key, "id") }
    }

    pub(crate) async fn key(&self, role: &str, agents: &[&str]) -> Value {
        self.post("/api/v1/keys", json!({ "role": role, "agents": agents })).await
    }

    async fn revoke_key(&self, id: &str) {
        self.0.sure("DELETE", &format!("/api/v1/keys/{id}"), ADMIN, &Value::Null).await;
    }

    pub(crate) async fn revoke_agent(&self, agent: &Agent) {
        let path = format!("/api/v1/agents/{}/revoke", agent.id);
        self.post(&path, json!({ "reason": "a trial" })).await;
    }

    /// Status and answer of a check; `None` when there is no answer.
    pub(crate) async fn try_check(&self, agent: &Agent, tool: &str) -> Option<(u16, Value)> {
        let body = json!({ "agent_id": agent.id, "session_id": "s", "action_name": tool });
        self.0.ask("POST", "/api/v1/agenttrust/check", &agent.key, &body).await
    }

    pub(crate) async fn check(&self, agent: &Agent, tool: &str) -> Value {
        let (status, answer) = self.try_check(agent, tool).await.expect("no answer");
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub(crate) async fn allows(&self, agent: &Agent, tool: &str) -> bool {
        let answer = self.try_check(agent, tool).await;
        answer.is_some_and(|(status, answer)| status == 200 && answer["allowed"] == true)
    }

    async fn held(&self, agent: &Agent, tool: &str) -> String {
        text(&self.check(agent, tool).await, "approval_id")
    }

    async fn approve(&self, key: &str, approval: &str) {
        let path = format!("/mcp/approvals/{approval}/approve");
        self.0.sure("POST", &path, key, &json!({})).await;
    }

    /// Returns the checks that this replica's log says were decided; the log must be whole.
    pub(crate) async fn audited(&self) -> HashSet<String> {
        let verified = self.get("/api/v1/audit/verify").await;
        assert_eq!(verified["ok"], true, "{verified}");
        let (mut after, mut found) = (0, HashSet::new());
        loop {
            let page = self.get(&format!("/api/v1/audit?after={after}&limit=1000")).await;
            for entry in page["entries"].as_array().unwrap() {
                found.extend(entry["body"]["check_id"].as_str().map(str::to_owned));
            }
            match page["next_after"].as_u64() {
                Some(next) => after = next,
                None => return found,
            }
        }
    }
}

pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field}: {value}")).to_owned()
}

/// Returns how long until `happens` says so.
async fn until(what: &str, happens: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    eventually_within(NEVER, format!("{what} does not happen"), happens).await;
    begun.elapsed()
}

/// The time that each kind of change took to the other replica.
#[derive(Default)]
struct Latencies(Vec<(&'static str, Duration)>);

impl Latencies {
    /// Prints the longest of each kind, and fails if the middle one of all broke the promise: a machine
    /// that is busy may be late once.
    fn must_keep_the_promise(mut self, how: &str) {
        self.0.sort_by_key(|(kind, took)| (*kind, *took));
        for same in self.0.chunk_by(|one, other| one.0 == other.0) {
            let (kind, longest) = same[same.len() - 1];
            println!(
                "{how}: {kind}: {longest:?} at most, {:?} in the middle",
                same[same.len() / 2].1
            );
        }
        let mut all: Vec<Duration> = self.0.iter().map(|(_, took)| *took).collect();
        all.sort_unstable();
        assert!(all[all.len() / 2] < PROMISED, "{all:?}");
    }
}

/// Makes one change of each kind at one replica and sees when the other one goes by it.
async fn measure(pair: &Pair, latencies: &mut Latencies) {
    let (near, far) = (pair.replica(0), pair.replica(1));
    let mut took = |kind, took| latencies.0.push((kind, took));

    let agent = near.agent().await;
    took("new agent and key", until("a new agent", || far.allows(&agent, "search")).await);

    near.revoke_key(&agent.key_id).await;
    let refused = || async { far.try_check(&agent, "search").await.unwrap().0 == 401 };
    took("key revoked", until("a revoked key is refused", refused).await);

    let agent = far.agent().await;
    until("a new agent", || near.allows(&agent, "search")).await;
    let body = json!({ "agent_id": agent.id, "scopes": ["search"] });
    let issued = near.post("/api/v1/agent-tokens/issue", body).await;
    let token = json!({ "token": issued["token"] });
    let active = || async {
        let path = "/api/v1/agent-tokens/introspect";
        far.post(path, token.clone()).await["active"] == true
    };
    took("token issued", until("a token works", active).await);
    let revoked = json!({ "token": issued["token"], "reason": "a trial" });
    near.post("/api/v1/agent-tokens/revoke", revoked).await;
    took("token revoked", until("a revoked token is refused", || async { !active().await }).await);

    let body = json!({ "agent_id": agent.id, "server_id": "files" });
    let session = text(&near.post("/mcp/sessions/init", body).await, "session_id");
    let enters = || async {
        let body = json!({ "agent_id": agent.id, "session_id": session, "action_name": "search" });
        far.post("/api/v1/agenttrust/check", body).await["allowed"] == true
    };
    took("session begun", until("a session is open", enters).await);

    let path = "/api/v1/tools/frobnicate/effect";
    near.0.sure("PUT", path, ADMIN, &json!({ "effect": "admin" })).await;
    let is_held = || async { far.check(&agent, "frobnicate").await["elevation_required"] == true };
    took("effect set", until("an effect is known", is_held).await);
    near.0.sure("PUT", path, ADMIN, &json!({ "effect": "read" })).await;
    took("effect set", until("an effect is known", || far.allows(&agent, "frobnicate")).await);

    let approval = far.held(&agent, "db_delete").await;
    let path = format!("/mcp/approvals/{approval}?wait=30");
    let waiting = async {
        let decided = far.get(&path).await;
        assert_eq!(decided["status"], "approved", "{decided}");
        Instant::now()
    };
    let deciding = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        near.approve(ADMIN, &approval).await;
        Instant::now()
    };
    let (heard, decided) = join(waiting, deciding).await;
    took("approval decided", heard.saturating_duration_since(decided));
    assert!(far.allows(&agent, "db_delete").await, "an approval serves wherever it was given");
    assert!(!near.allows(&agent, "db_delete").await, "and once");

    near.revoke_agent(&agent).await;
    let denied = || async { !far.allows(&agent, "search").await };
    took("agent revoked", until("a revoked agent is denied", denied).await);
}

/// Measures the same for what was issued and opened, and for what is read with a key that is revoked.
async fn measure_issued(pair: &Pair, latencies: &mut Latencies) {
    let (near, far) = (pair.replica(0), pair.replica(1));
    let mut took = |kind, took| latencies.0.push((kind, took));
    let agent = near.agent().await;
    let body = json!({ "agent_id": agent.id, "server_id": "files" });
    let session = text(&near.post("/mcp/sessions/init", body).await, "session_id");
    let enters = || async {
        let body = json!({ "agent_id": agent.id, "session_id": session, "action_name": "search" });
        let answer = far.0.ask("POST", "/api/v1/agenttrust/check", ADMIN, &body).await.unwrap();
        answer.1["allowed"] == true
    };
    until("a session is open", enters).await;
    near.post(&format!("/api/v1/sessions/{session}/revoke"), json!({})).await;
    took("session revoked", until("a session is over", || async { !enters().await }).await);

    let key = near.key("agent", &[&agent.id]).await;
    let issue = json!({ "agent_id": agent.id, "scopes": ["search"] });
    let path = "/api/v1/agent-tokens/issue";
    let issued = near.0.sure("POST", path, &text(&key, "key"), &issue).await;
    let token = json!({ "token": issued["token"] });
    let active = || async {
        let path = "/api/v1/agent-tokens/introspect";
        far.post(path, token.clone()).await["active"] == true
    };
    until("a token works", active).await;
    let path = format!("/api/v1/keys/{}", text(&key, "id"));
    let gone = near.0.sure("DELETE", &path, ADMIN, &json!({ "reason": "compromised" })).await;
    assert_eq!((&gone["tokens"], &gone["durable"]), (&json!(1), &json!(true)), "{gone}");
    took("key compromised", until("its token is refused", || async { !active().await }).await);
    // It is not memory alone that says so.
    let listed = far.get(&format!("/api/v1/agent-tokens?key_id={}", text(&key, "id"))).await;
    assert_eq!(listed["tokens"][0]["state"], "revoked", "{listed}");

    let reader = near.key("auditor", &[]).await;
    let (id, reader) = (text(&reader, "id"), text(&reader, "key"));
    let approval = near.held(&agent, "db_drop").await;
    let known = || async {
        far.0.ask("GET", "/api/v1/agents", &reader, &Value::Null).await.unwrap().0 == 200
    };
    until("a new key", known).await;
    let path = format!("/mcp/approvals/{approval}?wait=30");
    let waiting = async {
        let (status, answer) = far.0.ask("GET", &path, &reader, &Value::Null).await.unwrap();
        assert_eq!(status, 401, "{answer}");
        Instant::now()
    };
    let revoking = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        near.revoke_key(&id).await;
        Instant::now()
    };
    let (ended, revoked) = join(waiting, revoking).await;
    took("long poll ended", ended.saturating_duration_since(revoked));
}

/// Measures the same for an agent that changes, with a token and a session that live.
async fn measure_changed(pair: &Pair, latencies: &mut Latencies) {
    let (near, far) = (pair.replica(0), pair.replica(1));
    let mut took = |kind, took| latencies.0.push((kind, took));
    let agent = near.agent().await;
    until("a new agent", || far.allows(&agent, "search")).await;
    let change = async |body: Value| {
        near.0.sure("PATCH", &format!("/api/v1/agents/{}", agent.id), ADMIN, &body).await;
    };
    let body = json!({ "agent_id": agent.id, "server_id": "files" });
    let session = text(&near.post("/mcp/sessions/init", body).await, "session_id");
    let body = json!({ "agent_id": agent.id, "scopes": ["*"] });
    let token = near.post("/api/v1/agent-tokens/issue", body).await["token"].clone();
    let enters = || async {
        let body = json!({ "agent_id": agent.id, "session_id": session, "action_name": "search" });
        far.post("/api/v1/agenttrust/check", body).await["allowed"] == true
    };
    let carries = || async {
        let body = json!({ "token": token, "required_scopes": ["search"] });
        far.post("/api/v1/agent-tokens/introspect", body).await["active"] == true
    };
    until("a session is open", enters).await;
    until("a token works", carries).await;
    change(json!({ "capabilities": ["fetch"] })).await;
    let narrowed = || async { !enters().await && !carries().await };
    took("capability withdrawn", until("what lives is narrower", narrowed).await);

    change(json!({ "grant": ["search"] })).await;
    let granted = || far.allows(&agent, "search");
    took("capability granted", until("an agent may do more", granted).await);
    assert!(!enters().await && !carries().await, "what lived meanwhile widened");
    let body = json!({ "agent_id": agent.id, "scopes": ["search"] });
    far.post("/api/v1/agent-tokens/issue", body).await;

    change(json!({ "name": "clerk", "groups": ["ops"] })).await;
    let named = || async {
        let found = far.get(&format!("/api/v1/agents/{}", agent.id)).await;
        found["name"] == "clerk" && found["metadata"]["groups"] == json!(["ops"])
    };
    took("agent renamed", until("an agent has another name", named).await);

    let other = near.agent().await;
    until("a new agent", || far.allows(&other, "tickle")).await;
    let body = json!({ "tools": [{ "name": "tickle", "effect": "admin" }] });
    change(json!({ "grant": ["tickle"] })).await;
    until("an agent may do more", || far.allows(&agent, "tickle")).await;
    near.0.sure("PUT", "/api/v1/tools", &agent.key, &body).await;
    let is_held = || async { far.check(&agent, "tickle").await["elevation_required"] == true };
    took("effect raised", until("what an agent raised is known", is_held).await);
    assert!(far.allows(&other, "tickle").await, "an agent raised for itself alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_is_told_the_other_knows_within_a_second() {
    let Some(pair) = Pair::or_skip().await else { return };
    let mut latencies = Latencies::default();
    let rounds = if is_long() { 5 } else { 2 };
    for _ in 0..rounds {
        measure(&pair, &mut latencies).await;
        measure_issued(&pair, &mut latencies).await;
        measure_changed(&pair, &mut latencies).await;
    }
    latencies.must_keep_the_promise("notified");
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_notifications_are_made_up_for_within_a_second() {
    let Some(pair) = Pair::or_skip().await else { return };
    pair.proxies.iter().for_each(|proxy| proxy.lose_notifications(true));
    let mut latencies = Latencies::default();
    let rounds = if is_long() { 5 } else { 2 };
    for _ in 0..rounds {
        measure(&pair, &mut latencies).await;
        measure_issued(&pair, &mut latencies).await;
        measure_changed(&pair, &mut latencies).await;
    }
    let lost: u64 = pair.proxies.iter().map(Proxy::lost_notifications).sum();
    assert!(lost >= 4 * rounds, "{lost} notifications were lost, so the others were heard");
    println!("{lost} notifications lost");
    latencies.must_keep_the_promise("polled");
}

/// Takes the database from the second replica, lets the world go on, and gives it back.
async fn part(pair: &Pair, wire: Wire) {
    let (near, far) = (pair.replica(0), pair.replica(1));
    let (good, bad, keyless) = (near.agent().await, near.agent().await, near.agent().await);
    let operator = text(&near.key("operator", &[]).await, "key");
    for agent in [&good, &bad, &keyless] {
        until("the other replica knows all agents", || far.allows(agent, "send_mail")).await;
    }
    let approval = near.held(&good, "db_delete").await;

    pair.proxies[1].set(wire);
    let parted = Instant::now();
    let mut allowed: Vec<String> = Vec::new();
    // Reads may be allowed for as long as memory is trusted. What they were told must be true later.
    let denies = async || {
        let (status, answer) = far.try_check(&good, "search").await.expect("it answers");
        assert_eq!(status, 200, "{answer}");
        answer["allowed"] != true
    };
    eventually_within(DENIES_WITHIN, "a replica without a database goes on", denies).await;
    println!("{wire:?}: denies after {:?}", parted.elapsed());
    near.revoke_agent(&bad).await;
    near.revoke_key(&keyless.key_id).await;
    near.approve(&operator, &approval).await;
    let answers = join_all(
        ["search", "send_mail", "db_delete", "db_drop"].repeat(3).into_iter().map(async |tool| {
            let begun = Instant::now();
            let (status, answer) = far.try_check(&good, tool).await.expect("it answers");
            assert_eq!(status, 200, "{answer}");
            assert!(begun.elapsed() < NEVER, "{tool} hangs");
            answer
        }),
    );
    for answer in answers.await {
        assert_eq!(answer["allowed"], false, "{answer}");
    }
    let (_, health) = far.0.ask("GET", "/health", "", &Value::Null).await.expect("it answers");
    assert_ne!(health["status"], "healthy", "{health}");
    for tool in ["search", "send_mail"] {
        allowed.push(text(&near.check(&good, tool).await, "check_id"));
    }

    // Memory is trusted for two seconds. After that it is used again only once it has caught up.
    tokio::time::sleep(Duration::from_millis(2_500).saturating_sub(parted.elapsed())).await;
    assert!(!far.allows(&good, "search").await);
    pair.proxies[1].set(Wire::Whole);
    let healed = until("it heals", || far.allows(&good, "send_mail")).await;
    println!("{wire:?}: heals after {healed:?}");
    assert!(!far.allows(&bad, "search").await, "what was revoked meanwhile is known at once");
    assert_eq!(far.try_check(&keyless, "search").await.unwrap().0, 401);
    let both = join(far.allows(&good, "db_delete"), near.allows(&good, "db_delete")).await;
    assert!(both.0 != both.1, "an approval of meanwhile serves once: {both:?}");
    let (_, health) = far.0.ask("GET", "/health", "", &Value::Null).await.unwrap();
    assert_eq!(health["status"], "healthy", "{health}");
    let audited = near.audited().await;
    assert!(allowed.iter().all(|check| audited.contains(check)));
    far.audited().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_that_hears_nothing_from_the_database_denies_and_heals() {
    let Some(pair) = Pair::or_skip().await else { return };
    for _ in 0..2 {
        part(&pair, Wire::Silent).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replica_that_is_cut_off_from_the_database_denies_and_heals() {
    let Some(pair) = Pair::or_skip().await else { return };
    for _ in 0..2 {
        part(&pair, Wire::Cut).await;
    }
}

/// The answers to one of the clients that ask.
#[derive(Default)]
struct Told {
    /// Checks whose decision has to be in the audit.
    durable: Vec<String>,
    /// Approvals by which a check was allowed.
    used: Vec<String>,
}

/// Asks both replicas at once for what one approval allows, until the first one is gone.
async fn race(replicas: [Replica; 2], agent: Agent, operator: String) -> [Told; 2] {
    let mut told = [Told::default(), Told::default()];
    for number in 0.. {
        let tool = format!("db_drop_{number}");
        let held = [&replicas[number % 2], &replicas[(number + 1) % 2]];
        let Some((_, answer)) = held[0].try_check(&agent, &tool).await else { break };
        told[number % 2].durable.push(text(&answer, "check_id"));
        let approval = text(&answer, "approval_id");
        let path = format!("/mcp/approvals/{approval}/approve");
        let decided = held[1].0.ask("POST", &path, &operator, &json!({})).await;
        if decided.is_none() {
            break;
        }
        let asks = [0, 1, 0, 1]
            .map(async |which: usize| (which, replicas[which].try_check(&agent, &tool).await));
        let mut gone = false;
        for (which, answer) in join_all(asks).await {
            let Some((status, answer)) = answer else {
                gone = true;
                continue;
            };
            assert_eq!(status, 200, "{answer}");
            told[which].durable.push(text(&answer, "check_id"));
            if answer["allowed"] == true {
                assert_eq!(answer["approval_id"], *approval);
                told[which].used.push(approval.clone());
            }
        }
        if gone {
            break;
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_replica_takes_nothing_with_it() {
    let Some(mut pair) = Pair::or_skip().await else { return };
    let (mut durable, mut used) = (0, 0);
    for _ in 0..5 {
        let (one, two) = (pair.replica(0), pair.replica(1));
        let operator = text(&one.key("operator", &[]).await, "key");
        let mut racing = Vec::new();
        for _ in 0..4 {
            let agent = one.agent().await;
            until("the other replica knows the agent", || two.allows(&agent, "search")).await;
            racing.push(tokio::spawn(race([one.clone(), two.clone()], agent, operator.clone())));
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        pair.served[0].kill();
        let survivor = two.agent().await;
        assert!(two.allows(&survivor, "send_mail").await, "the other one goes on");
        let told: Vec<[Told; 2]> =
            join_all(racing).await.into_iter().map(|told| told.unwrap()).collect();
        pair.restart(0);
        let audited = [pair.replica(0).audited().await, two.audited().await];
        let mut once = HashSet::new();
        for (which, told) in told.iter().flat_map(|told| told.iter().enumerate()) {
            for check in &told.durable {
                assert!(audited[which].contains(check), "{check} was answered by {}", NAMES[which]);
            }
            for approval in &told.used {
                assert!(once.insert(approval), "{approval} served twice");
            }
            durable += told.durable.len();
            used += told.used.len();
        }
    }
    println!("{durable} answers, {used} approvals used");
    assert!(durable > 50 && used > 10, "{durable} answers, {used} approvals used");
}

/// What is asked for on one replica is not decided on the other with a key of the requester's making, whichever comes
/// first.
#[tokio::test(flavor = "multi_thread")]
async fn makers_are_known_on_every_replica_however_vote_and_question_meet() {
    let Some(pair) = Pair::or_skip().await else { return };
    let (near, far) = (pair.replica(0), pair.replica(1));
    let maker = text(&near.key("admin", &[]).await, "key");
    let body = json!({ "role": "operator" });
    let child = text(&near.0.sure("POST", "/api/v1/keys", &maker, &body).await, "key");
    for round in 0..20 {
        let agent = near.agent().await;
        until("a new agent", || far.allows(&agent, "search")).await;
        let approval = near.held(&agent, "db_delete").await;
        // The same question, asked with the agent's key and with its maker's.
        let asked = Agent { key: maker.clone(), ..agent.clone() };
        let path = format!("/mcp/approvals/{approval}/approve");
        let vote = json!({});
        let vote = near.0.ask("POST", &path, &child, &vote);
        let ((status, said), answer) =
            join(async { vote.await.unwrap() }, far.check(&asked, "db_delete")).await;
        assert!(status == 200 || status == 403, "round {round}: {said}");
        assert_eq!(answer["allowed"], false, "round {round}: {answer}");
        assert!(!near.allows(&agent, "db_delete").await, "round {round}: voted {status}");
        assert!(!far.allows(&agent, "db_delete").await, "round {round}: voted {status}");
    }
}
