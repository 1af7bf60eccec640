//! `kill -9` under load, again and again: what was answered is in the audit, the chain is whole, and no
//! approval serves twice because the Guardian forgot that it was used.

use std::collections::HashSet;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, trials};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::served::{Caller, PROGRAM, Served};

/// Agents in a round, all new: what one round leaves pending does not count against the next.
const AGENTS: usize = 4;
const CLIENTS: usize = 12;
/// The number of durable answers after which a round is killed: a slow machine has proven as much as a fast one. The
/// rounds take turns in the parts of this range, so that few rounds come to its mean too.
const KILLED_AFTER: std::ops::Range<u64> = 5..105;
/// The time that a round may take to answer that often.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
/// The numbers of used approvals of a round, and of all rounds before, that are tried again.
const TRIED_AGAIN: (usize, usize) = (24, 8);

/// Random numbers that a seed repeats (SplitMix64).
#[derive(Clone, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn digest(&mut self) -> String {
        (0..4).map(|_| format!("{:016x}", self.next())).collect()
    }
}

/// An agent and its key.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) id: String,
    pub(crate) key: String,
}

/// A destructive check that an operator approved.
#[derive(Clone, Debug)]
struct Approved {
    agent: Agent,
    digest: String,
    approval: String,
}

/// The answers to clients, as far as they have to be true after the kill.
#[derive(Debug, Default)]
struct Told {
    /// Checks whose decision has to be in the audit.
    durable: Vec<String>,
    /// Plain reads, which may be answered first.
    reads: usize,
    /// Approvals whose decision was answered.
    decided: Vec<String>,
    /// Checks that were approved, and never asked for since: they must still serve.
    unused: Vec<Approved>,
    /// Checks whose approval was used: they must never serve again.
    used: Vec<Approved>,
}

/// A client that asks.
struct Client {
    caller: Caller,
    agent: Agent,
    operator: String,
    random: Random,
    told: Arc<Mutex<Told>>,
}

impl Client {
    /// Asks until there is no answer any more.
    async fn run(mut self) {
        while self.step().await.is_some() {}
    }

    async fn step(&mut self) -> Option<()> {
        match self.random.below(10) {
            0..2 => self.plain("search").await,
            2..4 => self.plain("send_mail").await,
            4 => self.denied().await,
            _ => self.approved().await,
        }
    }

    async fn plain(&mut self, tool: &str) -> Option<()> {
        let answer = self.check(tool, None).await?;
        assert_eq!(answer["allowed"], true, "{answer}");
        let event = json!({
            "event_type": "tool_end", "tool_name": tool, "duration_ms": 1, "success": true,
            "timestamp": "2026-01-02T03:04:05Z",
        });
        let body = json!({ "agent_id": self.agent.id, "session_id": "s", "events": [event] });
        let check = answer["check_id"].as_str().unwrap();
        let caller = self.caller.with("agenttrust-check-ids", check);
        post(&caller, "/api/v1/telemetry/report", &self.agent.key, &body).await.map(drop)
    }

    /// Returns a destructive call from the first question to its use.
    async fn approved(&mut self) -> Option<()> {
        let digest = self.random.digest();
        let held = self.check("db_delete", Some(&digest)).await?;
        let approval = held["approval_id"].as_str().expect("it is held").to_owned();
        self.decide(&approval, "approve").await?;
        let approved = Approved { agent: self.agent.clone(), digest, approval };
        if self.random.below(8) == 0 {
            // Left for after the kill.
            self.told.lock().unwrap().unused.push(approved);
            return Some(());
        }
        let used = self.check("db_delete", Some(&approved.digest)).await?;
        assert_eq!(used["allowed"], true, "{used}");
        assert_eq!(used["approval_id"], *approved.approval);
        self.told.lock().unwrap().used.push(approved);
        Some(())
    }

    async fn denied(&mut self) -> Option<()> {
        // A tool of its own: three denials of one, and nobody is asked any more.
        let tool = format!("db_drop_{}", self.random.next());
        let held = self.check(&tool, None).await?;
        self.decide(held["approval_id"].as_str().expect("it is held"), "deny").await?;
        let denied = self.check(&tool, None).await?;
        assert_eq!(
            (&denied["allowed"], &denied["elevation_required"]),
            (&json!(false), &json!(false))
        );
        Some(())
    }

    async fn decide(&self, approval: &str, verb: &str) -> Option<()> {
        let path = format!("/mcp/approvals/{approval}/{verb}");
        post(&self.caller, &path, &self.operator, &json!({})).await?;
        self.told.lock().unwrap().decided.push(approval.to_owned());
        Some(())
    }

    async fn check(&self, tool: &str, digest: Option<&str>) -> Option<Value> {
        let answer = check(&self.caller, &self.agent, tool, digest).await?;
        let mut told = self.told.lock().unwrap();
        if tool == "search" {
            told.reads += 1;
        } else {
            told.durable.push(answer["check_id"].as_str().unwrap().to_owned());
        }
        Some(answer)
    }
}

async fn post(caller: &Caller, path: &str, key: &str, body: &Value) -> Option<Value> {
    let (status, answer) = caller.ask("POST", path, key, body).await?;
    assert_eq!(status, 200, "{path}: {answer}");
    Some(answer)
}

/// Asks until it is decided, as a guard does: a busy machine says "not decided", and the same question joins what goes
/// on.
pub(crate) async fn check(
    caller: &Caller,
    agent: &Agent,
    tool: &str,
    digest: Option<&str>,
) -> Option<Value> {
    let body = json!({ "agent_id": agent.id, "session_id": "s", "action_name": tool });
    let caller = match digest {
        Some(digest) => caller.with("agenttrust-input-digest", digest),
        None => caller.clone(),
    };
    let caller = caller.with("idempotency-key", &Uuid::now_v7().to_string());
    loop {
        let answer = post(&caller, "/api/v1/agenttrust/check", &agent.key, &body).await?;
        let is_undecided =
            answer["reason"].as_str().is_some_and(|why| why.starts_with("not decided"));
        if !is_undecided {
            return Some(answer);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The counts of what was proven, in all rounds.
#[derive(Debug, Default)]
struct Proven {
    kills: usize,
    durable: usize,
    reads: usize,
    decided: usize,
    used: usize,
    unused: usize,
    rows: u64,
}

struct Trial {
    database: String,
    random: Random,
    served: Served,
    operator: String,
    after: u64,
    audited: HashSet<String>,
    decisions: HashSet<String>,
    used: Vec<Approved>,
    proven: Proven,
}

impl Trial {
    async fn new(database: String, random: Random) -> Self {
        let served = Served::start(&database, &[]);
        let body = json!({ "role": "operator" });
        let operator = served.caller().sure("POST", "/api/v1/keys", ADMIN, &body).await;
        Self {
            operator: operator["key"].as_str().unwrap().to_owned(),
            database,
            random,
            served,
            after: 0,
            audited: HashSet::new(),
            decisions: HashSet::new(),
            used: Vec::new(),
            proven: Proven::default(),
        }
    }

    async fn round(&mut self) {
        let told = self.load_and_kill().await;
        self.served = Served::start(&self.database, &[]);
        let caller = self.served.caller();
        let verified = caller.sure("GET", "/api/v1/audit/verify", ADMIN, &Value::Null).await;
        assert_eq!(verified["ok"], true, "{verified}");
        self.proven.rows = verified["rows"].as_u64().unwrap();
        self.read_audit(&caller).await;
        for check_id in &told.durable {
            assert!(
                self.audited.contains(check_id),
                "{check_id} was answered and is not in the audit"
            );
        }
        for approval in &told.decided {
            assert!(
                self.decisions.contains(approval),
                "{approval} was decided, says the answer, and the audit does not"
            );
        }
        self.proven.durable += told.durable.len();
        self.proven.decided += told.decided.len();
        self.proven.reads += told.reads;
        self.try_again(&caller, told).await;
    }

    async fn load_and_kill(&mut self) -> Told {
        let caller = self.served.caller();
        let mut agents = Vec::new();
        for _ in 0..AGENTS {
            let body = json!({ "name": "worker", "capabilities": ["*"] });
            let agent = caller.sure("POST", "/api/v1/agents", ADMIN, &body).await;
            let id = agent["id"].as_str().unwrap().to_owned();
            let body = json!({ "role": "agent", "agents": [id] });
            let key = caller.sure("POST", "/api/v1/keys", ADMIN, &body).await;
            agents.push(Agent { id, key: key["key"].as_str().unwrap().to_owned() });
        }
        let told = Arc::new(Mutex::new(Told::default()));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let client = Client {
                    caller: caller.clone(),
                    agent: agents[number % AGENTS].clone(),
                    operator: self.operator.clone(),
                    random: Random(self.random.next()),
                    told: Arc::clone(&told),
                };
                tokio::spawn(client.run())
            })
            .collect();
        let killed_after = self.killed_after();
        let begun = Instant::now();
        while told.lock().unwrap().durable.len() < killed_after {
            assert!(begun.elapsed() < ANSWERED_WITHIN, "{killed_after} answers: {told:?}");
            let has_ended = clients.iter().any(JoinHandle::is_finished);
            assert!(!has_ended, "a client had no answer, or a wrong one, before the kill");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.served.kill();
        self.proven.kills += 1;
        for client in clients {
            client.await.unwrap();
        }
        Arc::try_unwrap(told).unwrap().into_inner().unwrap()
    }

    /// Returns after how many durable answers this round is killed.
    fn killed_after(&mut self) -> usize {
        let part = (KILLED_AFTER.end - KILLED_AFTER.start) / ROUNDS_LEAST as u64;
        let turn = (self.proven.kills % ROUNDS_LEAST) as u64;
        let answers = KILLED_AFTER.start + turn * part + self.random.below(part);
        usize::try_from(answers).unwrap()
    }

    async fn read_audit(&mut self, caller: &Caller) {
        loop {
            let path = format!("/api/v1/audit?after={}&limit=1000", self.after);
            let page = caller.sure("GET", &path, ADMIN, &Value::Null).await;
            for entry in page["entries"].as_array().unwrap() {
                let body = &entry["body"];
                match entry["kind"].as_str().unwrap() {
                    "decision" => {
                        self.audited.insert(body["check_id"].as_str().unwrap().to_owned());
                    }
                    "approval.approved" | "approval.denied" => {
                        self.decisions.insert(body["approval_id"].as_str().unwrap().to_owned());
                    }
                    _ => {}
                }
            }
            match page["next_after"].as_u64() {
                Some(next) => self.after = next,
                None => return,
            }
        }
    }

    /// Checks whether the approvals of before still serve: once, if they never did.
    async fn try_again(&mut self, caller: &Caller, told: Told) {
        for unused in told.unused {
            let answer = ask_again(caller, &unused).await;
            assert_eq!(answer["allowed"], true, "{unused:?} was approved and is lost: {answer}");
            assert_eq!(answer["approval_id"], *unused.approval);
            self.proven.unused += 1;
            self.used.push(unused);
        }
        let (fresh, old) = TRIED_AGAIN;
        let mut again: Vec<Approved> = told.used.iter().rev().take(fresh).cloned().collect();
        self.used.extend(told.used);
        for _ in 0..old {
            let count = self.used.len() as u64;
            if count > 0 {
                let index = usize::try_from(self.random.below(count)).unwrap();
                again.push(self.used[index].clone());
            }
        }
        for used in again {
            let answer = ask_again(caller, &used).await;
            assert_eq!(answer["allowed"], false, "{used:?} serves again: {answer}");
            assert_ne!(answer["approval_id"], *used.approval);
            self.proven.used += 1;
        }
    }

    /// Returns what was proven, with the program's own word on a file's log, once no program writes to it.
    fn end(mut self) -> Proven {
        self.served.kill();
        if self.database.starts_with("postgres") {
            return self.proven;
        }
        let verified = Command::new(PROGRAM)
            .args(["audit", "verify", "--database", &self.database])
            .output()
            .unwrap();
        assert!(verified.status.success(), "{verified:?}");
        self.proven
    }
}

async fn ask_again(caller: &Caller, approved: &Approved) -> Value {
    let digest = Some(approved.digest.as_str());
    check(caller, &approved.agent, "db_delete", digest).await.expect("it is served")
}

/// The number of rounds in which each part of [`KILLED_AFTER`] had its turn.
const ROUNDS_LEAST: usize = 5;

/// Kills as often as `rounds` says, in a long trial.
async fn kill(database: String, rounds: usize) {
    let rounds = trials(rounds).max(ROUNDS_LEAST);
    let seed = match std::env::var("AGENTTRUST_TRIAL_SEED") {
        Ok(seed) => seed.parse().expect("AGENTTRUST_TRIAL_SEED is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64,
    };
    println!("AGENTTRUST_TRIAL_SEED={seed}");
    let begun = Instant::now();
    let mut trial = Trial::new(database, Random(seed)).await;
    for _ in 0..rounds {
        trial.round().await;
    }
    let proven = trial.end();
    println!("{:?}: {proven:?}", begun.elapsed());
    assert_eq!(proven.kills, rounds);
    // Fewer would mean that the load was none.
    assert!(proven.durable >= 10 * rounds, "{proven:?}");
    assert!(proven.decided >= 3 * rounds, "{proven:?}");
    assert!(proven.used >= 3 * rounds, "{proven:?}");
    assert!(proven.unused >= rounds / 5, "{proven:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_kill_9_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    kill(folder.path().join("guardian.db").to_str().unwrap().to_owned(), 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_kill_9_on_postgres() {
    if let Some(database) = Fresh::or_skip() {
        kill(database.url(), 15).await;
    }
}
