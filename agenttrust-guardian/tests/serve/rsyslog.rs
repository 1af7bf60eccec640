//! Debian's rsyslog stores what it is sent over TLS, and what it missed while it was away.
//!
//! It is there after `apt-get install rsyslog rsyslog-gnutls rsyslog-openssl`; where it is not, the tests skip and say
//! so.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use agenttrust_testkit::eventually_within;
use agenttrust_testkit::siem::Authority;
use serde_json::{Value, json};

use crate::program::{LONG, Program};

const KEY: &str = "sk_live_for_the_tests";
const RSYSLOGD: &str = "/usr/sbin/rsyslogd";

/// A receiver with its own settings, certificate and port; killed when dropped.
struct Rsyslog {
    folder: tempfile::TempDir,
    driver: &'static str,
    port: u16,
    child: Option<Child>,
}

/// Returns whether rsyslog is here, with this driver for TLS.
fn is_here(driver: &str) -> bool {
    let module = format!("rsyslog/lmnsd_{driver}.so");
    let below = |folder: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).chain([PathBuf::from(folder)]).collect()
    };
    let modules = ["/usr/lib", "/usr/lib64"].into_iter().flat_map(below);
    let is_here = Path::new(RSYSLOGD).exists()
        && modules.map(|folder| folder.join(&module)).any(|path| path.exists());
    if !is_here {
        // Past the capture of the test's own output: a skip that is not seen is taken for a pass.
        let _ = std::io::stderr().write_all(
            format!("skipped: rsyslog is not here with its driver {driver}; install it with `apt-get install rsyslog rsyslog-gnutls rsyslog-openssl`\n")
                .as_bytes(),
        );
    }
    is_here
}

impl Rsyslog {
    /// Begins with a certificate of this authority.
    async fn begin(driver: &'static str, authority: &Authority) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = authority.certificate("localhost");
        let files = [("ca.pem", authority.pem()), ("cert.pem", certificate), ("key.pem", key)];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let mut rsyslog = Self { folder, driver, port: 0, child: None };
        rsyslog.start().await;
        rsyslog
    }

    /// Starts it, at the port that it had.
    async fn start(&mut self) {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let (driver, port) = (self.driver, self.port);
        let settings = format!(
            r#"global(workDirectory="{folder}" maxMessageSize="256k" defaultNetstreamDriver="{driver}"
       defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{cert}" defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="{driver}" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="line" type="string" string="%syslogfacility-text%.%syslogseverity-text% %hostname% %app-name% %msgid% %structured-data% %msg%\n")
ruleset(name="store") {{ action(type="omfile" file="{log}" template="line") }}
input(type="imtcp" address="127.0.0.1" port="{port}" listenPortFileName="{at}" ruleset="store")
"#,
            folder = self.folder.path().display(),
            ca = file("ca.pem"),
            cert = file("cert.pem"),
            key = file("key.pem"),
            log = file("events.log"),
            at = file("port"),
        );
        let path = file("rsyslog.conf");
        std::fs::write(&path, settings).unwrap();
        let said = std::fs::File::create(file("said")).unwrap();
        let mut command = Command::new(RSYSLOGD);
        command.args(["-n", "-C", "-f", &path, "-i", &file("pid")]).stdin(Stdio::null());
        let child = command.stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap();
        self.child = Some(child);
        let listens = async || {
            let port = std::fs::read_to_string(file("port")).ok()?.trim().parse().ok()?;
            let socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
            socket.ok().map(|_| port)
        };
        self.port = eventually_within(LONG, "rsyslog does not listen", listens).await;
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn stored(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("events.log"));
        let text = text.unwrap_or_default();
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        text[..whole].lines().map(str::to_owned).collect()
    }

    /// Returns what it stored, once there are so many lines of it.
    async fn stores(&self, count: usize) -> Vec<String> {
        let look = async || {
            let stored = self.stored();
            if stored.len() >= count { Ok(stored) } else { Err(stored) }
        };
        eventually_within(LONG, "rsyslog does not store what it is sent", look).await
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Checks a call, of which the audit has a decision.
async fn check(program: &Program, agent: &Value, tool: &str) {
    let check = json!({ "agent_id": agent["id"], "action_name": tool });
    let (status, answer) = program.post("/api/v1/agenttrust/check", KEY, &check).await;
    assert_eq!(status, 200, "{answer}");
}

/// Returns the id of the event of a stored line that is as it should be.
fn id_in(line: &str) -> String {
    let (header, event) = line.split_once("] ").unwrap();
    assert!(header.starts_with("audit."), "{line}");
    let version = env!("CARGO_PKG_VERSION");
    let data = format!("[origin software=\"agenttrust\" swVersion=\"{version}\"");
    assert!(header.ends_with(&format!(" agenttrust agenttrust decision {data}")), "{line}");
    let event: Value = serde_json::from_str(event).unwrap();
    event["metadata"]["uid"].as_str().unwrap().to_owned()
}

async fn stores_what_it_is_sent(driver: &'static str) {
    if !is_here(driver) {
        return;
    }
    let authority = Authority::new();
    let mut rsyslog = Rsyslog::begin(driver, &authority).await;
    let ca = rsyslog.folder.path().join("ca.pem");
    let arguments = ["--database", "memory", "--allow-outbound", "127.0.0.1", "--outbound-ca"];
    let arguments = [&arguments[..], &[ca.to_str().unwrap()]].concat();
    let program = Program::serve(&arguments, &[("AGENTTRUST_ADMIN_KEY", KEY)]).await;
    let create = json!({ "name": "w", "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", KEY, &create).await;
    let destination = json!({
        "name": "rsyslog", "destination_type": "syslog", "flush_interval_seconds": 1,
        "endpoint_url": format!("syslog+tls://localhost:{}", rsyslog.port),
        "filter_event_types": ["decision"],
    });
    let path = "/api/v1/siem/destinations";
    let (status, made) = program.post(path, KEY, &destination).await;
    assert_eq!(status, 201, "{made}");
    for tool in ["read_file", "lösche_\u{1f600}", "db_delete"] {
        check(&program, &agent, tool).await;
    }
    let stored = rsyslog.stores(3).await;
    assert!(stored[1].contains(r"l\u00f6sche_\ud83d\ude00"), "{}", stored[1]);
    // What it misses while it is away it is sent when it is back.
    rsyslog.kill();
    for _ in 0..3 {
        check(&program, &agent, "read_file").await;
    }
    let logs = format!("{path}/{}/logs", made["id"].as_str().unwrap());
    let failed = async || {
        let page = program.get(&logs, KEY).await.text().await.unwrap();
        if page.contains("\"failed\"") { Ok(()) } else { Err(page) }
    };
    eventually_within(LONG, "nothing failed", failed).await;
    rsyslog.start().await;
    let stored = rsyslog.stores(6).await;
    let mut ids: Vec<_> = stored.iter().map(|line| id_in(line)).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6, "{stored:?}");
}

#[tokio::test]
async fn rsyslog_with_gnutls_stores_what_it_is_sent_over_tls() {
    stores_what_it_is_sent("gtls").await;
}

#[tokio::test]
async fn rsyslog_with_openssl_stores_what_it_is_sent_over_tls() {
    stores_what_it_is_sent("ossl").await;
}
