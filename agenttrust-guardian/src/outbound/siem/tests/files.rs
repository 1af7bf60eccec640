//! Files of JSON lines.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;

/// Returns a folder that was opened, and a client that may write in it.
fn opened() -> (tempfile::TempDir, Outbound) {
    let folder = tempfile::tempdir().unwrap();
    let outbound = patient().writing_in(vec![folder.path().to_owned()]);
    (folder, outbound)
}

async fn write(outbound: &Outbound, path: &Path, events: &[SiemEvent]) -> Delivery {
    let url = format!("file://{}", path.display());
    deliver(outbound, (DestinationKind::File, &url), None, events).await
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'), "{text:?}");
    text.lines().map(str::to_owned).collect()
}

fn json(events: &[SiemEvent]) -> Vec<String> {
    let ends = [("\u{2028}", "\\u2028"), ("\u{2029}", "\\u2029"), ("\u{85}", "\\u0085")];
    let escaped = |json: &str| {
        ends.iter().fold(json.to_owned(), |json, (end, escaped)| json.replace(end, escaped))
    };
    events.iter().map(|event| escaped(&event.json)).collect()
}

#[tokio::test]
async fn lines_are_appended_for_the_owner_alone() {
    let (folder, outbound) = opened();
    let path = folder.path().join("events.jsonl");
    let all = events(30);
    for batch in all.chunks(10) {
        assert_eq!(write(&outbound, &path, batch).await, Delivery::taken(None));
    }
    assert_eq!(lines(&path), json(&all));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // An operator may let others read.
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    write(&outbound, &path, &all).await;
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
}

#[tokio::test]
async fn file_that_was_moved_away_is_made_again() {
    let (folder, outbound) = opened();
    let (path, moved) = (folder.path().join("events.jsonl"), folder.path().join("events.1"));
    let all = events(4);
    write(&outbound, &path, &all[..2]).await;
    fs::rename(&path, &moved).unwrap();
    assert_eq!(write(&outbound, &path, &all[2..]).await, Delivery::taken(None));
    assert_eq!((lines(&moved), lines(&path)), (json(&all[..2]), json(&all[2..])));
    fs::remove_file(&path).unwrap();
    assert_eq!(write(&outbound, &path, &all[2..]).await, Delivery::taken(None));
    assert_eq!(lines(&path), json(&all[2..]));
}

#[tokio::test]
async fn line_that_was_torn_is_ended_before_another_one_begins() {
    let (folder, outbound) = opened();
    let path = folder.path().join("events.jsonl");
    let all = events(2);
    fs::write(&path, format!("{}\n{{\"metadata\":{{\"ui", all[0].json)).unwrap();
    assert_eq!(write(&outbound, &path, &all[1..]).await, Delivery::taken(None));
    let whole = json(&all[1..]).remove(0);
    assert_eq!(lines(&path), [&all[0].json, "{\"metadata\":{\"ui", &whole]);
}

#[tokio::test]
async fn link_is_not_followed_and_what_is_no_file_is_not_written_to() {
    let (folder, outbound) = opened();
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("passwd");
    fs::write(&target, "kept").unwrap();
    let path = |name: &str| folder.path().join(format!("{name}.log"));
    symlink(&target, path("link")).unwrap();
    symlink(elsewhere.path().join("new"), path("dangling")).unwrap();
    fs::hard_link(&target, path("second")).unwrap();
    fs::create_dir(path("folder")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap();
    assert!(pipe.success());
    for (name, says) in [
        ("link", "links are not followed"),
        ("dangling", "links are not followed"),
        ("second", "a second name"),
        ("folder", "directory"),
        ("pipe", "cannot be written to"),
    ] {
        let why = reason(write(&outbound, &path(name), &events(1)).await);
        assert!(why.contains(says), "{name}: {why}");
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
    assert!(!elsewhere.path().join("new").exists());
}

#[tokio::test]
async fn only_files_in_folders_that_were_opened_are_written() {
    let (folder, outbound) = opened();
    let below = folder.path().join("below");
    fs::create_dir(&below).unwrap();
    let shown = folder.path().display();
    for url in [
        "file:///etc/passwd".to_owned(),
        format!("file://{shown}/below/events.jsonl"),
        format!("file://{shown}/../events.jsonl"),
        format!("file://{shown}/below/%2e%2e/%2e%2e/events.jsonl"),
        format!("file://{shown}"),
        format!("file://{shown}-2/events.jsonl"),
    ] {
        let error = outbound.endpoint(DestinationKind::File, &url).unwrap_err();
        assert!(error.to_string().contains("a folder that was not opened"), "{url}: {error}");
    }
    for url in [
        format!("{shown}/events.jsonl"),
        "events.jsonl".to_owned(),
        "file:".to_owned(),
        "file:///".to_owned(),
        format!("file://elsewhere.example{shown}/events.jsonl"),
        format!("file://{shown}/a%0ab"),
        format!("file://{shown}/events.jsonl?a"),
        format!("https://{shown}/events.jsonl"),
    ] {
        assert!(outbound.endpoint(DestinationKind::File, &url).is_err(), "{url}");
    }
    for end in ["/", "/.", "//", "/./"] {
        let url = format!("file://{shown}/events.jsonl{end}");
        let error = outbound.endpoint(DestinationKind::File, &url).unwrap_err();
        assert!(error.to_string().contains("ends with a /"), "{url}: {error}");
    }
    for name in [
        "guardian.db",
        "guardian.db.secret-key",
        "a.cedar",
        "a.json",
        "a.pem",
        ".events.jsonl",
        "jsonl",
    ] {
        let url = format!("file://{shown}/{name}");
        let error = outbound.endpoint(DestinationKind::File, &url).unwrap_err();
        assert!(error.to_string().contains("not one of events"), "{url}: {error}");
    }
    // Opened once, and not any more after a restart.
    let url = format!("file://{shown}/events.jsonl");
    let endpoint = outbound.endpoint(DestinationKind::File, &url).unwrap();
    let all = events(1);
    let batch = Batch { id: "msg_1", events: &all, host: "guardian-1" };
    let why = reason(patient().deliver(&endpoint, None, &batch).await);
    assert!(why.contains("--siem-files"), "{why}");
    assert!(!folder.path().join("events.jsonl").exists());
}

#[tokio::test]
async fn file_that_cannot_be_written_is_tried_again() {
    let (folder, outbound) = opened();
    let path = folder.path().join("events.jsonl");
    let endpoint = outbound.endpoint(DestinationKind::File, &format!("file://{}", path.display()));
    let endpoint = endpoint.unwrap();
    let shown = folder.path().to_owned();
    folder.close().unwrap();
    let all = events(1);
    let batch = Batch { id: "msg_1", events: &all, host: "guardian-1" };
    let why = reason(outbound.deliver(&endpoint, None, &batch).await);
    assert!(why.contains("No such file or directory"), "{why}");
    // A disk that does not answer holds one thread, and no second one.
    fs::create_dir(&shown).unwrap();
    let in_use = outbound.files.take(&path).unwrap();
    for spelled in ["/events.jsonl", "//events.jsonl", "/./events.jsonl", "/%65vents.jsonl"] {
        let url = format!("file://{}{spelled}", shown.display());
        let endpoint = outbound.endpoint(DestinationKind::File, &url).unwrap();
        let why = reason(outbound.deliver(&endpoint, None, &batch).await);
        assert!(why.contains("an earlier attempt"), "{url}: {why}");
    }
    drop(in_use);
    assert_eq!(outbound.deliver(&endpoint, None, &batch).await, Delivery::taken(None));
    fs::remove_dir_all(&shown).unwrap();
}

#[tokio::test]
async fn file_that_holds_something_else_is_left_as_it_is() {
    let (folder, outbound) = opened();
    let path = folder.path().join("guardian.log");
    fs::write(&path, "SQLite format 3\0").unwrap();
    let endpoint = outbound.endpoint(DestinationKind::File, &format!("file://{}", path.display()));
    let all = events(1);
    let batch = Batch { id: "msg_1", events: &all, host: "guardian-1" };
    let why = reason(outbound.deliver(&endpoint.unwrap(), None, &batch).await);
    assert!(why.contains("something other than events"), "{why}");
    assert_eq!(fs::read(&path).unwrap(), b"SQLite format 3\0");
}
