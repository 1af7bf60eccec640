//! The published Python client, unchanged, against `agenttrust serve`.
//!
//! It runs where a Python has `agenttrustid` 0.4.0: the one of `AGENTTRUST_TEST_PYTHON`, else the one of
//! `.venv` in the root of the repository. Elsewhere it skips, and says so.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use agenttrust_guardian::Role;
use agenttrust_tests::bounded::{here, on_a_plain_thread};
use agenttrust_tests::served::Serve;
use agenttrust_tests::test_guardian::bot;
use anyhow::{Context, Result, ensure};

use crate::AGENTTRUST;
use crate::programs::python_script;
use crate::python::python_with;

/// The version that is published.
const VERSION: &str = "0.4.0";

/// The time that its own requests wait, so that the script always ends; see there.
const TIMEOUT: &str = "20";

#[test]
fn its_one_client_form_works_where_self_approval_is_allowed() -> Result<()> {
    let Some(python) = python_with("agenttrustid", VERSION) else { return Ok(()) };
    on_a_plain_thread(move || {
        let served = Serve::new(AGENTTRUST).allow_self_approval(true).start()?;
        let key = served.admin_key();
        run(&python, &served.url(), &[("AGENTTRUST_API_KEY", key), ("OPERATOR_KEY", key)])
    })
}

#[test]
fn it_works_with_an_agents_and_an_operators_key() -> Result<()> {
    let Some(python) = python_with("agenttrustid", VERSION) else { return Ok(()) };
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
    let output = Command::new(python)
        .arg(python_script("official.py"))
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

fn printed(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
