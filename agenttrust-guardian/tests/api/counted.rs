//! Counts are exact: of the calls of a session, what a limit lets through, what is reported of a check, and the denials
//! of an agent. That holds on SQLite with one Guardian and on PostgreSQL with two.

use std::collections::HashSet;
use std::time::Duration;

use agenttrust_guardian::policy::PolicySet;
use agenttrust_guardian::{Guardian, Role};
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::{ADMIN, Answer, eventually};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Api;

const ALLOW: &str = r#"@id("all") permit (principal, action, resource);"#;

/// A database, and the Guardians on it.
struct Site {
    guardians: Vec<Api>,
    policies: PolicySet,
    url: String,
    // Dropped last.
    _folder: Option<TempDir>,
    database: Option<Fresh>,
}

impl Site {
    /// Returns one on SQLite, and one on PostgreSQL if there is any.
    async fn all(policies: &str) -> Vec<Self> {
        let policies = PolicySet::parse("test.cedar", policies).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut sites = vec![Self {
            guardians: Vec::new(),
            policies: policies.clone(),
            url: folder.path().join("guardian.db").to_str().unwrap().to_owned(),
            _folder: Some(folder),
            database: None,
        }];
        if let Some(database) = Fresh::or_skip() {
            let url = database.url();
            let (guardians, database) = (Vec::new(), Some(database));
            sites.push(Self { guardians, policies, url, _folder: None, database });
        }
        for site in &mut sites {
            site.open().await;
        }
        sites
    }

    async fn open(&mut self) {
        let names: &[&str] = if self.database.is_some() { &["one", "two"] } else { &["one"] };
        for name in names {
            let builder = Guardian::builder()
                .admin_key(ADMIN)
                .database(&self.url)
                .replica(*name)
                // What is counted is counted however long it takes.
                .check_deadline(Duration::from_secs(30))
                .policy_set(self.policies.clone());
            let guardian = builder.build().await.unwrap();
            self.guardians.push(Api::new(guardian, Guardian::router));
        }
    }

    async fn restart(&mut self) {
        for api in self.guardians.drain(..) {
            api.guardian.close().await;
        }
        self.open().await;
    }

    fn one(&self) -> &Api {
        &self.guardians[0]
    }

    /// Returns the first on SQLite, the second on PostgreSQL.
    fn other(&self) -> &Api {
        self.guardians.last().unwrap()
    }

    /// Returns an agent that every Guardian knows, and its key.
    async fn agent(&self, capabilities: &[&str]) -> (String, String) {
        let agent = self.one().agent(capabilities).await;
        let key = self.one().key(Role::Agent, &[&agent]).await;
        for api in &self.guardians {
            is_known(api, &format!("/api/v1/agents/{agent}"), &key).await;
        }
        (agent, key)
    }

    /// Returns as many checks at once as there are tools, spread over all Guardians.
    async fn check_all(&self, key: &str, bodies: Vec<Value>) -> Vec<Answer> {
        let all = bodies.into_iter().enumerate().map(|(place, body)| {
            let api = &self.guardians[place % self.guardians.len()];
            api.check_as(key, body)
        });
        join_all(all).await
    }

    /// Returns the rows of this kind in every log.
    async fn audit(&self, kind: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        for api in &self.guardians {
            rows.extend(api.audit(kind).await);
        }
        rows
    }
}

fn is_allowed(answer: &Answer) -> bool {
    answer.body["allowed"] == true
}

/// Waits until this Guardian knows of what another one may have made: within a second it does by itself.
async fn is_known(api: &Api, path: &str, key: &str) {
    let known = async || api.get(path, key).await.status == 200;
    eventually(format!("{path} is not known"), known).await;
}

// Sessions.

#[tokio::test(flavor = "multi_thread")]
async fn counters_of_a_session_equal_the_rows_of_the_audit_also_after_a_restart() {
    for mut site in Site::all(ALLOW).await {
        let (agent, key) = site.agent(&["*"]).await;
        let ceiling = json!({ "scope_ceiling": ["search", "send_mail"] });
        let session = site.one().session(&key, &agent, ceiling).await.ok().text("session_id");
        let path = format!("/mcp/sessions/{session}");
        for api in &site.guardians {
            is_known(api, &path, &key).await;
        }
        let tools = ["search", "send_mail", "get_secret"].into_iter().cycle().take(90);
        let body = |tool| json!({ "agent_id": agent, "action_name": tool, "session_id": session });
        site.check_all(&key, tools.map(body).collect()).await;
        for round in ["before", "after"] {
            for api in &site.guardians {
                // Each brings its own to the disk.
                api.get(&path, &key).await.ok();
            }
            let rows = site.audit("decision").await;
            let of_session: HashSet<_> = rows
                .iter()
                .filter(|row| row["body"]["session_id"] == *session)
                .map(|row| row["body"]["check_id"].to_string())
                .collect();
            assert_eq!(of_session.len(), 90, "{round}");
            for api in &site.guardians {
                let shown = api.get(&path, &key).await.ok().body;
                let counted = ["total_calls", "read_calls", "write_calls", "denied_calls"];
                assert_eq!(
                    counted.map(|counter| shown[counter].as_u64().unwrap()),
                    [90, 60, 30, 30],
                    "{round}: {shown}"
                );
                assert!(shown["last_activity_at"].as_str() >= shown["created_at"].as_str());
            }
            site.restart().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn floor_holds_in_every_kind_of_session_and_one_that_was_not_issued_is_denied() {
    for site in Site::all(ALLOW).await {
        let (agent, key) = site.agent(&["*"]).await;
        let issued = site.one().session(&key, &agent, json!({})).await.ok().text("session_id");
        let floor = json!({ "mode": "restricted", "scope_ceiling": ["files:*"] });
        site.other().put(&format!("/api/v1/agents/{agent}/floor"), ADMIN, floor).await.ok();
        let api = site.other();
        is_known(api, &format!("/mcp/sessions/{issued}"), &key).await;
        for session in [issued.as_str(), "my-own", ""] {
            api.check_in(&key, &agent, "files:get", session).await.allowed();
            api.check_in(&key, &agent, "mail:send", session).await.denied("mail:send");
        }
        api.check_in(&key, &agent, "files:get", "ats_made_up").await.denied("not open");
    }
}

// Limits.

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_lets_exactly_so_many_through_however_many_ask_at_once() {
    let policy =
        r#"@id("few") @reason("be slow") @limit("60/1h") permit (principal, action, resource);"#;
    for site in Site::all(policy).await {
        let (agent, key) = site.agent(&["*"]).await;
        let body = json!({ "agent_id": agent, "action_name": "search" });
        let answers = site.check_all(&key, vec![body; 200]).await;
        let (allowed, denied): (Vec<_>, Vec<_>) = answers.iter().partition(|one| is_allowed(one));
        assert_eq!(allowed.len(), 60);
        for answer in denied {
            answer.denied("policy `few`: be slow").denied("60 calls in 1h").denied("until 20");
        }
        // Another agent has its own.
        let (agent, key) = site.agent(&["*"]).await;
        site.other().check(&key, &agent, "search").await.allowed();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_used_up_stays_so_through_a_restart() {
    let policy = r#"@id("few") @limit("2/1h") permit (principal, action, resource);"#;
    for mut site in Site::all(policy).await {
        let (agent, key) = site.agent(&["*"]).await;
        site.one().check(&key, &agent, "search").await.allowed();
        site.restart().await;
        site.other().check(&key, &agent, "search").await.allowed();
        site.restart().await;
        for api in &site.guardians {
            api.check(&key, &agent, "search").await.denied("policy `few`");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_one_of_several_limits_has_no_room_nothing_is_used_up_of_the_others() {
    let policies = r#"
        @id("all") @limit("5/1h") permit (principal, action, resource);
        @id("reads") @limit("1/1h") permit (principal, action == Action::"read", resource);
    "#;
    for site in Site::all(policies).await {
        let (agent, key) = site.agent(&["*"]).await;
        let api = site.one();
        api.check(&key, &agent, "search").await.allowed();
        for _ in 0..10 {
            api.check(&key, &agent, "search").await.denied("policy `reads`");
        }
        for _ in 0..4 {
            api.check(&key, &agent, "send_mail").await.allowed();
        }
        api.check(&key, &agent, "send_mail").await.denied("policy `all`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_call_counts_when_it_runs_and_without_room_its_approval_stays() {
    let policy = r#"@id("drop") @elevate @limit("1/1h") permit (principal, action, resource);"#;
    for site in Site::all(policy).await {
        let (agent, key) = site.agent(&["*"]).await;
        let api = site.one();
        let approval = api.check(&key, &agent, "db_delete").await.held();
        for _ in 0..3 {
            assert_eq!(api.check(&key, &agent, "db_delete").await.held(), approval);
        }
        api.approve(ADMIN, &approval).await.ok();
        api.check(&key, &agent, "db_delete").await.allowed();
        let approval = api.check(&key, &agent, "db_delete").await.held();
        api.approve(ADMIN, &approval).await.ok();
        api.check(&key, &agent, "db_delete").await.denied("policy `drop`");
        assert_eq!(api.approval(&approval).await["status"], "approved");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_is_repeated_under_its_idempotency_key_counts_once() {
    let policy = r#"@id("few") @limit("2/1h") permit (principal, action, resource);"#;
    for site in Site::all(policy).await {
        let (agent, key) = site.agent(&["*"]).await;
        let body = json!({ "agent_id": agent, "action_name": "search" });
        for _ in 0..5 {
            let headers = [("idempotency-key", "the-same")];
            site.one().check_with(&key, &headers, body.clone()).await.allowed();
        }
        site.one().check_as(&key, body.clone()).await.allowed();
        site.one().check_as(&key, body).await.denied("policy `few`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_session_that_was_issued_has_a_budget_of_its_own() {
    let policy = r#"@id("few") @limit("1/1h per session") permit (principal, action, resource);"#;
    for site in Site::all(policy).await {
        let (agent, key) = site.agent(&["*"]).await;
        let api = site.one();
        for _ in 0..2 {
            let session = api.session(&key, &agent, json!({})).await.ok().text("session_id");
            api.check_in(&key, &agent, "search", &session).await.allowed();
            api.check_in(&key, &agent, "search", &session).await.denied(&session);
        }
        api.check_in(&key, &agent, "search", "my-own").await.allowed();
        api.check_in(&key, &agent, "search", "another").await.denied(&agent);
        api.check(&key, &agent, "search").await.denied(&agent);
    }
}

// Reports.

async fn report(api: &Api, key: &str, agent: &str, event_type: &str, check_id: &str) -> Answer {
    let event = json!({ "event_type": event_type, "tool_name": "search", "success": true });
    let body = json!({ "agent_id": agent, "session_id": "", "events": [event] });
    let headers = [("agenttrust-check-ids", check_id)];
    api.with(&headers).post("/api/v1/telemetry/report", key, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_believed_by_whichever_guardian_it_reaches_and_once() {
    for mut site in Site::all(ALLOW).await {
        let (agent, key) = site.agent(&["*"]).await;
        let check = site.one().check(&key, &agent, "search").await.allowed().text("check_id");
        let again = site.one().check(&key, &agent, "search").await.allowed().text("check_id");
        report(site.other(), &key, &agent, "tool_start", &check).await.ok();
        assert_eq!(site.audit("outcome").await.len(), 0, "it has not ended");
        let all = (0..20).map(|n| {
            let api = &site.guardians[n % site.guardians.len()];
            report(api, &key, &agent, "tool_end", &check)
        });
        for answer in join_all(all).await {
            answer.ok();
        }
        assert_eq!(site.audit("outcome").await.len(), 1);
        site.restart().await;
        for api in &site.guardians {
            report(api, &key, &agent, "tool_end", &check).await.ok();
            report(api, &key, &agent, "tool_end", &again).await.ok();
        }
        let outcomes = site.audit("outcome").await;
        let of: HashSet<_> =
            outcomes.iter().map(|row| row["body"]["check_id"].to_string()).collect();
        assert_eq!((outcomes.len(), of.len()), (2, 2));
    }
}

// Denials.

async fn deny(api: &Api, key: &str, agent: &str, times: usize) {
    for n in 0..times {
        api.check(key, agent, &format!("send_{n}")).await.denied("send_");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_denials_of_an_agent_make_one_row_whichever_guardians_denied() {
    for site in Site::all(ALLOW).await {
        let (agent, key) = site.agent(&["files:*"]).await;
        deny(site.one(), &key, &agent, 5).await;
        deny(site.other(), &key, &agent, 4).await;
        site.one().check(&key, &agent, "files:get").await.allowed();
        assert_eq!(site.audit("anomaly.denial_burst").await.len(), 0);
        deny(site.one(), &key, &agent, 1).await;
        let rows = site.audit("anomaly.denial_burst").await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0]["agent_id"], *agent);
        let body = &rows[0]["body"];
        assert_eq!(body["denials"], 10);
        assert_eq!(body["tools"], json!(["send_0", "send_1", "send_2", "send_3", "send_4"]));
        assert!(body["first_at"].as_str() <= body["last_at"].as_str());
        let body = json!({ "agent_id": agent, "action_name": "send_mail" });
        site.check_all(&key, vec![body; 50]).await;
        assert_eq!(site.audit("anomaly.denial_burst").await.len(), 1);
        for api in &site.guardians {
            api.audit_rows().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn denials_at_once_make_one_row_and_a_restart_forgets_none() {
    for mut site in Site::all(ALLOW).await {
        let (agent, key) = site.agent(&["files:*"]).await;
        let body = json!({ "agent_id": agent, "action_name": "search" });
        site.check_all(&key, vec![body.clone(); 9]).await;
        site.restart().await;
        assert_eq!(site.audit("anomaly.denial_burst").await.len(), 0);
        site.check_all(&key, vec![body.clone(); 40]).await;
        assert_eq!(site.audit("anomaly.denial_burst").await.len(), 1);
        site.restart().await;
        site.check_all(&key, vec![body; 40]).await;
        assert_eq!(site.audit("anomaly.denial_burst").await.len(), 1);
    }
}
