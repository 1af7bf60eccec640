//! The first hour, as the README has it: its program, its commands, and what they print.

use std::path::PathBuf;
use std::process::Stdio;

use agenttrust::{AgentTrustGuard, CreateAgentRequest};
use agenttrust_guardian::Guardian;
use agenttrust_tower::GuardLayer;
use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tower::ServiceExt as _;

use crate::built::{example, program};
use crate::front_pages::compiler_of;
use crate::guides::lasting;
use crate::running::in_time;

const README: &str = include_str!("../../../README.md");

/// Starts `agenttrust serve --dev` on a free port, until this is dropped.
pub(crate) async fn serve() -> Result<(tokio::process::Child, String)> {
    let mut command = program("agenttrust");
    command
        .args(["serve", "--dev", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("it is piped")?).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await? {
            if let Some(url) = line.strip_prefix("listening on ") {
                return Ok(url.to_owned());
            }
        }
        anyhow::bail!("it ended before it was ready")
    };
    let url = in_time("the Guardian", ready).await??;
    Ok((child, url))
}

async fn printed(command: &mut Command) -> Result<String> {
    let output = in_time("a command", command.stdin(Stdio::null()).output()).await??;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn the_program_of_the_readme_is_the_example() {
    let (_, program) = include_str!("../../shopbot.rs").split_once("\n\n").unwrap();
    assert!(
        README.contains(program),
        "the README's first hour shows another program than `shopbot`"
    );
}

#[tokio::test]
async fn the_first_program_of_the_readme_prints_what_stands_below_it() -> Result<()> {
    let (_, program) = include_str!("../../hello.rs").split_once("\n\n").context("a program")?;
    let (_, below) = README
        .split_once(&format!("```rust\n{program}```\n"))
        .context("the README's quick start shows another program than `hello`")?;
    let (_, shown) = below.split_once("```text\n").context("what it prints")?;
    let (shown, _) = shown.split_once("\n```").context("what it prints ends")?;
    let said = printed(&mut example("hello")).await?;
    // It is one line, which the README wraps.
    assert_eq!(lasting(shown), lasting(&said), "the README shows something else than\n{said}");
    Ok(())
}

async fn delete() -> &'static str {
    panic!("it ran without an approval")
}

/// The service of the README's layer.
fn files(guard: AgentTrustGuard) -> Router {
    Router::new()
        .route("/files/{name}", get(|| async { "the text" }).delete(delete))
        .layer(GuardLayer::http(guard))
}

#[tokio::test]
async fn the_layer_of_the_readme_denies_with_what_stands_below_it() -> Result<()> {
    let (_, below) = README.split_once(".layer(GuardLayer::http(guard))").context("the layer")?;
    let (_, shown) = below.split_once("```text\n").context("what it answers")?;
    let (shown, _) = shown.split_once("\n```").context("what it answers ends")?;
    // The README wraps its longest member.
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    let guardian = Guardian::in_memory().await?;
    let mut agent = CreateAgentRequest { name: "janitor".to_owned(), ..Default::default() };
    agent.capabilities.push("http/*".to_owned());
    let agent = guardian.client().agents().create(&agent).await?;
    let folder = tempfile::tempdir()?;
    let guard = AgentTrustGuard::builder(guardian.client(), &agent.id)
        .state_file(folder.path().join("files.state"))
        .build();
    let request = Request::delete("/files/report.txt").body(Body::empty())?;
    let answer = files(guard).oneshot(request).await?;
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await?;
    let said: Value = serde_json::from_slice(&body)?;
    let id = said["approval_id"].as_str().context("an approval")?;
    let said = said.to_string().replace(id, "apr_…");
    assert_eq!(serde_json::from_str::<Value>(&shown)?, serde_json::from_str::<Value>(&said)?);
    Ok(())
}

#[test]
fn every_crate_and_feature_that_the_readme_names_is_there() {
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest =
        |krate: &str| std::fs::read_to_string(repository.join(krate).join("Cargo.toml")).unwrap();
    for krate in ["agenttrust", "agenttrust-guardian", "agenttrust-tower"] {
        assert!(README.contains(&format!("{krate} = {{ path = \"../agenttrust/{krate}\"")));
        assert!(manifest(krate).contains(&format!("name = \"{krate}\"")));
    }
    let (_, table) = README.split_once("| for | add |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    for (krate, features) in [
        ("agenttrust", &["axum", "rmcp", "schemars"][..]),
        ("agenttrust-tower", &["tonic", "mcp-http", "rmcp", "tower-mcp"]),
    ] {
        for feature in features {
            assert!(table.contains(&format!("`{feature}`")), "{feature}");
            assert!(manifest(krate).contains(&format!("\n{feature} = [")), "{krate}: {feature}");
        }
    }
    let (_, table) = README.split_once("| crates | compiler |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    for krate in ["agenttrust", "agenttrust-macros", "agenttrust-tower", "agenttrust-guardian"] {
        let compiler = compiler_of(&manifest(krate));
        let row = table.lines().find(|row| row.contains(&format!("`{krate}`")));
        assert!(row.is_some_and(|row| row.contains(&compiler)), "{krate}: {compiler}");
    }
}

#[tokio::test]
async fn the_first_hour_goes_as_the_readme_says() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (_served, url) = serve().await?;
    let agenttrust = |arguments: &[&str]| {
        let mut command = program("agenttrust");
        command
            .args(arguments)
            .env("AGENTTRUST_URL", &url)
            .env("AGENTTRUST_API_KEY", "sk_test_dev");
        command
    };
    let made = printed(&mut agenttrust(&["agents", "create", "shopbot", "--capability", "refund"]))
        .await?;
    let agent = made.split_whitespace().find(|word| word.starts_with("agt_")).context("an id")?;
    let run = async |order: &str| {
        let mut command = example("shopbot");
        command.arg(order).env("AGENTTRUST_URL", &url).env("AGENTTRUST_API_KEY", "sk_test_dev");
        printed(command.env("AGENT_ID", agent).current_dir(folder.path())).await
    };
    let held = |said: &str| {
        let id = said.split(['"', ' ', ':']).find(|word| word.starts_with("apr_"));
        id.map(str::to_owned).with_context(|| format!("not held: {said}"))
    };
    let said = run("order-7").await?;
    assert!(said.starts_with("tool \"refund\" needs approval apr_"), "{said}");
    let approval = held(&said)?;
    let shown = printed(&mut agenttrust(&["approvals", "show", &approval])).await?;
    assert!(
        shown.contains("shopbot") && shown.contains("order-7") && shown.contains("1999"),
        "{shown}"
    );
    printed(&mut agenttrust(&["approvals", "approve", &approval])).await?;
    assert_eq!(run("order-7").await?.trim(), "order-7: 1999 cents are on their way back");
    assert_ne!(held(&run("order-7").await?)?, approval);
    assert_ne!(held(&run("order-8").await?)?, approval);
    Ok(())
}
