//! Policies that take the place of others while the Guardian runs: from a folder, and by the API. All of a
//! set or nothing of it.

use std::path::Path;
use std::time::Duration;

use agenttrust_guardian::Role;
use agenttrust_guardian::policy::PolicySet;
use agenttrust_testkit::{ADMIN, Answer, eventually_within};
use axum::http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Api, open, open_with};

pub(crate) const ALL: &str = r#"@id("all") permit (principal, action, resource);"#;
pub(crate) const NONE: &str =
    r#"@id("none") @reason("closed") forbid (principal, action, resource);"#;

pub(crate) fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// Returns a Guardian that reads its policies from a folder.
async fn with_folder(text: &str) -> (Api, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.cedar", text);
    let api = open_with(|builder| builder.policies(folder.path())).await;
    (api, folder)
}

pub(crate) async fn policies(api: &Api) -> Value {
    api.get("/api/v1/policies", ADMIN).await.ok().body
}

pub(crate) async fn put(api: &Api, files: &[(&str, &str)]) -> Answer {
    let files: Vec<_> =
        files.iter().map(|(name, text)| json!({ "name": name, "text": text })).collect();
    api.put("/api/v1/policies", ADMIN, json!({ "files": files })).await
}

pub(crate) async fn reload(api: &Api) -> Answer {
    api.ask(Method::POST, "/api/v1/policies/reload", ADMIN, None).await
}

/// Waits until the answer to `GET /api/v1/policies` is as it must be.
pub(crate) async fn until(api: &Api, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let look = async || {
        let now = policies(api).await;
        if is(&now) { Ok(now) } else { Err(now) }
    };
    // It takes about a second. This is for the test that would hang.
    eventually_within(Duration::from_secs(30), format!("never {what}"), look).await
}

pub(crate) fn has(id: &str) -> impl Fn(&Value) -> bool {
    move |now| now["policies"].as_array().unwrap().iter().any(|policy| policy["id"] == id)
}

pub(crate) fn is_refused(now: &Value) -> bool {
    !now["error"].is_null()
}

pub(crate) fn is_well(now: &Value) -> bool {
    now["error"].is_null()
}

#[tokio::test]
async fn a_set_that_is_put_is_in_force_at_once_and_audited() {
    let api = open().await;
    let (agent, key) = api.worker().await;
    let before = policies(&api).await;
    assert_eq!(before["source"], "built_in");
    api.check(&key, &agent, "search").await.allowed();

    let answer = put(&api, &[("b.cedar", NONE), ("a.cedar", ALL)]).await.ok().body;
    assert_eq!(answer["source"], "api");
    assert!(has("none")(&answer) && has("all")(&answer) && has("supervised-hold")(&answer));
    let denied = api.check(&key, &agent, "search").await;
    denied.denied("denied by policy `none`: closed");

    let rows = api.audit("policies.loaded").await;
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!(row["body"]["sha256"], answer["sha256"]);
    assert_eq!(row["body"]["before"], before["sha256"]);
    assert_eq!(row["body"]["ids"], json!(["supervised-hold", "all", "none"]));
    assert!(row["actor"].as_str().unwrap().starts_with("key_"));
}

#[tokio::test]
async fn what_each_policy_is_can_be_read() {
    let api = open().await;
    let text = r#"@id("a") @reason("why") @elevate @quorum("2") @window("10m") @limit("60/1m per session")
        permit (principal, action, resource);
        @shadow forbid (principal, action, resource);"#;
    let body = put(&api, &[("one.cedar", text)]).await.ok().body;
    let policy = |id: &str| {
        let all = body["policies"].as_array().unwrap();
        all.iter().find(|policy| policy["id"] == id).unwrap().clone()
    };
    assert_eq!(
        policy("a"),
        json!({
            "id": "a", "place": "one.cedar:1:1", "effect": "permit", "reason": "why",
            "elevate": { "quorum": 2, "window_seconds": 600, "single_use": false },
            "limit": { "most": 60, "within_seconds": 60, "per": "session" },
            "shadow": false, "would_have_changed": null,
        })
    );
    let shadow = policy("one.cedar#2");
    assert_eq!(shadow["effect"], "forbid");
    assert_eq!((&shadow["shadow"], &shadow["would_have_changed"]), (&json!(true), &json!(0)));
}

#[tokio::test]
async fn shadow_policies_are_counted_where_they_would_have_changed_a_decision() {
    let trial = r#"@id("trial") @shadow forbid (principal, action, resource == Tool::"search");"#;
    let api = open().await;
    put(&api, &[("a.cedar", ALL), ("b.cedar", trial)]).await.ok();
    let (agent, key) = api.worker().await;
    let weak = api.agent(&["files:*"]).await;
    for _ in 0..3 {
        api.check(&key, &agent, "search").await.allowed();
    }
    api.check(&key, &agent, "files_read").await.allowed();
    // Denied before any policy is asked.
    api.check(ADMIN, &weak, "search").await.denied("no capability");
    let count = |body: &Value| {
        let all = body["policies"].as_array().unwrap();
        all.iter().find(|policy| policy["id"] == "trial").unwrap()["would_have_changed"].clone()
    };
    assert_eq!(count(&policies(&api).await), 3);
    // The count goes on under another set that has it too.
    let more = r#"@id("more") permit (principal, action, resource);"#;
    let body =
        put(&api, &[("a.cedar", ALL), ("b.cedar", trial), ("c.cedar", more)]).await.ok().body;
    assert_eq!(count(&body), 3);
    let rows = api.audit("decision").await;
    let shadows: Vec<&Value> = rows.iter().map(|row| &row["body"]["shadow"]).collect();
    assert_eq!(
        shadows,
        [&json!("deny"), &json!("deny"), &json!("deny"), &json!("allow"), &Value::Null]
    );
}

#[tokio::test]
async fn a_bad_set_is_refused_with_its_place_and_the_old_one_stays() {
    let api = open().await;
    let before = put(&api, &[("a.cedar", ALL)]).await.ok().body;
    let deep = format!(
        "permit (principal, action, resource) when {{ {}true{} }};",
        "(".repeat(300),
        ")".repeat(300)
    );
    for (text, line, column, said) in [
        ("\n permit (principal, action resource);", 2, 28, "unexpected"),
        (r#"permit (principal, action == Action::"raed", resource);"#, 1, 30, "raed"),
        ("permit (principal, action, resource)\nwhen { context.nme == 1 };", 2, 8, "nme"),
        ("\n@elevte permit (principal, action, resource);", 2, 1, "did you mean `@elevate`"),
        (r#"  @limit("x") permit (principal, action, resource);"#, 1, 3, "@limit"),
        (r#"@limit("1/1m") forbid (principal, action, resource);"#, 1, 1, "`forbid`"),
        (
            r#"@id("x") permit (principal, action, resource); @id("x") permit (principal, action, resource);"#,
            1,
            48,
            "already given at b.cedar:1:1",
        ),
        (
            r#"@id("all") permit (principal, action, resource);"#,
            1,
            1,
            "already given at a.cedar:1:1",
        ),
        ("permit (principal == ?principal, action, resource);", 1, 1, "slot"),
        (deep.as_str(), 1, 300, "nests too deep"),
    ] {
        let answer = put(&api, &[("a.cedar", ALL), ("b.cedar", text)]).await;
        answer.refused(400, "VALIDATION_ERROR");
        let place = json!({ "file": "b.cedar", "line": line, "column": column });
        assert_eq!(answer.body["details"], place, "{answer:?}");
        let message = answer.text("message");
        assert!(message.starts_with(&format!("b.cedar:{line}:{column}: ")), "{message}");
        assert!(message.contains(said), "{message}");
        assert_eq!(policies(&api).await, before);
    }
    assert_eq!(api.audit("policies.loaded").await.len(), 1);
}

#[tokio::test]
async fn files_that_make_no_set_are_refused_by_their_field_and_the_old_set_stays() {
    let api = open().await;
    let before = put(&api, &[("a.cedar", ALL)]).await.ok().body;
    for (files, field) in [
        (json!([]), "files"),
        (
            json!([{ "name": "a.cedar", "text": ALL }, { "name": "a.cedar", "text": NONE }]),
            "files[1].name",
        ),
        (json!([{ "name": "../a.cedar", "text": ALL }]), "files[0].name"),
        (json!([{ "name": ".a.cedar", "text": ALL }]), "files[0].name"),
        (json!([{ "name": "a.txt", "text": ALL }]), "files[0].name"),
        (json!([{ "name": "a\n.cedar", "text": ALL }]), "files[0].name"),
        (json!([{ "name": "", "text": ALL }]), "files[0].name"),
        (json!([{ "name": "a.cedar" }]), "files[0].text"),
        (json!(vec![json!({ "name": "a.cedar", "text": "" }); 257]), "files"),
    ] {
        let answer = api.put("/api/v1/policies", ADMIN, json!({ "files": files })).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.body["details"]["field"], field, "{answer:?}");
    }
    put(&api, &[("empty.cedar", "// nothing\n")]).await.refused(400, "VALIDATION_ERROR");
    let long = " ".repeat(1 << 20);
    put(&api, &[("a.cedar", &long)]).await.refused(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(policies(&api).await, before);
    assert_eq!(api.audit("policies.loaded").await.len(), 1);
}

#[tokio::test]
async fn a_folder_is_changed_in_the_folder() {
    let (api, folder) = with_folder(ALL).await;
    let answer = put(&api, &[("a.cedar", NONE)]).await;
    answer.refused(409, "CONFLICT");
    assert!(answer.text("message").contains(folder.path().to_str().unwrap()), "{answer:?}");
    let api = open().await;
    let answer = reload(&api).await;
    answer.refused(409, "CONFLICT");
    assert!(answer.text("message").contains("PUT /api/v1/policies"), "{answer:?}");
}

#[tokio::test]
async fn a_reload_reads_the_folder_now() {
    let (api, folder) = with_folder(ALL).await;
    let (agent, key) = api.worker().await;
    write(folder.path(), "b.cedar", NONE);
    let body = reload(&api).await.ok().body;
    assert!(has("none")(&body));
    assert_eq!(body["folder"], folder.path().to_str().unwrap());
    api.check(&key, &agent, "search").await.denied("closed");
    // The same set again is no other one.
    reload(&api).await.ok();
    assert_eq!(api.audit("policies.loaded").await.len(), 1);
}

#[tokio::test]
async fn a_folder_that_changes_is_read_by_itself() {
    let (api, folder) = with_folder(ALL).await;
    let (agent, key) = api.worker().await;
    write(folder.path(), "a.cedar", NONE);
    let now = until(&api, "read again", has("none")).await;
    assert_eq!(now["source"], "folder");
    api.check(&key, &agent, "search").await.denied("closed");
    // A file that goes takes its policies with it.
    write(folder.path(), "b.cedar", ALL);
    until(&api, "with the new file", has("all")).await;
    std::fs::remove_file(folder.path().join("a.cedar")).unwrap();
    until(&api, "without the old file", |now| !has("none")(now)).await;
    api.check(&key, &agent, "search").await.allowed();
    let rows = api.audit("policies.loaded").await;
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row["body"]["source"] == "folder" && row["actor"].is_null()));
}

#[tokio::test]
async fn a_bad_folder_leaves_the_old_set_in_force_and_is_told_until_it_is_good_again() {
    let (api, folder) = with_folder(NONE).await;
    let (agent, key) = api.worker().await;
    let before = policies(&api).await;
    for (number, (name, bytes, line, column, said)) in [
        ("b.cedar", &b"\npermit (principal action, resource);"[..], 2, 19, "unexpected"),
        ("b.cedar", b"permit (principal, action, resource);\n// \xff", 2, 4, "UTF-8"),
        (
            "b.cedar",
            br#"@id("none") permit (principal, action, resource);"#,
            1,
            1,
            "already given at",
        ),
        ("b.cedar", b"@shdow permit (principal, action, resource);", 1, 1, "@shadow"),
    ]
    .into_iter()
    .enumerate()
    {
        write(folder.path(), name, bytes);
        let answer = reload(&api).await;
        answer.refused(409, "CONFLICT");
        let path = folder.path().join(name).display().to_string();
        let place = json!({ "file": path, "line": line, "column": column });
        assert_eq!(answer.body["details"], place, "{answer:?}");
        let message = answer.text("message");
        assert!(message.contains(&format!("{path}:{line}:{column}: ")), "{message}");
        assert!(message.contains(said), "{message}");

        let now = policies(&api).await;
        assert_eq!((&now["sha256"], &now["policies"]), (&before["sha256"], &before["policies"]));
        assert_eq!(
            (&now["error"]["line"], &now["error"]["column"]),
            (&json!(line), &json!(column))
        );
        assert_eq!(api.get("/health", "").await.ok().body["status"], "degraded");
        api.check(&key, &agent, "search").await.denied("closed");
        let rows = api.audit("policies.refused").await;
        assert_eq!(rows.len(), number + 1);
        assert!(rows[number]["body"]["error"].as_str().unwrap().contains(said));
        // The same fault is told once.
        reload(&api).await.refused(409, "CONFLICT");
        assert_eq!(api.audit("policies.refused").await.len(), number + 1);
    }
    std::fs::remove_file(folder.path().join("b.cedar")).unwrap();
    until(&api, "well again", is_well).await;
    assert_eq!(api.get("/health", "").await.ok().body["status"], "healthy");
    // The set is the one that was in force all along.
    assert_eq!(api.audit("policies.loaded").await.len(), 0);
}

#[tokio::test]
async fn a_folder_that_is_emptied_or_gone_does_not_take_the_policies_away() {
    let (api, folder) = with_folder(ALL).await;
    let (agent, key) = api.worker().await;
    std::fs::remove_file(folder.path().join("a.cedar")).unwrap();
    let now = until(&api, "refused", is_refused).await;
    assert!(now["error"]["message"].as_str().unwrap().contains("no *.cedar file"), "{now}");
    std::fs::remove_dir(folder.path()).unwrap();
    let answer = reload(&api).await;
    answer.refused(409, "CONFLICT");
    assert!(answer.text("message").contains("cannot be read"), "{answer:?}");
    api.check(&key, &agent, "search").await.allowed();
    std::fs::create_dir(folder.path()).unwrap();
    write(folder.path(), "a.cedar", NONE);
    until(&api, "well again", has("none")).await;
}

#[tokio::test]
async fn half_a_file_is_never_in_force() {
    let whole = format!("{ALL}\n{NONE}");
    let (api, folder) = with_folder(&whole).await;
    let (agent, key) = api.worker().await;
    // An editor that empties the file, writes the half that permits, and then the half that forbids: for
    // four seconds the file is never the same for two looks. Half of it is valid.
    for n in 0..20 {
        let padding = " ".repeat(n);
        write(folder.path(), "a.cedar", format!("{ALL}{padding}"));
        tokio::time::sleep(Duration::from_millis(200)).await;
        api.check(&key, &agent, "search").await.denied("closed");
    }
    write(folder.path(), "a.cedar", format!("{whole}\n// done"));
    let sha256 = PolicySet::parse("a.cedar", &format!("{whole}\n// done")).unwrap();
    until(&api, "read whole", |now| now["sha256"] == sha256.sha256()).await;
    api.check(&key, &agent, "search").await.denied("closed");
    assert_eq!(api.audit("policies.loaded").await.len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn links_that_are_turned_to_another_folder_are_followed() {
    use std::os::unix::fs::symlink;

    let mount = tempfile::tempdir().unwrap();
    let at = |name: &str| mount.path().join(name);
    // As Kubernetes mounts a ConfigMap: both versions are of one length and, here, of one time.
    let time = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    for (version, text) in [("..1", ALL), ("..2", NONE)] {
        std::fs::create_dir(at(version)).unwrap();
        let file = at(version).join("a.cedar");
        std::fs::write(&file, format!("{text:>100}")).unwrap();
        std::fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
    }
    symlink("..1", at("..data")).unwrap();
    symlink("..data/a.cedar", at("a.cedar")).unwrap();
    let api = open_with(|builder| builder.policies(mount.path())).await;
    assert!(has("all")(&policies(&api).await));
    symlink("..2", at("..next")).unwrap();
    std::fs::rename(at("..next"), at("..data")).unwrap();
    until(&api, "turned", has("none")).await;
}

#[tokio::test]
async fn a_change_that_keeps_length_and_time_is_seen() {
    let (api, folder) = with_folder(ALL).await;
    let file = folder.path().join("a.cedar");
    let time = std::fs::metadata(&file).unwrap().modified().unwrap();
    write(folder.path(), "a.cedar", ALL.replace("all", "new"));
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    until(&api, "read again", has("new")).await;
}

#[tokio::test]
async fn a_folder_without_a_good_set_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.cedar", "permit (principal, action, resorce);");
    let builder = agenttrust_guardian::Guardian::builder().policies(folder.path());
    let error = builder.build().await.unwrap_err().to_string();
    assert!(error.contains("a.cedar:1:28: "), "{error}");
}

#[tokio::test]
async fn nothing_changes_that_could_not_be_recorded() {
    let api = open().await;
    api.guardian.close().await;
    put(&api, &[("a.cedar", ALL)]).await.refused(503, "UNAVAILABLE");
}

#[tokio::test]
async fn names_are_told_to_the_policies_as_they_are() {
    let api = open().await;
    let odd = [
        r#""}; permit (principal, action, resource); //"#,
        r#"" || true || ""#,
        r#"Tool::"x""#,
        "'; DROP TABLE agents; --",
        r"\",
        "?principal",
        "*",
        "${jndi:ldap://x}",
    ];
    let text = format!(
        r#"@id("only") permit (principal in Group::{:?}, action, resource == Tool::{:?})
           when {{ principal.name == {:?} }};"#,
        odd[0], odd[0], odd[0]
    );
    put(&api, &[("a.cedar", &text)]).await.ok();
    for name in odd {
        let body = json!({ "name": name, "capabilities": ["*"], "metadata": { "groups": [name] } });
        let agent = api.post("/api/v1/agents", ADMIN, body).await.ok().text("id");
        for tool in odd {
            let answer = api.check(ADMIN, &agent, tool).await;
            if name == odd[0] && tool == odd[0] {
                answer.allowed();
            } else {
                answer.denied("no policy permits");
            }
        }
    }
}

#[tokio::test]
async fn groups_are_what_an_admin_registered() {
    let api = open().await;
    let text = r#"@id("ops") permit (principal in Group::"ops", action, resource);"#;
    put(&api, &[("a.cedar", text)]).await.ok();
    let register = async |groups: Value| {
        let metadata = json!({ "groups": groups });
        let body = json!({ "name": "worker", "capabilities": ["*"], "metadata": metadata });
        api.post("/api/v1/agents", ADMIN, body).await
    };
    let (member, other) =
        (register(json!(["ops", "night"])).await.ok(), register(json!(["Ops"])).await.ok());
    api.check(ADMIN, &member.text("id"), "search").await.allowed();
    api.check(ADMIN, &other.text("id"), "search").await.denied("no policy permits");
    for (groups, field) in [
        (json!("ops"), "metadata.groups"),
        (json!(["ops", 1]), "metadata.groups"),
        (json!({ "ops": true }), "metadata.groups"),
        (json!(["ops", ""]), "metadata.groups[1]"),
        (json!(["a\nb"]), "metadata.groups[0]"),
        (json!(null), "metadata.groups"),
    ] {
        let answer = register(groups).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.body["details"]["field"], field, "{answer:?}");
    }
    let agent_key = api.key(Role::Agent, &[&member.text("id")]).await;
    let body = json!({ "name": "x", "metadata": { "groups": ["ops"] } });
    api.post("/api/v1/agents", &agent_key, body).await.refused(403, "AUTH_DENIED");
}

/// A state that a file is brought into, and how.
#[cfg(unix)]
type Making<'f> = (&'static str, Box<dyn Fn() + 'f>);

/// Returns what cannot be read at once, or never ends: under the name of a policy file.
#[cfg(unix)]
fn unreadable(folder: &Path) -> [Making<'_>; 3] {
    let path = folder.join("b.cedar");
    let (pipe, device, inner) = (path.clone(), path.clone(), path);
    [
        (
            "a pipe",
            Box::new(move || {
                let done = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
                assert!(done.success());
            }),
        ),
        ("a device", Box::new(move || std::os::unix::fs::symlink("/dev/zero", &device).unwrap())),
        ("a folder", Box::new(move || std::fs::create_dir(&inner).unwrap())),
    ]
}

#[cfg(unix)]
/// Returns the parts that are degraded by the metrics.
async fn degraded(api: &Api) -> Vec<String> {
    let text = api.get("/metrics", ADMIN).await.ok().body;
    let lines = text.as_str().unwrap().lines();
    let parts = lines.filter_map(|line| {
        line.strip_prefix("agenttrust_degraded{check=\"")?.strip_suffix("\"} 1")
    });
    parts.map(str::to_owned).collect()
}

#[tokio::test]
async fn what_cannot_be_read_at_once_leaves_the_old_set_in_force_and_stops_nothing() {
    for place in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.cedar", ALL);
        let api = open_with(|builder| builder.policies(folder.path())).await;
        let (what, make) = &unreadable(folder.path())[place];
        make();
        let told = until(&api, "refused", is_refused).await;
        assert!(told.to_string().contains("no file of policies"), "{what}: {told}");
        assert!(told.to_string().contains("move it out of the policy folder"), "{what}: {told}");
        let health = api.get("/health", "").await.ok();
        assert_eq!(health.body["checks"]["policies"], "degraded", "{what}: {health:?}");
        assert_eq!(health.text("status"), "degraded", "{what}");
        assert_eq!(degraded(&api).await, ["policies"], "{what}");
        let (agent, key) = api.worker().await;
        api.check(&key, &agent, "send_mail").await.allowed();
        reload(&api).await.refused(409, "CONFLICT");
        // Once it is gone, the next set is read.
        let path = folder.path().join("b.cedar");
        if path.is_dir() && !path.is_symlink() {
            std::fs::remove_dir(&path).unwrap();
        } else {
            std::fs::remove_file(&path).unwrap();
        }
        write(folder.path(), "a.cedar", NONE);
        until(&api, "none", has("none")).await;
        assert_eq!(api.get("/health", "").await.ok().text("status"), "healthy", "{what}");
        assert!(degraded(&api).await.is_empty(), "{what}");
        api.guardian.close().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn guardian_does_not_start_with_what_cannot_be_read_at_once() {
    for place in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "a.cedar", ALL);
        let (what, make) = &unreadable(folder.path())[place];
        make();
        let builder = agenttrust_guardian::Guardian::builder().policies(folder.path());
        let said = builder.build().await.unwrap_err().to_string();
        assert!(said.contains("b.cedar") && said.contains("move it out"), "{what}: {said}");
    }
}

#[tokio::test]
async fn more_policies_than_a_set_has_are_refused_with_their_number_by_either_way() {
    let many = "permit (principal, action, resource);\n".repeat(10_001);
    let api = open().await;
    let before = put(&api, &[("a.cedar", ALL)]).await.ok().body;
    let answer = put(&api, &[("a.cedar", &many)]).await;
    answer.refused(400, "VALIDATION_ERROR");
    let said = answer.text("message");
    assert!(said.contains("has 10001 policies, and 10000 is the most"), "{said}");
    assert_eq!(policies(&api).await, before);

    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a.cedar", ALL);
    let api = open_with(|builder| builder.policies(folder.path())).await;
    write(folder.path(), "b.cedar", many);
    let now = until(&api, "refused", is_refused).await;
    let said = now["error"]["message"].as_str().unwrap();
    assert!(said.contains("has 10002 policies, and 10000 is the most"), "{said}");
    assert!(has("all")(&now), "{now}");
}
