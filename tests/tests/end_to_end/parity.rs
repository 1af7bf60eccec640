//! What the published clients have and what we have for it: `scripts/parity` holds the table to both.
//!
//! It reads the source of both clients: the crate's in cargo's registry, the Python package's in `.venv`. Where one of
//! them is missing, or Python, it skips, and says so.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The status of the script where a source is not on this machine.
const ABSENT: i32 = 3;

#[test]
fn each_item_of_the_published_clients_is_beside_ours_or_a_reason() -> Result<()> {
    let Some(checked) = check(&table())? else { return Ok(()) };
    ensure!(checked.is_true, "{}", checked.said);
    Ok(())
}

#[test]
fn an_item_without_a_row_is_told() -> Result<()> {
    is_told("is_expired", &[], "agenttrustid.Token.is_expired has no row")
}

#[test]
fn a_row_of_what_the_client_no_longer_has_is_told() -> Result<()> {
    let row = ["python", "agenttrustid.Token.is_young", "", "never was"];
    is_told("no such row", &[row], "agenttrustid.Token.is_young is gone from the client")
}

#[test]
fn a_path_of_ours_that_is_not_there_is_told() -> Result<()> {
    let row = ["rust", "agenttrustid::Agent.id", "agenttrust::Agent.number", ""];
    is_told(
        "agenttrustid::Agent.id\t",
        &[row],
        "is beside agenttrust::Agent.number, which api/*.txt does not have",
    )
}

#[test]
fn what_is_to_come_and_has_come_is_told() -> Result<()> {
    let row = ["rust", "agenttrustid::Agent.id", "agenttrust::Agent.id", "to come: delegations"];
    is_told(
        "agenttrustid::Agent.id\t",
        &[row],
        "agenttrustid::Agent.id is to come, but agenttrust::Agent.id is there",
    )
}

#[test]
fn a_row_that_says_nothing_is_told() -> Result<()> {
    let row = ["rust", "agenttrustid::Agent.id", "", ""];
    is_told(
        "agenttrustid::Agent.id\t",
        &[row],
        "agenttrustid::Agent.id has nothing of ours and no reason",
    )
}

/// The result of the script on a table.
struct Checked {
    is_true: bool,
    said: String,
}

/// Checks the table without the rows that hold `without` and with those that are `added`; it must be refused for this.
fn is_told(without: &str, added: &[[&str; 4]], reason: &str) -> Result<()> {
    let kept = std::fs::read_to_string(table())?;
    let kept = kept.lines().filter(|row| !row.contains(without)).map(str::to_owned);
    let rows: Vec<String> = kept.chain(added.iter().map(|row| row.join("\t"))).collect();
    let folder = tempfile::tempdir()?;
    let changed = folder.path().join("parity.tsv");
    std::fs::write(&changed, rows.join("\n") + "\n")?;
    let Some(checked) = check(&changed)? else { return Ok(()) };
    ensure!(!checked.is_true, "a table that is not true passes: {}", checked.said);
    ensure!(checked.said.contains(reason), "{reason:?} is not said:\n{}", checked.said);
    Ok(())
}

/// Runs the script on a table; `None`, and a word about why, where it cannot run here.
fn check(table: &Path) -> Result<Option<Checked>> {
    let mut script = Command::new("python3");
    script
        .arg(root().join("scripts/parity"))
        .arg("--check")
        .arg("--table")
        .arg(table)
        .stdin(Stdio::null());
    let output = match script.output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            skipped("there is no python3");
            return Ok(None);
        }
        output => output.context("the script starts")?,
    };
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.code() == Some(ABSENT) {
        skipped(said.trim_end());
        return Ok(None);
    }
    Ok(Some(Checked { is_true: output.status.success(), said }))
}

/// Prints past the capture of the test's own output: a skip that is not seen is taken for a pass.
fn skipped(why: &str) {
    let said = format!("skipped: the published clients are not compared with ours: {why}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), said.as_bytes());
}

fn table() -> PathBuf {
    root().join("api/parity.tsv")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
