//! A policy folder in bad hands: emptied, half-way, gone, a link, unreadable. What was forbidden stays so until someone
//! means it.

use std::path::Path;
use std::time::{Duration, Instant};

use agenttrust_guardian::Guardian;
use agenttrust_testkit::ADMIN;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::policies::{ALL, NONE, has, is_refused, is_well, policies, put, reload, until, write};
use crate::support::{Api, open, open_with};

const FORBIDS: &str = "90-forbid.cedar";

/// Returns a Guardian whose folder permits everything in one file and forbids it in another, with an agent and its key.
async fn with_forbid() -> (Api, TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "10-permit.cedar", ALL);
    write(folder.path(), FORBIDS, NONE);
    let api = open_with(|builder| builder.policies(folder.path())).await;
    let (agent, key) = api.worker().await;
    api.check(&key, &agent, "search").await.denied("closed");
    (api, folder, agent, key)
}

fn message(now: &Value) -> &str {
    now["error"]["message"].as_str().unwrap()
}

#[tokio::test]
async fn file_that_is_emptied_keeps_its_policies_until_it_has_content_or_is_deleted() {
    let (api, folder, agent, key) = with_forbid().await;
    let before = policies(&api).await;
    for text in ["", " \n", "\u{feff}", "// nothing is forbidden\n"] {
        write(folder.path(), FORBIDS, text);
        let now = until(&api, "refused", is_refused).await;
        assert!(message(&now).contains(FORBIDS), "{text:?}: {now}");
        assert!(message(&now).contains("remove the file to take back"), "{text:?}: {now}");
        assert_eq!(now["sha256"], before["sha256"]);
        reload(&api).await.refused(409, "CONFLICT");
        api.check(&key, &agent, "search").await.denied("closed");
        // An editor that was half-way.
        write(folder.path(), FORBIDS, NONE);
        until(&api, "whole again", is_well).await;
    }
    write(folder.path(), FORBIDS, "");
    until(&api, "refused", is_refused).await;
    write(folder.path(), FORBIDS, NONE.replace("none", "content"));
    until(&api, "read", has("content")).await;
    write(folder.path(), FORBIDS, "");
    until(&api, "refused", is_refused).await;
    std::fs::remove_file(folder.path().join(FORBIDS)).unwrap();
    until(&api, "deleted", |now| !has("content")(now)).await;
    api.check(&key, &agent, "search").await.allowed();
    assert_eq!(api.get("/health", "").await.ok().body["status"], "healthy");
}

#[tokio::test]
async fn folder_with_an_empty_file_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "10-permit.cedar", ALL);
    write(folder.path(), FORBIDS, "");
    let builder = Guardian::builder().policies(folder.path());
    let error = builder.build().await.unwrap_err().to_string();
    assert!(error.contains(FORBIDS) && error.contains("no policy here"), "{error}");
}

#[tokio::test]
async fn change_that_loses_a_forbid_takes_effect_once_it_has_stood_still_for_two_seconds() {
    let (api, folder, agent, key) = with_forbid().await;
    let permit = r#"@id("other") permit (principal, action, resource);"#;
    let changed = Instant::now();
    write(folder.path(), FORBIDS, permit);
    until(&api, "without the forbid", |now| !has("none")(now)).await;
    assert!(changed.elapsed() >= Duration::from_secs(2), "{:?}", changed.elapsed());
    api.check(&key, &agent, "search").await.allowed();

    // What only forbids more is not waited for, and what is taken back in time was never in force.
    write(folder.path(), FORBIDS, NONE);
    until(&api, "with the forbid", has("none")).await;
    let loaded = api.audit("policies.loaded").await.len();
    std::fs::remove_file(folder.path().join(FORBIDS)).unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    api.check(&key, &agent, "search").await.denied("closed");
    write(folder.path(), FORBIDS, NONE);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(api.audit("policies.loaded").await.len(), loaded);
    api.check(&key, &agent, "search").await.denied("closed");
}

#[tokio::test]
async fn someone_who_says_so_takes_a_forbid_back_at_once() {
    let (api, folder, agent, key) = with_forbid().await;
    std::fs::remove_file(folder.path().join(FORBIDS)).unwrap();
    reload(&api).await.ok();
    api.check(&key, &agent, "search").await.allowed();

    let api = open().await;
    let (agent, key) = api.worker().await;
    put(&api, &[("a.cedar", ALL), ("b.cedar", NONE)]).await.ok();
    api.check(&key, &agent, "search").await.denied("closed");
    put(&api, &[("a.cedar", ALL), ("b.cedar", "")]).await.refused(400, "VALIDATION_ERROR");
    api.check(&key, &agent, "search").await.denied("closed");
    put(&api, &[("a.cedar", ALL)]).await.ok();
    api.check(&key, &agent, "search").await.allowed();
}

#[cfg(unix)]
#[tokio::test]
async fn folder_that_is_a_link_is_followed_where_it_is_turned_to() {
    use std::os::unix::fs::symlink;

    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    for (version, text) in [("one", ALL), ("two", NONE)] {
        std::fs::create_dir(at(version)).unwrap();
        write(&at(version), "a.cedar", text);
    }
    symlink("one", at("policies")).unwrap();
    let api = open_with(|builder| builder.policies(at("policies"))).await;
    assert!(has("all")(&policies(&api).await));
    symlink("two", at("next")).unwrap();
    std::fs::rename(at("next"), at("policies")).unwrap();
    until(&api, "turned", has("none")).await;
    write(&at("two"), "a.cedar", NONE.replace("none", "changed"));
    until(&api, "changed behind the link", has("changed")).await;
    // To nowhere, and back.
    std::fs::rename(at("two"), at("away")).unwrap();
    let now = until(&api, "refused", is_refused).await;
    assert!(message(&now).contains("cannot be read"), "{now}");
    assert!(has("changed")(&now));
    std::fs::rename(at("away"), at("two")).unwrap();
    until(&api, "back", is_well).await;
}

#[tokio::test]
async fn folder_that_vanishes_leaves_its_set_in_force_until_it_is_back_and_says_so_once() {
    let place = tempfile::tempdir().unwrap();
    let (folder, away) = (place.path().join("policies"), place.path().join("away"));
    std::fs::create_dir(&folder).unwrap();
    let reads = r#"@id("reads") permit (principal, action == Action::"read", resource);"#;
    write(&folder, "a.cedar", reads);
    let api = open_with(|builder| builder.policies(&folder)).await;
    let (agent, key) = api.worker().await;
    std::fs::rename(&folder, &away).unwrap();
    until(&api, "refused", is_refused).await;
    // Longer than between two tries.
    tokio::time::sleep(Duration::from_secs(6)).await;
    api.check(&key, &agent, "search").await.allowed();
    api.check(&key, &agent, "write_file").await.denied("no policy permits");
    assert_eq!(api.audit("policies.refused").await.len(), 1);
    write(&away, "b.cedar", NONE);
    std::fs::rename(&away, &folder).unwrap();
    until(&api, "back", has("none")).await;
    api.check(&key, &agent, "search").await.denied("closed");
}

#[cfg(unix)]
#[tokio::test]
async fn file_that_cannot_be_taken_is_named_and_the_old_set_stays() {
    use std::os::unix::fs::symlink;

    let (api, folder, agent, key) = with_forbid().await;
    let path = folder.path().join("b.cedar");
    let deep = format!(
        "forbid (principal, action, resource) when {{ {} 1 == 2 }};",
        "1 + ".repeat(33_000)
    );
    type Make<'m> = Box<dyn Fn(&Path) + 'm>;
    let makes: [(&str, Make<'_>); 4] = [
        ("cannot be read", Box::new(|path| symlink("nowhere.cedar", path).unwrap())),
        ("cannot be read", Box::new(|path| symlink("b.cedar", path).unwrap())),
        (
            "longer than 1048576 bytes; split it",
            Box::new(|path| {
                std::fs::write(path, vec![b' '; (1 << 20) + 1]).unwrap();
            }),
        ),
        ("nests too deep here", Box::new(|path| std::fs::write(path, &deep).unwrap())),
    ];
    for (said, make) in makes {
        make(&path);
        let now = until(&api, "refused", is_refused).await;
        assert_eq!(now["error"]["file"], path.to_str().unwrap(), "{now}");
        assert!(message(&now).contains(said), "{now}");
        api.check(&key, &agent, "search").await.denied("closed");
        std::fs::remove_file(&path).unwrap();
        until(&api, "well again", is_well).await;
    }
}

#[tokio::test]
async fn policy_that_nests_too_deep_is_refused_with_its_place_and_ends_nothing() {
    let api = open().await;
    let before = put(&api, &[("a.cedar", ALL)]).await.ok().body;
    for deep in [
        format!("{}1 == 2", "1 + ".repeat(33_000)),
        format!("{}context.approved", "context.scopes.contains(\"a\") || ".repeat(20_000)),
    ] {
        let text = format!("{ALL}\n\nforbid (principal, action, resource)\nwhen {{ {deep} }};");
        let answer = put(&api, &[("b.cedar", &text.replace("all", "b"))]).await;
        answer.refused(400, "VALIDATION_ERROR");
        let message = answer.text("message");
        assert!(message.starts_with("b.cedar:4:"), "{message}");
        assert!(message.contains("that begins in line 3 nests too deep here: 256"), "{message}");
        assert_eq!(answer.body["details"]["file"], "b.cedar");
        assert_eq!(policies(&api).await, before);
    }
    assert_eq!(api.get("/api/v1/policies", ADMIN).await.ok().body["error"], json!(null));
}
