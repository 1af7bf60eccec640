//! Another organisation on a served Guardian, which has nothing to do with the trouble.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::program::{DEV_KEY, Program};

/// An agent of another organisation, and its keys.
pub(crate) struct Organisation {
    pub(crate) admin: String,
    pub(crate) agent: String,
    pub(crate) key: String,
}

impl Organisation {
    /// Creates a new organisation on a Guardian in development mode.
    pub(crate) async fn new(program: &Program, org_id: &str) -> Self {
        Self::with_admin_key(program, DEV_KEY, org_id).await
    }

    pub(crate) async fn with_admin_key(program: &Program, key: &str, org_id: &str) -> Self {
        let first = json!({ "role": "admin", "org_id": org_id });
        let admin = text(&made(program, "/api/v1/keys", key, &first).await, "key");
        let agent = json!({ "name": "worker", "capabilities": ["*"] });
        let agent = text(&made(program, "/api/v1/agents", &admin, &agent).await, "id");
        let bound = json!({ "role": "agent", "agents": [agent] });
        let key = text(&made(program, "/api/v1/keys", &admin, &bound).await, "key");
        Self { admin, agent, key }
    }

    /// Asks for a read, by a connection of its own; how long that took. It must be allowed.
    pub(crate) async fn is_answered(&self, program: &Program) -> Duration {
        let begun = Instant::now();
        let check = json!({ "agent_id": self.agent, "action_name": "search" });
        let (status, answer) = program.post("/api/v1/agenttrust/check", &self.key, &check).await;
        assert_eq!((status, &answer["allowed"]), (200, &json!(true)), "{answer}");
        begun.elapsed()
    }

    /// Returns the id of an approval that is pending.
    pub(crate) async fn held(&self, program: &Program) -> String {
        let check = json!({ "agent_id": self.agent, "action_name": "db_delete" });
        let (_, answer) = program.post("/api/v1/agenttrust/check", &self.key, &check).await;
        text(&answer, "approval_id")
    }
}

async fn made(program: &Program, path: &str, key: &str, body: &Value) -> Value {
    let (status, answer) = program.post(path, key, body).await;
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
    answer
}

fn text(answer: &Value, field: &str) -> String {
    answer[field].as_str().unwrap_or_else(|| panic!("no {field}: {answer}")).to_owned()
}

/// Returns a connection on which this was sent.
pub(crate) async fn connected(program: &Program, sent: &[u8]) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(program.address).await?;
    stream.write_all(sent).await?;
    Ok(stream)
}

/// Returns what the numbers say of this.
pub(crate) async fn number(program: &Program, name: &str) -> f64 {
    let text = program.get("/metrics", DEV_KEY).await.text().await.unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}
