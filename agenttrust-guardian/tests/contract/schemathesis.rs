//! Schemathesis against the program: whatever it makes up from the OpenAPI document is answered as the
//! document says, and never with a 500. It is a package of PyPI, looked for in `.venv` in the root of the
//! repository. Elsewhere this skips, and says so.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use agenttrust_testkit::is_long;
use serde_json::{Value, json};

/// The version that is installed by `.ci/run`.
const VERSION: &str = "4.32.5";
const KEY: &str = "sk_test_dev";

/// A served Guardian; killed when dropped.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_agenttrust"))
            .args(["serve", "--dev", "--listen", "127.0.0.1:0"])
            .env("AGENTTRUST_LOG", "error")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.find_map(|line| {
            let line = line.unwrap();
            line.strip_prefix("listening on ").map(str::to_owned)
        });
        Self { child, url: url.expect("it ended before it was ready") }
    }

    async fn ask(&self, method: &str, path: &str, digest: &str, body: Option<Value>) -> Value {
        let client = reqwest::Client::new();
        let request = client
            .request(method.parse().unwrap(), format!("{}{path}", self.url))
            .header("X-API-Key", KEY)
            .header("AgentTrust-Input-Digest", digest);
        let request = match body {
            Some(body) => request.body(body.to_string()),
            None => request,
        };
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{method} {path}: {}", answer.status());
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Returns something of everything, so that what is made up can meet what is there; answers with a token of an
    /// agent, and one of federation.
    async fn fill(&self) -> [String; 2] {
        let body = json!({ "name": "worker", "capabilities": ["*"] });
        let agent = self.ask("POST", "/api/v1/agents", "", Some(body)).await["id"].clone();
        for tool in 0..10 {
            let check = json!({
                "agent_id": agent, "action_name": format!("delete_{tool}"), "session_id": "walk",
            });
            let digest = format!("{tool:064x}");
            let answer = self.ask("POST", "/api/v1/agenttrust/check", &digest, Some(check)).await;
            assert_eq!(answer["elevation_required"], true);
        }
        let body = json!({ "agent_id": agent, "server_id": "files" });
        self.ask("POST", "/mcp/sessions/init", "", Some(body)).await;
        let body = json!({ "tools": [{ "name": "search", "effect": "read" }] });
        self.ask("PUT", "/api/v1/tools", "", Some(body)).await;
        let body = json!({ "agent_id": agent, "scopes": ["*"], "ttl": 3600 });
        let token = self.ask("POST", "/api/v1/agent-tokens/issue", "", Some(body.clone())).await;
        let federated = self.ask("POST", "/api/v1/federation/tokens/issue", "", Some(body)).await;
        [token, federated].map(|issued| issued["token"].as_str().unwrap().to_owned())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn whatever_is_made_up_from_the_document_is_answered_as_the_document_says() {
    let Some(schemathesis) = schemathesis() else { return };
    let served = Served::start();
    let own = served.ask("GET", "/api/v1/keys", "", None).await["keys"][0]["id"].clone();
    let [token, federated] = served.fill().await;
    let document = served.ask("GET", "/openapi.json", "", None).await;
    let paths = document["paths"].as_object().unwrap().values();
    let operations: usize = paths.map(|path| path.as_object().unwrap().len()).sum();

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis");
    // What it keeps between runs would make one run depend on the one before.
    let kept = tempfile::tempdir().unwrap();
    let output = Command::new(schemathesis)
        .arg("--config-file")
        .arg(folder.join("schemathesis.toml"))
        .args(["--no-color", "run", "--max-examples", if is_long() { "25" } else { "8" }])
        .arg(format!("{}/openapi.json", served.url))
        .current_dir(kept.path())
        .env("SCHEMATHESIS_HOOKS", folder.join("hooks.py"))
        .env("AGENTTRUST_API_KEY", KEY)
        .env("AGENTTRUST_TOKEN", token)
        .env("AGENTTRUST_FEDERATED_TOKEN", federated)
        .env("AGENTTRUST_OWN_KEY", own.as_str().unwrap())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = printed(&output);
    assert!(output.status.success(), "{said}");
    // Every one but that of the document, which it has read already.
    assert_eq!(number(&said, "Tested:", ""), operations - 1, "{said}");
    assert!(number(&said, "", "generated") > 1_000, "{said}");
    assert!(number(&said, "API Links:", "covered") > 0, "{said}");
    // It is still there, and what it kept is whole.
    let verified = served.ask("GET", "/api/v1/audit/verify", "", None).await;
    assert_eq!(verified["ok"], true, "{verified}");
    assert!(verified["rows"].as_u64().unwrap() > 100, "{verified}");
}

/// Returns the number between these words of a line.
fn number(said: &str, before: &str, after: &str) -> usize {
    let found = said.lines().find_map(|line| {
        let line = line.trim().strip_prefix(before)?.trim_start();
        let digits = line.split(|it: char| !it.is_ascii_digit()).next()?;
        let rest = line[digits.len()..].trim_start();
        rest.starts_with(after).then(|| digits.parse().ok())?
    });
    found.unwrap_or_else(|| panic!("no number between {before:?} and {after:?}: {said}"))
}

/// Returns the program in the virtual environment. Where there is no such program, prints why and returns `None`.
fn schemathesis() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/schemathesis");
    let asked = Command::new(&program).arg("--version").stdin(Stdio::null()).output();
    let why = match asked {
        Ok(output) if printed(&output).contains(VERSION) => return Some(program),
        Ok(output) => format!("it is {}", printed(&output).trim()),
        Err(error) => error.to_string(),
    };
    // Past the capture of the test's own output: a skip that nobody sees is taken for a pass.
    let said = format!(
        "skipped: Schemathesis is not here; install it with `python3 -m venv .venv && \
         .venv/bin/pip install schemathesis=={VERSION}` ({}: {why})\n",
        program.display()
    );
    let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), said.as_bytes());
    None
}

fn printed(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
