//! A file of checkpoints that cannot be written: at the start, and while its Guardian is at work.

use std::io::Write;
use std::process::Command;

use agenttrust_guardian::Guardian;
use agenttrust_testkit::{ADMIN, eventually};
use serde_json::{Value, json};

use crate::damaged::Disk;
use crate::program::Program;

/// Fills a file up to the end of a page of its disk.
fn fill_page(file: &std::path::Path) {
    const PAGE: usize = 4_096;
    let mut file = std::fs::OpenOptions::new().append(true).open(file).unwrap();
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    file.write_all(&vec![b'\n'; PAGE - length % PAGE]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_go_on_while_the_file_is_on_a_full_disk_and_it_is_caught_up_with_afterwards() {
    let Some(disk) = Disk::or_skip("1m") else { return };
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db");
    let file = disk.at("at.checkpoints");
    let (database, path) = (database.to_str().unwrap(), file.to_str().unwrap());
    let arguments = ["--database", database, "--audit-checkpoints", path];
    let program = Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", ADMIN)]).await;
    let worker = json!({ "name": "worker", "capabilities": ["*"] });
    let (_, worker) = program.post("/api/v1/agents", ADMIN, &worker).await;
    let is_noted = async || {
        let told = program.read("/api/v1/audit/logs", ADMIN).await;
        let text = std::fs::read_to_string(&file).unwrap();
        let mut lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.next_back().is_some_and(|last| last["seq"] == told["logs"][0]["newest"])
    };
    eventually("it is not noted", is_noted).await;
    fill_page(&file);
    disk.fill();
    for _ in 0..3 {
        let body = json!({ "agent_id": worker["id"], "action_name": "send_mail" });
        let (_, answer) = program.post("/api/v1/agenttrust/check", ADMIN, &body).await;
        assert_eq!(answer["allowed"], true, "{answer}");
    }
    program.logs("the audit cannot be noted outside of the database").await;
    assert!(!is_noted().await);
    disk.make_room();
    eventually("it is not caught up with", is_noted).await;
    program.logs("is noted outside of the database again").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn file_that_can_only_be_read_is_refused_at_the_start_by_name() {
    let Some(disk) = Disk::or_skip("1m") else { return };
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db");
    let file = disk.at("at.checkpoints");
    let build = || {
        let builder = Guardian::builder().database(database.to_str().unwrap()).admin_key(ADMIN);
        builder.audit_checkpoints(&file).build()
    };
    build().await.unwrap().close().await;
    let only_read = Command::new("mount").args(["-o", "remount,ro"]).arg(disk.at("")).status();
    assert!(only_read.unwrap().success());
    let refused = build().await.expect_err("it starts").to_string();
    assert!(refused.contains("at.checkpoints") && refused.contains("can be added to"), "{refused}");
}
