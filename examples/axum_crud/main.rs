//! A service that many agents call, each known by its token: `cargo run --example axum_crud`.
//!
//! `notes.rs` is the service; `guarded` below is all that it takes to guard it. The rest of this file
//! is its callers: two agents with tokens, and an operator. Everything that is printed has been checked
//! a line above; the program fails when it is not so.

mod notes;

use agenttrust::{AgentTrustClient, AgentTrustGuard, CreateAgentRequest, IssueTokenRequest};
use agenttrust_examples::transcript::{section, short, step};
use agenttrust_examples::{Served, outcomes};
use agenttrust_guardian::{Guardian, Role};
use agenttrust_tower::{AuthenticateLayer, GuardLayer};
use anyhow::{Context as _, ensure};
use axum::Router;
use axum::http::Method;
use reqwest::header::WWW_AUTHENTICATE;
use serde_json::Value;

use self::notes::{Note, Notes};

/// Returns the service behind two layers. What is added last runs first: an agent is known before it is asked
/// for.
///
/// `gateway` has a key of the role `gateway`, which may ask about every agent whose token it was shown and about no
/// other.
fn guarded(notes: &Notes, gateway: AgentTrustClient) -> (Router, AgentTrustGuard) {
    let guard = AgentTrustGuard::gateway(gateway.clone()).build();
    let router = notes
        .router()
        .layer(GuardLayer::http(guard.clone()))
        .layer(AuthenticateLayer::new(gateway).audience("notes").realm("notes"));
    (router, guard)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let guardian = Guardian::in_memory().await?;
    let key = guardian.create_key(Role::Gateway, &[]).await?;
    let notes = Notes::default();
    let (router, guard) = guarded(&notes, guardian.client_with_key(&key)?);
    let served = Served::on_loopback(router).await?;
    let http = Http::new(&served)?;

    let editor = Agent::register(&guardian, "editor", &["http/*"], &["http/*"]).await?;
    // It might write, were it let: its token is for reading.
    let reader = Agent::register(&guardian, "reader", &["http/*"], &["http/GET/*"]).await?;

    nobody_comes_in_without_a_token(&http).await?;
    each_call_is_its_agents(&http, &notes, &editor, &reader).await?;
    deleting_is_held(&guardian, &http, &notes, &editor).await?;
    a_handler_says_how_it_went(&http, &editor).await?;
    a_revoked_token_is_of_no_use(&http, &editor).await?;

    section("6. What was reported");
    guard.close().await?;
    let reported = outcomes(&guardian).await?;
    for outcome in &reported {
        let agent = [&editor, &reader].into_iter().find(|agent| agent.id == outcome.agent_id);
        let went = outcome.error_type.as_deref().unwrap_or("ok");
        step(agent.context("a call of nobody")?.name, format!("{}: {went}", outcome.tool));
    }
    let failed: Vec<_> = reported.iter().filter_map(|call| call.error_type.as_deref()).collect();
    ensure!(failed == ["http 404", "NoRoom"], "other calls failed: {failed:?}");
    served.stop().await
}

async fn nobody_comes_in_without_a_token(http: &Http) -> anyhow::Result<()> {
    section("1. Nobody comes in without a token that works");
    let answer = http.send(Method::GET, "/notes", None, "").await?;
    ensure!(answer.status == 401, "GET answered {}", answer.status);
    step("nobody reads the notes", format!("401, {}", answer.challenge));

    let answer = http.send(Method::GET, "/notes", Some("at_made_up"), "").await?;
    ensure!(answer.status == 401, "GET answered {}", answer.status);
    ensure!(answer.challenge.contains("invalid_token"), "challenged by {}", answer.challenge);
    step("somebody with a made-up token", format!("401, {}", answer.challenge));
    Ok(())
}

async fn each_call_is_its_agents(
    http: &Http,
    notes: &Notes,
    editor: &Agent,
    reader: &Agent,
) -> anyhow::Result<()> {
    section("2. Each call is checked as the agent behind its token, within what the token carries");
    let answer = http.send(Method::POST, "/notes", Some(&editor.token), "order shelves").await?;
    ensure!(answer.status == 201, "POST answered {}: {}", answer.status, answer.body);
    let note: Note = serde_json::from_str(&answer.body)?;
    ensure!(note.author == editor.id, "written by {}", note.author);
    let check_id = note.check_id.as_deref().context("the note names no check")?;
    let happened =
        format!("201, note {} of {}, allowed by {}", note.id, short(&note.author), short(check_id));
    step("editor writes a note", happened);

    let answer = http.send(Method::GET, "/notes/1", Some(&reader.token), "").await?;
    ensure!(answer.status == 200, "GET answered {}: {}", answer.status, answer.body);
    step("reader reads it", "200");

    let answer = http.send(Method::PUT, "/notes/1", Some(&reader.token), "order nothing").await?;
    ensure!(answer.status == 403, "PUT answered {}: {}", answer.status, answer.body);
    ensure!(notes.get(1).is_some_and(|note| note.text == "order shelves"), "it was overwritten");
    step(
        "reader overwrites it",
        format!("403 {}: {}", answer.problem("code")?, answer.problem("detail")?),
    );

    let answer = http.send(Method::GET, "/notes/9", Some(&reader.token), "").await?;
    ensure!(answer.status == 404, "GET answered {}", answer.status);
    step("reader reads note 9", "404, of the service: there is none");
    Ok(())
}

async fn deleting_is_held(
    guardian: &Guardian,
    http: &Http,
    notes: &Notes,
    editor: &Agent,
) -> anyhow::Result<()> {
    section("3. Deleting is held until an operator approves it, this note and no other");
    let answer = http.send(Method::POST, "/notes", Some(&editor.token), "order lamps").await?;
    ensure!(answer.status == 201, "POST answered {}: {}", answer.status, answer.body);
    let answer = http.send(Method::DELETE, "/notes/1", Some(&editor.token), "").await?;
    ensure!(answer.status == 403, "DELETE answered {}: {}", answer.status, answer.body);
    ensure!(answer.problem("code")? == "ELEVATION_REQUIRED", "another denial: {}", answer.body);
    let approval_id = answer.problem("approval_id")?;
    ensure!(notes.get(1).is_some(), "the note was deleted before anybody approved it");
    step("editor deletes note 1", format!("403 ELEVATION_REQUIRED, {}", short(&approval_id)));

    let operator = guardian.client_with_key(&guardian.create_key(Role::Operator, &[]).await?)?;
    operator.approvals().approve(&approval_id, "olga@notes.example").await?;
    step("operator approves it", format!("{} is approved", short(&approval_id)));

    let answer = http.send(Method::DELETE, "/notes/2", Some(&editor.token), "").await?;
    ensure!(answer.status == 403, "DELETE answered {}: {}", answer.status, answer.body);
    let other = answer.problem("approval_id")?;
    ensure!(other != approval_id, "an approval for note 1 served note 2");
    ensure!(notes.get(2).is_some(), "note 2 was deleted unapproved");
    let happened =
        format!("403, {} is for note 1 only, {} is new", short(&approval_id), short(&other));
    step("editor deletes note 2", happened);

    let answer = http.send(Method::DELETE, "/notes/1", Some(&editor.token), "").await?;
    ensure!(answer.status == 204, "DELETE answered {}: {}", answer.status, answer.body);
    ensure!(notes.get(1).is_none(), "the note is still there");
    step("editor deletes note 1 again", "204: the note is gone");
    Ok(())
}

async fn a_handler_says_how_it_went(http: &Http, editor: &Agent) -> anyhow::Result<()> {
    section("4. A handler says how it went where its status does not");
    for text in ["order chairs", "order a carpet"] {
        let answer = http.send(Method::POST, "/notes", Some(&editor.token), text).await?;
        ensure!(answer.status == 201, "POST answered {}: {}", answer.status, answer.body);
    }
    step("editor writes two more", "201, 201");
    let answer = http.send(Method::POST, "/notes", Some(&editor.token), "order all").await?;
    ensure!(answer.status == 202, "POST answered {}: {}", answer.status, answer.body);
    step("editor writes a fourth", "202, and reported as NoRoom");
    Ok(())
}

async fn a_revoked_token_is_of_no_use(http: &Http, editor: &Agent) -> anyhow::Result<()> {
    section("5. A revoked token stops working at once");
    editor.client.tokens().revoke(&editor.token, "the work is done").await?;
    let answer = http.send(Method::GET, "/notes", Some(&editor.token), "").await?;
    ensure!(matches!(answer.status, 401 | 403), "GET answered {}", answer.status);
    step("editor reads with it", format!("{} {}", answer.status, answer.problem("code")?));
    Ok(())
}

/// An agent, its client of the Guardian, and a token for the service.
struct Agent {
    name: &'static str,
    id: String,
    client: AgentTrustClient,
    token: String,
}

impl Agent {
    async fn register(
        guardian: &Guardian,
        name: &'static str,
        capabilities: &[&str],
        scopes: &[&str],
    ) -> anyhow::Result<Self> {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        let request = CreateAgentRequest {
            name: name.to_string(),
            capabilities: words(capabilities),
            ..Default::default()
        };
        let id = guardian.client().agents().create(&request).await?.id;
        let client = guardian.client_with_key(&guardian.create_key(Role::Agent, &[&id]).await?)?;
        let request = IssueTokenRequest {
            agent_id: id.clone(),
            scope: words(scopes),
            audience: vec!["notes".to_string()],
            ttl: 300,
        };
        let token = client.tokens().issue(&request).await?.token;
        Ok(Self { name, id, client, token })
    }
}

/// The agents' HTTP client.
struct Http {
    client: reqwest::Client,
    url: String,
}

struct Answer {
    status: u16,
    challenge: String,
    body: String,
}

impl Http {
    fn new(served: &Served) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { client, url: served.url().to_owned() })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        text: &'static str,
    ) -> anyhow::Result<Answer> {
        let request = self.client.request(method, format!("{}{path}", self.url)).body(text);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await?;
        let challenge = answer.headers().get(WWW_AUTHENTICATE);
        let challenge = challenge.map(|value| value.to_str().map(str::to_owned)).transpose()?;
        Ok(Answer {
            status: answer.status().as_u16(),
            challenge: challenge.unwrap_or_default(),
            body: answer.text().await?,
        })
    }
}

impl Answer {
    /// Returns a member of the RFC 9457 problem that a denial is.
    fn problem(&self, member: &str) -> anyhow::Result<String> {
        let problem: Value = serde_json::from_str(&self.body)?;
        let member = problem[member].as_str().with_context(|| format!("no {member}: {problem}"))?;
        Ok(member.to_owned())
    }
}
