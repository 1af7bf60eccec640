//! What the log says of a policy folder that changes under a Guardian.

use std::path::Path;

use serde_json::json;

use crate::program::{DEV_KEY, Program};

async fn serve(folder: &Path) -> Program {
    let arguments = ["--dev", "--policies", folder.to_str().unwrap()];
    Program::serve(&arguments, &[]).await
}

#[tokio::test]
async fn forbid_that_is_lost_is_warned_of_with_its_name_and_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("10-permit.cedar", "permit (principal, action, resource);");
    write("90-forbid.cedar", "// all\n@id(\"closed\") forbid (principal, action, resource);");
    let program = serve(folder.path()).await;
    // Written in another way, in another file and by another name it forbids the same.
    write("80-forbid.cedar", "@id(\"shut\")\nforbid(principal,action,resource);");
    std::fs::remove_file(folder.path().join("90-forbid.cedar")).unwrap();
    let has = async |id: &str| {
        let now = program.get("/api/v1/policies", DEV_KEY).await.text().await.unwrap();
        now.contains(id)
    };
    agenttrust_testkit::eventually("shut is not in force", async || has("\"shut\"").await).await;
    assert!(!program.log().contains("policies that forbid"), "{}", program.log());
    write("80-forbid.cedar", "@id(\"shut\") @elevate forbid (principal, action, resource);");
    program.logs("policies that forbid, hold or limit are gone or changed").await;
    let log = program.log();
    let told = log.lines().find(|line| line.contains("policies that forbid")).unwrap();
    assert!(told.contains("WARN") && told.contains("`shut` of 80-forbid.cedar:1:1"), "{told}");
}

#[tokio::test]
async fn folder_that_vanishes_is_told_of_once() {
    let place = tempfile::tempdir().unwrap();
    let (folder, away) = (place.path().join("policies"), place.path().join("away"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.cedar"), "permit (principal, action, resource);").unwrap();
    let program = serve(&folder).await;
    std::fs::rename(&folder, &away).unwrap();
    let says = "the policies are not usable, so the ones in force stay";
    program.logs(says).await;
    // Longer than between two tries.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    let (_, agent) = program
        .post("/api/v1/agents", DEV_KEY, &json!({ "name": "w", "capabilities": ["*"] }))
        .await;
    let check = json!({ "agent_id": agent["id"], "action_name": "wipe" });
    assert_eq!(program.post("/api/v1/agenttrust/check", DEV_KEY, &check).await.1["allowed"], true);
    assert_eq!(program.log().matches(says).count(), 1, "{}", program.log());
    std::fs::rename(&away, &folder).unwrap();
    program.logs("the policy folder holds the set again that is in force").await;
}

#[cfg(unix)]
#[tokio::test]
async fn forbid_stays_while_a_link_is_turned_away_from_it_and_back_and_goes_once_it_stands_still() {
    use std::os::unix::fs::symlink;

    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    for version in ["with", "without"] {
        std::fs::create_dir(at(version)).unwrap();
        let all = "@id(\"all\") permit (principal, action, resource);";
        std::fs::write(at(version).join("10-permit.cedar"), all).unwrap();
    }
    let forbid = "@id(\"closed\") forbid (principal, action, resource);";
    std::fs::write(at("with/90-forbid.cedar"), forbid).unwrap();
    let turn = {
        let (next, link) = (at("next"), at("policies"));
        move |version: &str| {
            symlink(version, &next).unwrap();
            std::fs::rename(&next, &link).unwrap();
        }
    };
    turn("with");
    let program = serve(&at("policies")).await;
    let has_forbid = async || {
        let now = program.get("/api/v1/policies", DEV_KEY).await.text().await.unwrap();
        now.contains("\"closed\"")
    };
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    // Whoever looks now and then sees it lead nowhere else.
    let turning = std::thread::spawn(move || {
        while stopped.recv_timeout(std::time::Duration::from_millis(100)).is_err() {
            turn("with");
            turn("without");
        }
    });
    program.logs("keep changing, so what is in them is not in force").await;
    assert!(has_forbid().await, "{}", program.log());
    stop.send(()).unwrap();
    turning.join().unwrap();
    agenttrust_testkit::eventually("the forbid stays", async || !has_forbid().await).await;
    assert_eq!(program.log().matches("keep changing").count(), 1, "{}", program.log());
}
