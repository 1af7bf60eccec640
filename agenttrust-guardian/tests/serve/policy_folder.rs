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
