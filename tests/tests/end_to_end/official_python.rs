//! The published Python client, unchanged, against `agenttrust serve`.
//!
//! It runs where a Python has `agenttrustid` 0.4.0: the one of `AGENTTRUST_TEST_PYTHON`, else the one of
//! `.venv` in the root of the repository. Elsewhere it skips, and says so.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use agenttrust_guardian::Role;
use agenttrust_tests::bounded::{here, on_a_plain_thread};
use agenttrust_tests::house::bot;
use agenttrust_tests::served::Serve;
use anyhow::{Context, Result, ensure};

use crate::AGENTTRUST;

/// The version that is published.
const VERSION: &str = "0.4.0";

/// How long its own requests wait, so that the script always ends; see there.
const TIMEOUT: &str = "20";

#[test]
fn its_one_client_form_works_where_self_approval_is_allowed() -> Result<()> {
    let Some(python) = python() else { return Ok(()) };
    on_a_plain_thread(move || {
        let served = Serve::new(AGENTTRUST).allow_self_approval(true).start()?;
        let key = served.admin_key();
        run(&python, &served.url(), &[("AGENTTRUST_API_KEY", key), ("OPERATOR_KEY", key)])
    })
}

#[test]
fn it_works_with_an_agents_and_an_operators_key() -> Result<()> {
    let Some(python) = python() else { return Ok(()) };
    on_a_plain_thread(move || {
        let served = Serve::new(AGENTTRUST).start()?;
        let admin = agenttrust::AgentTrustClient::builder()
            .base_url(served.url())
            .api_key(served.admin_key())
            .build()?;
        let capabilities = ["files:read", "web:search", "db:delete"];
        let agent = here(admin.agents().create(&bot(&capabilities)))?;
        let agent_key = here(served.admin().create_key(Role::Agent, &[&agent.id]))?;
        let operator_key = here(served.admin().create_key(Role::Operator, &[]))?;
        let env = [
            ("AGENTTRUST_API_KEY", &*agent_key),
            ("OPERATOR_KEY", &operator_key),
            ("AGENT_ID", &agent.id),
        ];
        run(&python, &served.url(), &env)
    })
}

/// Runs the script; its assertions are the test.
fn run(python: &Path, url: &str, env: &[(&str, &str)]) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/official.py");
    let output = Command::new(python)
        .arg(script)
        .env("AGENTTRUST_URL", url)
        .env("TIMEOUT", TIMEOUT)
        .env_remove("AGENT_ID")
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .context("the script starts")?;
    ensure!(output.status.success(), "the script failed:\n{}", printed(&output));
    ensure!(
        String::from_utf8_lossy(&output.stdout).trim_end().ends_with("all of it"),
        "the script ended early:\n{}",
        printed(&output)
    );
    Ok(())
}

/// A Python that has the published client; none, and a word about why, where there is none.
fn python() -> Option<PathBuf> {
    let given = std::env::var_os("AGENTTRUST_TEST_PYTHON").map(PathBuf::from);
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
    let mut reasons = Vec::new();
    for python in given.into_iter().chain([venv]) {
        match has_the_client(&python) {
            Ok(()) => return Some(python),
            Err(reason) => reasons.push(format!("{}: {reason:#}", python.display())),
        }
    }
    // Past the capture of the test's own output: a skip that nobody sees is taken for a pass.
    let said = format!(
        "skipped: the published Python client is not here; make it with \
         `python3 -m venv .venv && .venv/bin/pip install agenttrustid=={VERSION}` ({})\n",
        reasons.join("; ")
    );
    let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), said.as_bytes());
    None
}

fn has_the_client(python: &Path) -> Result<()> {
    let ask = "import agenttrustid, importlib.metadata as m; print(m.version('agenttrustid'))";
    let output = Command::new(python).args(["-c", ask]).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(if output.status.success() {
        &output.stdout
    } else {
        &output.stderr
    })
    .trim()
    .lines()
    .next_back()
    .unwrap_or_default()
    .to_owned();
    ensure!(output.status.success(), said);
    ensure!(said == VERSION, "it has agenttrustid {said}, not {VERSION}");
    Ok(())
}

fn printed(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
