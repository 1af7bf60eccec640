//! Settings: from where they come, what is said of wrong ones, and that they are what is run with.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use crate::program::{DEV_KEY, Program, client, refused, run, text};

/// Returns a folder with a file of settings in it, which is its owner's alone, and the path of that
/// file.
fn file(settings: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("at.toml");
    std::fs::write(&path, settings).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

async fn printed(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let all = [&["serve", "--print-config"], arguments].concat();
    let output = run(&all, environment).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
fn has(page: &str, line: &str) {
    assert!(page.lines().any(|other| other == line), "{line:?} is not in\n{page}");
}

#[tokio::test]
async fn flag_wins_over_environment_and_that_over_the_file_and_that_over_the_default() {
    let (_folder, file) = file(
        "# settings\nlisten = \"127.0.0.1:1\"\napproval-ttl = \"1m\"\nsession-ttl = \"2h\"\n\
         allow-self-approval = true\n",
    );
    let environment = [
        ("AGENTTRUST_LISTEN", "127.0.0.1:2"),
        ("AGENTTRUST_APPROVAL_TTL", "3m"),
        ("AGENTTRUST_LOG", ""),
    ];
    let page = printed(&["--config", &file, "--listen", "127.0.0.1:3"], &environment).await;
    has(&page, "listen = \"127.0.0.1:3\" # flag --listen");
    has(&page, "approval-ttl = \"3m\" # environment AGENTTRUST_APPROVAL_TTL");
    has(&page, &format!("session-ttl = \"2h\" # file {file:?}, line 4"));
    has(&page, &format!("allow-self-approval = true # file {file:?}, line 5"));
    has(&page, "log = \"info\" # default");
    has(&page, "# tls-cert is not set");

    let page = printed(&["--allow-self-approval=false"], &[("AGENTTRUST_CONFIG", &file)]).await;
    has(&page, "allow-self-approval = false # flag --allow-self-approval");
    has(&page, &format!("listen = \"127.0.0.1:1\" # file {file:?}, line 2"));
}

#[tokio::test]
async fn printed_settings_are_a_file_that_sets_them_so_again() {
    let first = printed(
        &[
            "--policies",
            "odd \"name\"\n",
            "--replica",
            "one",
            "--metrics-listen",
            "[::1]:9",
            "--dev",
        ],
        &[],
    )
    .await;
    let (_folder, file) = file(&first);
    let second = printed(&["--config", &file], &[]).await;
    let values = |page: &str| page.parse::<toml::Table>().unwrap();
    assert_eq!(values(&second), values(&first));
    assert_eq!(values(&first)["policies"].as_str(), Some("odd \"name\"\n"));
    assert!(second.contains(", line "), "{second}");
}

#[tokio::test]
async fn every_setting_has_its_flag_its_variable_and_its_place_in_the_file() {
    let page = printed(&["--tls-cert", "c", "--tls-key", "k", "--policies", "p"], &[]).await;
    let help = text(&run(&["serve", "--help"], &[]).await.stdout);
    let mut names: Vec<String> = page.parse::<toml::Table>().unwrap().keys().cloned().collect();
    let unset = [
        "metrics-listen",
        "public-url",
        "trust-domain",
        "max-connections",
        "allow-outbound",
        "outbound-ca",
        "siem-files",
    ];
    names.extend(unset.map(str::to_owned));
    assert!(names.len() >= 16, "{page}");
    for name in names {
        assert!(help.contains(&format!("--{name}")), "{name}: {help}");
        let (value, quoted) = match name.as_str() {
            "dev" | "allow-self-approval" | "dpop-nonces" => ("true", "true"),
            "approval-ttl" | "session-ttl" | "mcp-hold" | "mcp-timeout" => ("7m", "\"7m\""),
            "check-deadline" => ("700ms", "\"700ms\""),
            "max-requests" | "max-connections" => ("700", "700"),
            "public-url" => ("https://a7", "[\"https://a7\"]"),
            "allow-outbound" => ("10.7.0.0/16", "[\"10.7.0.0/16\"]"),
            "siem-files" => ("/a7", "[\"/a7\"]"),
            "log-format" => ("json", "\"json\""),
            _ => ("a7", "\"a7\""),
        };
        // Half of a pair is refused.
        let both = [("tls-cert", "AGENTTRUST_TLS_CERT"), ("tls-key", "AGENTTRUST_TLS_KEY")]
            .map(|(_, variable)| (variable, "x"));
        let environment = if name.starts_with("tls") { &both[..] } else { &[] };
        let flag = format!("--{name}={value}");
        has(&printed(&[&flag], environment).await, &format!("{name} = {quoted} # flag --{name}"));
        let variable = format!("AGENTTRUST_{}", name.to_uppercase().replace('-', "_"));
        let set = [environment, &[(variable.as_str(), value)]].concat();
        let line = format!("{name} = {quoted} # environment {variable}");
        has(&printed(&[], &set).await, &line);
        let (_folder, file) = file(&format!("{name} = {quoted}\n"));
        let others: Vec<_> =
            environment.iter().copied().filter(|(other, _)| *other != variable).collect();
        let page = printed(&["--config", &file], &others).await;
        has(&page, &format!("{name} = {quoted} # file {file:?}, line 1"));
    }
}

#[tokio::test]
async fn settings_are_printed_without_secrets_and_without_opening_anything() {
    let (folder, file) = file("admin-key = \"sk_live_from_the_file\"\nsecret-key = \"hunter2\"\n");
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let page = printed(&["--config", &file, "--database", &database], &[]).await;
    has(
        &page,
        &format!("# admin-key = \"(hidden)\" # file {file:?}, line 1, hidden in part or whole"),
    );
    assert!(!page.contains("sk_live") && !page.contains("hunter2"), "{page}");
    assert!(page.contains("# secret-key = \"(hidden)\" # file"), "{page}");
    assert!(!Path::new(&database).exists());
    let said = text(&run(&["serve", "--secret-key", "hunter2"], &[]).await.stderr);
    assert!(said.contains("unexpected argument '--secret-key'"), "{said}");

    let environment = [
        ("AGENTTRUST_ADMIN_KEY", "sk_live_from_environment"),
        ("AGENTTRUST_DATABASE", "postgres://ada:pa55w0rd@127.0.0.1:1/at"),
    ];
    let page =
        printed(&["--listen", "nonsense", "--tls-cert", "/no", "--tls-key", "/no"], &environment)
            .await;
    assert!(!page.contains("sk_live") && !page.contains("pa55w0rd"), "{page}");
    has(
        &page,
        "# database = \"postgres://ada:(hidden)@127.0.0.1:1/at\" # environment AGENTTRUST_DATABASE, hidden in part or whole",
    );
}

#[tokio::test]
async fn file_that_is_wrong_is_refused_with_file_line_and_column() {
    for (settings, says) in [
        (
            "lisen = \"127.0.0.1:0\"\n",
            ":1:1: there is no setting \"lisen\"; did you mean \"listen\"?",
        ),
        (
            "log = \"info\"\n  approval_ttl = \"5m\"",
            ":2:3: there is no setting \"approval_ttl\"; did you mean \"approval-ttl\"?",
        ),
        ("frobnicate = 1", ":1:1: there is no setting \"frobnicate\"; known are listen, "),
        ("[listen]\nport = 1", ":1:1: listen is of type table; write a string"),
        ("listen = 8080", ":1:10: listen is of type integer; write a string"),
        ("dev = \"true\"", ":1:7: dev is of type string; write true or false"),
        ("listen = \"\"", ":1:10: listen is empty; set it or leave it out"),
        ("log = \"info\"\nlisten = \"127", ":2:14: this is not TOML: "),
        ("log = \"info\"\nlog = \"warn\"", ":2:1: this is not TOML: "),
        ("listen", ":1:7: this is not TOML: "),
    ] {
        let (_folder, file) = file(settings);
        let said = refused(&["--config", &file], &[]).await;
        assert!(said.starts_with(&format!("{file}{says}")), "{settings:?}: {said}");
    }
    let said = refused(&["--config", "/no/such/file"], &[]).await;
    assert!(said.contains("/no/such/file cannot be read: No such file"), "{said}");
    let (folder, _) = file("");
    let said = refused(&["--config", folder.path().to_str().unwrap()], &[]).await;
    assert!(said.contains("cannot be read"), "{said}");
    let said = refused(&["--config", "/dev/zero"], &[]).await;
    assert!(said.contains("larger than"), "{said}");
    std::fs::write(folder.path().join("latin1"), b"log = \"\xe9\"").unwrap();
    let said = refused(&["--config", folder.path().join("latin1").to_str().unwrap()], &[]).await;
    assert!(said.contains("UTF-8"), "{said}");
}

#[tokio::test]
async fn secret_in_a_broken_file_is_not_repeated() {
    for settings in [
        "admin-key = \"sk_live_secret",
        "admin-key = sk_live_secret",
        "admin-key = [\"sk_live_secret\"]",
        "admin-key = \"sk_live_secret\"\nlog = ",
    ] {
        let (_folder, file) = file(settings);
        let said = refused(&["--config", &file], &[]).await;
        assert!(!said.contains("sk_live"), "{said}");
    }
}

#[tokio::test]
async fn wrong_value_is_refused_naming_where_it_came_from() {
    let long = "x".repeat(300);
    for (arguments, environment, says) in [
        (
            &["--approval-ttl", "soon"][..],
            &[][..],
            "--approval-ttl is \"soon\", which is no time span; write",
        ),
        (&["--approval-ttl", "0s"], &[], "--approval-ttl is \"0s\", which is no time span"),
        (&["--session-ttl", "366d"], &[], "up to 365d"),
        (&[], &[("AGENTTRUST_SESSION_TTL", "-1h")], "AGENTTRUST_SESSION_TTL is \"-1h\""),
        (
            &[],
            &[("AGENTTRUST_DEV", "yes")],
            "AGENTTRUST_DEV is \"yes\", which is neither true nor false",
        ),
        (
            &["--log-format", "xml"],
            &[],
            "--log-format is \"xml\", which is no log format; write text or json",
        ),
        (&["--log", "a=b=c"], &[], "log is \"a=b=c\", which is no filter"),
        (&["--replica", ""], &[], "replica is empty"),
        (&["--replica", "a\nb"], &[], "replica holds a control character"),
        (&["--replica", &long], &[], "replica is 300 bytes long"),
        (&["--tls-cert", "c.pem"], &[], "--tls-cert is set and tls-key is not"),
        (&[], &[("AGENTTRUST_TLS_KEY", "k.pem")], "AGENTTRUST_TLS_KEY is set and tls-cert is not"),
        (&["--listen", "nonsense"], &[], "cannot listen on nonsense: "),
        (
            &["--dev", "--metrics-listen", "nonsense"],
            &[("AGENTTRUST_LISTEN", "127.0.0.1:0")],
            "give --metrics-listen an address",
        ),
        (
            &["--dev", "--tls-cert", "/no/c.pem", "--tls-key", "/no/k.pem"],
            &[],
            "/no/c.pem is not usable: the certificate cannot be read: No such file",
        ),
    ] {
        let said = refused(arguments, environment).await;
        assert!(said.contains(says), "{arguments:?} {environment:?}: {said}");
    }
    let (_folder, file) = file("\napproval-ttl = \"5 minutes\"");
    let said = refused(&["--config", &file], &[]).await;
    assert!(said.starts_with(&format!("{file}:2: approval-ttl is \"5 minutes\"")), "{said}");
}

#[tokio::test]
async fn address_in_use_is_refused_before_a_database_is_made() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db");
    let database = database.to_str().unwrap();
    let said = refused(&["--listen", &address, "--database", database], &[]).await;
    assert!(
        said.contains(&format!("cannot listen on {address}: Address already in use")),
        "{said}"
    );
    let arguments =
        ["--listen", "127.0.0.1:0", "--metrics-listen", &address, "--database", database];
    let said = refused(&arguments, &[]).await;
    assert!(said.contains("give --metrics-listen"), "{said}");
    assert!(!Path::new(database).exists());
}

#[tokio::test]
async fn development_mode_and_a_database_named_no_less_firmly_contradict_each_other() {
    let (_folder, both) = file("dev = true\ndatabase = \"at.db\"\n");
    let said = refused(&["--config", &both], &[]).await;
    assert!(said.contains("at.toml:2: database names a database"), "{said}");
    let environment = [("AGENTTRUST_DEV", "true"), ("AGENTTRUST_LISTEN", "127.0.0.1:0")];
    let said = refused(&["--database", "at.db"], &environment).await;
    assert!(said.contains("--database names a database, and AGENTTRUST_DEV"), "{said}");
    let (_folder, database) = file("database = \"/no/such/folder/at.db\"\n");
    let program = Program::serve(&["--dev", "--config", &database], &[]).await;
    assert_eq!(program.get("/api/v1/keys", DEV_KEY).await.status(), 200);
}

#[tokio::test]
async fn development_mode_of_the_file_stays_on_this_machine_too() {
    let (_folder, file) = file("dev = true\nlisten = \"0.0.0.0:0\"\n");
    assert!(refused(&["--config", &file], &[]).await.contains("loopback"));
}

#[tokio::test]
async fn settings_of_the_file_are_those_that_are_run_with() {
    let (folder, file) = file("");
    let database = folder.path().join("at.db");
    let settings = format!(
        "database = {database:?}\nadmin-key = \"sk_live_from_the_file\"\napproval-ttl = \"1s\"\n\
         log-format = \"json\"\nlog = \"debug\"\nreplica = \"one\"\n"
    );
    std::fs::write(&file, settings).unwrap();
    let program = Program::serve(&["--config", &file], &[]).await;
    let key = "sk_live_from_the_file";
    assert!(program.said.is_empty(), "{:?}", program.said);
    assert!(database.exists());
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", key, &create).await;
    let check = json!({ "agent_id": agent["id"], "action_name": "db_delete" });
    let (_, held) = program.post("/api/v1/agenttrust/check", key, &check).await;
    let path = format!("/mcp/approvals/{}?wait=30", held["approval_id"].as_str().unwrap());
    let approval: serde_json::Value =
        serde_json::from_str(&program.get(&path, key).await.text().await.unwrap()).unwrap();
    assert_eq!(approval["status"], "expired");
    program.logs("\"route\":\"/mcp/approvals/{id}\"").await;
    for line in program.log().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{line}"));
    }
    let audit = program.get("/api/v1/audit", key).await.text().await.unwrap();
    assert!(audit.contains("\"replica\":\"one\""), "{audit}");
}

#[tokio::test]
async fn metrics_have_an_address_of_their_own_that_serves_nothing_else() {
    let mut program = Program::serve(&["--dev", "--metrics-listen", "127.0.0.1:0"], &[]).await;
    let line = program.next_line().await;
    let url = line.strip_prefix("metrics on ").unwrap();
    let answer = client().get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("agenttrust_build_info{version="));
    for path in ["health", "api/v1/agents", "api/v1/keys"] {
        let other = url.replace("metrics", path);
        let request = client().get(other).header("x-api-key", DEV_KEY);
        assert_eq!(request.send().await.unwrap().status(), 404, "{path}");
    }
    assert_eq!(client().get(program.url("/metrics")).send().await.unwrap().status(), 401);
    program.signal("TERM");
    assert!(program.ends().await.success());
    assert!(client().get(url).send().await.is_err());
}

#[tokio::test]
async fn settings_with_a_secret_that_others_can_reach_are_refused() {
    let secret = "admin-key = \"sk_live_SECRET\"\n";
    let password = "database = \"postgres://ada:SECRET@127.0.0.1:1/at\"\n";
    let sealing = "secret-key = \"SECRET\"\n";
    for (settings, names) in
        [(secret, "admin-key"), (password, "database"), (sealing, "secret-key")]
    {
        let (folder, path) = file(settings);
        for mode in [0o640, 0o604, 0o620, 0o602, 0o777] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            // A link tells nothing: what it leads to is looked at.
            let link = folder.path().join(format!("link{mode:o}"));
            std::os::unix::fs::symlink(&path, &link).unwrap();
            let flags = ["--config", link.to_str().unwrap(), "--dev"];
            for flags in [&flags[..], &[&flags[..], &["--print-config"]].concat()] {
                let said = refused(flags, &[]).await;
                assert!(said.contains(&format!("hold a secret, {names}, ")), "{said}");
                assert!(said.contains("`chmod 600 ") && !said.contains("SECRET"), "{said}");
            }
        }
        std::fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        printed(&["--config", &path], &[]).await;
    }
}

#[tokio::test]
async fn database_and_settings_that_others_can_reach_are_told() {
    let (folder, path) = file("approval-ttl = \"1m\"\n");
    let database = folder.path().join("at.db");
    let database = database.to_str().unwrap();
    let quiet = Program::serve(&["--config", &path, "--database", database], &[]).await;
    assert!(!quiet.log().contains(" WARN "), "{}", quiet.log());
    drop(quiet);
    for reached in [&path, database] {
        std::fs::set_permissions(reached, Permissions::from_mode(0o644)).unwrap();
    }
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    // The one before may not be gone yet, with its lock.
    let again = folder.path().join("again.db");
    std::fs::copy(database, &again).unwrap();
    let again = again.to_str().unwrap();
    let told = Program::serve(&["--config", &path, "--database", again], &[]).await;
    for says in [
        &format!(
            "read or write the settings in {path}: take their permissions away with `chmod 600 {path}`"
        ),
        &format!(
            "read or write the database: take their permissions away with `chmod 600 {again}`"
        ),
        "in the place of the settings",
        "in the place of the database",
    ] {
        told.logs(says).await;
    }
}

#[tokio::test]
async fn database_in_a_folder_that_is_not_there_says_which_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("data");
    let database = missing.join("at.db");
    let said =
        refused(&["--listen", "127.0.0.1:0", "--database", database.to_str().unwrap()], &[]).await;
    let missing = missing.display();
    let says = format!("there is no folder {missing}; make it with `mkdir -p {missing}`");
    assert!(said.contains(&says), "{said}");
}

#[tokio::test]
async fn database_that_was_mistyped_is_refused_and_not_repeated() {
    for database in [
        "postgres//ada:SECRET@127.0.0.1/at",
        "postgresql:/ada:SECRET@127.0.0.1/at",
        "host=127.0.0.1 password=SECRET",
        "postgres://ada:SECRET@127.0.0.1:1/at?pasword=SECRET",
        "postgres://ada:SE#SECRET@127.0.0.1:1/at",
    ] {
        let environment = [
            ("AGENTTRUST_DATABASE", database),
            ("AGENTTRUST_LISTEN", "127.0.0.1:0"),
            ("AGENTTRUST_LOG", "trace"),
        ];
        let folder = tempfile::tempdir().unwrap();
        let mut command = crate::program::command(&["serve"], &environment);
        let output = command.current_dir(&folder).output().await.unwrap();
        let said = text(&output.stderr) + &text(&output.stdout);
        assert!(!output.status.success() && !said.contains("SECRET"), "{said}");
        assert!(said.contains("postgres://USER:PASSWORD@HOST:PORT/NAME"), "{said}");
        assert_eq!(
            std::fs::read_dir(&folder).unwrap().count(),
            0,
            "a file was made for {database}"
        );
        let keys = run(&["keys", "list", "--database", database], &[]).await;
        let said = text(&keys.stderr) + &text(&keys.stdout);
        assert!(!keys.status.success() && !said.contains("SECRET"), "{said}");
        let page = printed(&["--database", database], &[]).await;
        assert!(!page.contains("SECRET"), "{page}");
    }
}
