//! A policy folder on a disk that is full: a file that is cut by that lifts nothing.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use agenttrust_testkit::{ADMIN, eventually_within};

use crate::damaged::Disk;
use crate::support::open_with;

const PERMIT: &str = "permit (principal, action, resource);";
const FORBID: &str = "@id(\"closed\") forbid (principal, action, resource);";

#[tokio::test]
async fn policy_file_that_a_full_disk_cut_keeps_its_policies() {
    let Some(disk) = Disk::or_skip("128k") else { return };
    let write = |name: &str, text: &str| std::fs::write(disk.at(name), text);
    write("a.cedar", PERMIT).unwrap();
    write("b.cedar", FORBID).unwrap();
    let api = open_with(|builder| builder.policies(disk.at(""))).await;
    let (agent, key) = api.worker().await;
    // It is emptied to be written, and others take what room that made.
    let mut file = File::create(disk.at("b.cedar")).unwrap();
    disk.fill();
    file.write_all(FORBID.as_bytes()).unwrap_err();
    drop(file);
    let refused = async || {
        let now = api.get("/api/v1/policies", ADMIN).await.ok().body;
        if now["error"].is_null() { Err(now) } else { Ok(()) }
    };
    eventually_within(Duration::from_secs(30), "the cut file was taken", refused).await;
    api.check(&key, &agent, "search").await.denied("closed");
}

#[test]
fn policy_file_is_formatted_whole_or_not_at_all_where_the_disk_is_full() {
    let Some(disk) = Disk::or_skip("128k") else { return };
    let odd = format!("forbid(principal,action,resource);{}", "//x\n".repeat(2_000));
    std::fs::write(disk.at("a.cedar"), &odd).unwrap();
    disk.fill();
    let format = |folder: &Path| {
        let program = env!("CARGO_BIN_EXE_agenttrust");
        Command::new(program).args(["policy", "fmt"]).arg(folder).output().unwrap()
    };
    let output = format(&disk.at(""));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("a.cedar cannot be written"),
        "{output:?}"
    );
    assert_eq!(std::fs::read_to_string(disk.at("a.cedar")).unwrap(), odd);
    disk.make_room();
    assert!(format(&disk.at("")).status.success());
    assert_ne!(std::fs::read_to_string(disk.at("a.cedar")).unwrap(), odd);
    let left: Vec<_> = std::fs::read_dir(disk.at("")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
