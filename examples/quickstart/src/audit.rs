//! Reading the audit trail as an operator does: over HTTP, with the operator's key.
//!
//! The Guardian is a router, so "over HTTP" takes no socket.

use anyhow::{Context as _, ensure};
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::participants::Participants;
use crate::transcript::short;

/// More than any answer of this story is long.
const MOST: usize = 1 << 20;

/// The trail, oldest entry first.
pub(crate) struct Trail {
    entries: Vec<Value>,
}

/// The result of walking the hash chain.
pub(crate) struct Chain {
    pub(crate) rows: usize,
    pub(crate) head: String,
}

pub(crate) async fn read_trail(participants: &Participants) -> anyhow::Result<Trail> {
    let answer = get(participants, "/api/v1/audit?limit=1000").await?;
    let entries = answer["entries"].as_array().context("no entries in the answer")?;
    Ok(Trail { entries: entries.clone() })
}

/// Has every row's hash computed again, from the first to the last.
pub(crate) async fn verify(participants: &Participants) -> anyhow::Result<Chain> {
    let answer = get(participants, "/api/v1/audit/verify").await?;
    ensure!(answer["fault"].is_null(), "the chain is broken: {}", answer["fault"]);
    let rows = answer["rows"].as_u64().context("no number of rows in the answer")?;
    let head = answer["head"].as_str().context("no head in the answer")?;
    Ok(Chain { rows: usize::try_from(rows)?, head: head.to_owned() })
}

async fn get(participants: &Participants, path: &str) -> anyhow::Result<Value> {
    let request =
        Request::get(path).header("x-api-key", &participants.operator.key).body(Body::empty())?;
    let answer = participants.guardian.router().oneshot(request).await?;
    ensure!(answer.status() == 200, "GET {path} answered {}", answer.status());
    Ok(serde_json::from_slice(&to_bytes(answer.into_body(), MOST).await?)?)
}

impl Trail {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns how many decisions on this tool came to this.
    pub(crate) fn count(&self, tool: &str, decision: &str) -> usize {
        let is =
            |entry: &&Value| entry["body"]["tool"] == tool && entry["body"]["decision"] == decision;
        self.entries.iter().filter(is).count()
    }

    pub(crate) fn print(&self, participants: &Participants) {
        print_row(["#", "what", "agent", "", "about", "effect", "approval"]);
        for entry in &self.entries {
            let agent =
                participants.agents().into_iter().find(|agent| entry["agent_id"] == agent.id);
            let body = |name: &str| entry["body"][name].as_str();
            let about = body("tool").or(body("role")).or(body("server_id"));
            // A report says that the call ran, and how it went.
            let reported = entry["body"]["success"].as_bool();
            let reported = reported.map(|success| if success { "ok" } else { "error" });
            print_row([
                &entry["seq"].to_string(),
                entry["kind"].as_str().unwrap_or_default(),
                agent.map_or("", |agent| agent.name),
                body("decision").or(reported).unwrap_or_default(),
                about.unwrap_or_default(),
                body("effect").unwrap_or_default(),
                &body("approval_id").map(short).unwrap_or_default(),
            ]);
        }
    }
}

fn print_row([number, what, agent, came_to, about, effect, approval]: [&str; 7]) {
    let line = format!(
        "  {number:>3} {what:<18} {agent:<10} {came_to:<6} {about:<24} {effect:<11} {approval}"
    );
    println!("{}", line.trim_end());
}
