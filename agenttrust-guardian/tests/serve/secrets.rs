//! Secrets at rest: by which key they are sealed, where it is, and what happens without it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use agenttrust_testkit::eventually_within;
use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::receiver::{Message, Receiver};
use agenttrust_testkit::siem::{HttpReceiver, Vendor};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::program::{LONG, Program, refused};

const ADMIN: &str = "sk_live_for_the_tests";
const ONE: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const TWO: &str = "0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff0";

/// A folder for a database.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("at.db")
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("at.db.secret-key")
    }

    /// Serves what is here, by these keys.
    async fn serve(&self, keys: Option<&str>) -> Program {
        serve(self.database().to_str().unwrap(), keys).await
    }

    /// Returns what the database keeps as the secret of the one webhook that there is.
    async fn kept(&self) -> String {
        let mut db = self.open().await;
        let row: (String,) =
            sqlx::query_as("SELECT secret FROM webhooks").fetch_one(&mut db).await.unwrap();
        db.close().await.unwrap();
        row.0
    }

    /// Keeps this as the secret of the one webhook that there is, as before secrets were sealed.
    async fn keep(&self, secret: &str) {
        let mut db = self.open().await;
        let update = sqlx::query("UPDATE webhooks SET secret = $1").bind(secret);
        assert_eq!(update.execute(&mut db).await.unwrap().rows_affected(), 1);
        db.close().await.unwrap();
    }

    async fn open(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.database());
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    /// Returns whether some file here holds this text.
    fn holds(&self, text: &str) -> Option<PathBuf> {
        let files = std::fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let has = |path: &Path| {
            let bytes = std::fs::read(path).unwrap();
            bytes.windows(text.len()).any(|part| part == text.as_bytes())
        };
        files.into_iter().find(|path| has(path))
    }
}

async fn serve(database: &str, keys: Option<&str>) -> Program {
    let mut environment = vec![("AGENTTRUST_ADMIN_KEY", ADMIN)];
    environment.extend(keys.map(|keys| ("AGENTTRUST_SECRET_KEY", keys)));
    Program::serve(&["--database", database, "--allow-outbound", "127.0.0.1"], &environment).await
}

async fn ended(mut program: Program) {
    // One that does not answer yet does not listen to signals yet either.
    assert_eq!(program.get("/health", "").await.status(), 200);
    program.signal("TERM");
    assert!(program.ends().await.success(), "{}", program.log());
}

async fn register(program: &Program, url: &str) -> (u16, Value) {
    let body = json!({ "url": url, "events": ["approval.pending"] });
    program.post("/api/v1/webhooks", ADMIN, &body).await
}

/// Holds a call, of which webhooks are told.
async fn hold(program: &Program) {
    let create = json!({ "name": format!("w{}", program.id()), "capabilities": ["*"] });
    let (_, agent) = program.post("/api/v1/agents", ADMIN, &create).await;
    let check = json!({ "agent_id": agent["id"], "action_name": "db_delete" });
    let (_, held) = program.post("/api/v1/agenttrust/check", ADMIN, &check).await;
    assert!(held["approval_id"].is_string(), "{held}");
}

/// Returns whether a message is signed with this secret.
fn is_signed(message: &Message, secret: &str) -> bool {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(&key).unwrap();
    let at = &message.headers["webhook-timestamp"];
    mac.update(format!("{}.{at}.{}", message.id(), message.body).as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    message.headers["webhook-signature"] == signature
}

#[tokio::test]
async fn key_is_made_beside_the_database_for_its_owner_alone_and_secrets_are_sealed_by_it() {
    let place = Place::new();
    let mut receiver = Receiver::answering(&[200]).await;
    let program = place.serve(None).await;
    let key = std::fs::read_to_string(place.key_file()).unwrap();
    assert_eq!(place.key_file().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(key.trim().len(), 64);
    let (_, webhook) = register(&program, &receiver.url()).await;
    let secret = webhook["secret"].as_str().unwrap().to_owned();
    hold(&program).await;
    assert!(is_signed(&receiver.next().await, &secret));
    let told =
        program.log() + &program.get("/api/v1/audit?limit=1000", ADMIN).await.text().await.unwrap();
    assert!(!told.contains(key.trim()) && !told.contains(&secret), "{told}");
    ended(program).await;
    assert_eq!(place.holds(&secret), None);
    assert!(place.kept().await.starts_with("sealed.1."));
    // The next one finds the key.
    let program = place.serve(None).await;
    hold(&program).await;
    assert!(is_signed(&receiver.next().await, &secret));
    assert_eq!(std::fs::read_to_string(place.key_file()).unwrap(), key);
}

#[tokio::test]
async fn key_file_that_others_reach_that_is_cut_off_or_a_folder_is_refused() {
    let place = Place::new();
    ended(place.serve(None).await).await;
    let refused = async || {
        refused(&["--listen", "127.0.0.1:0", "--database", place.database().to_str().unwrap()], &[])
            .await
    };
    let key = std::fs::read_to_string(place.key_file()).unwrap();
    let permit =
        |mode| std::fs::set_permissions(place.key_file(), Permissions::from_mode(mode)).unwrap();
    for mode in [0o644, 0o640, 0o606] {
        permit(mode);
        let said = refused().await;
        assert!(said.contains("`chmod 600 ") && said.contains("at.db.secret-key"), "{said}");
        assert!(!said.contains(key.trim()), "{said}");
    }
    permit(0o600);
    for text in ["", &key[..40], "not a key"] {
        std::fs::write(place.key_file(), text).unwrap();
        let said = refused().await;
        assert!(said.contains("at.db.secret-key is not usable: it "), "{said}");
        assert!(!said.contains(&key[..40]), "{said}");
    }
    std::fs::remove_file(place.key_file()).unwrap();
    std::fs::create_dir(place.key_file()).unwrap();
    let said = refused().await;
    assert!(said.contains("it is no file; put it back from a copy"), "{said}");
}

#[tokio::test]
async fn variable_that_is_no_key_is_refused_before_anything_is_made_and_not_repeated() {
    let place = Place::new();
    for keys in ["hunter2", &ONE[1..], &format!("{ONE},{}", &TWO[1..]), &"0".repeat(64), ","] {
        let database = place.database();
        let arguments = ["--listen", "127.0.0.1:0", "--database", database.to_str().unwrap()];
        let said = refused(&arguments, &[("AGENTTRUST_SECRET_KEY", keys)]).await;
        assert!(
            said.contains("AGENTTRUST_SECRET_KEY") && said.contains("openssl rand -hex 32"),
            "{said}"
        );
        assert!(keys.len() < 2 || !said.contains(keys), "{said}");
        assert_eq!(std::fs::read_dir(&place.folder).unwrap().count(), 0, "{keys}");
    }
}

#[tokio::test]
async fn secrets_kept_in_clear_are_sealed_at_the_start_and_go_on_working() {
    let place = Place::new();
    let mut receiver = Receiver::answering(&[200]).await;
    let program = place.serve(None).await;
    let (_, webhook) = register(&program, &receiver.url()).await;
    let secret = webhook["secret"].as_str().unwrap().to_owned();
    ended(program).await;
    place.keep(&secret).await;
    assert_eq!(place.holds(&secret), Some(place.database()));
    let program = place.serve(None).await;
    program.logs("secrets that are kept were sealed").await;
    hold(&program).await;
    assert!(is_signed(&receiver.next().await, &secret));
    let audit = program.get("/api/v1/audit?limit=1000", ADMIN).await.text().await.unwrap();
    assert!(audit.contains("secrets.sealed") && !audit.contains(&secret), "{audit}");
    ended(program).await;
    // Neither in the row, nor in what is left of it in the file.
    assert_eq!(place.holds(&secret), None);
    let sealed = place.kept().await;
    ended(place.serve(None).await).await;
    assert_eq!(place.kept().await, sealed, "once is enough");
}

#[tokio::test]
async fn secrets_that_guardians_share_are_sealed_also_those_that_were_kept_in_clear() {
    let place = Place::new();
    let shared = async || {
        let mut db = place.open().await;
        let rows: Vec<(String, Vec<u8>)> =
            sqlx::query_as("SELECT name, secret FROM secrets").fetch_all(&mut db).await.unwrap();
        db.close().await.unwrap();
        rows
    };
    ended(place.serve(None).await).await;
    // As it was before they were sealed.
    let clear = "0123456789abcdefGHIJKLMNOPQRSTUV";
    let mut db = place.open().await;
    let update = sqlx::query("UPDATE secrets SET secret = $1").bind(clear.as_bytes());
    assert!(update.execute(&mut db).await.unwrap().rows_affected() > 3);
    db.close().await.unwrap();
    assert_eq!(place.holds(clear), Some(place.database()));
    let program = place.serve(None).await;
    assert!(!program.log().contains(" WARN "), "{}", program.log());
    ended(program).await;
    for (name, secret) in shared().await {
        assert!(secret.starts_with(b"sealed.1."), "{name}");
    }
    assert_eq!(place.holds(clear), None);
    // With another key they are none of this Guardian's, which says so and goes on by others.
    let before = shared().await;
    let program = place.serve(Some(ONE)).await;
    ended(program).await;
    std::fs::remove_file(place.key_file()).unwrap();
    let program = place.serve(Some(TWO)).await;
    program.logs("another secret is used in the place of mcp_binding").await;
    ended(program).await;
    let after = shared().await;
    assert_eq!(after.len(), 2 * before.len());
}

#[tokio::test]
async fn key_is_replaced_by_naming_the_new_one_before_the_old_one() {
    let place = Place::new();
    let mut receiver = Receiver::answering(&[200]).await;
    // From the file to a variable, to another key, and to that one alone.
    let program = place.serve(None).await;
    let (_, webhook) = register(&program, &receiver.url()).await;
    let secret = webhook["secret"].as_str().unwrap().to_owned();
    ended(program).await;
    let mut before = place.kept().await;
    for (keys, again) in
        [(ONE.to_owned(), true), (format!("{TWO},{ONE}"), true), (TWO.to_owned(), false)]
    {
        let program = place.serve(Some(&keys)).await;
        hold(&program).await;
        assert!(is_signed(&receiver.next().await, &secret));
        assert_eq!(program.log().contains("secrets that are kept were sealed"), again);
        assert!(!program.log().contains(" WARN "), "{}", program.log());
        ended(program).await;
        let after = place.kept().await;
        assert_eq!(after != before, again);
        before = after;
        // What the file sealed is sealed anew by now.
        let _ = std::fs::remove_file(place.key_file());
    }
}

#[tokio::test]
async fn credentials_of_an_mcp_server_are_sealed_anew_with_the_key() {
    let place = Place::new();
    let kept = async || {
        let mut db = place.open().await;
        let row: (String,) =
            sqlx::query_as("SELECT credentials FROM mcp_servers").fetch_one(&mut db).await.unwrap();
        db.close().await.unwrap();
        row.0
    };
    let program = place.serve(Some(ONE)).await;
    let server = json!({
        "name": "files", "url": "http://127.0.0.1:9/mcp", "authorization": "Bearer hunter2-of-the-server",
    });
    let (status, body) = program.post("/mcp/servers", ADMIN, &server).await;
    assert!(status < 300 && !body.to_string().contains("hunter2"), "{status} {body}");
    ended(program).await;
    let before = kept().await;
    ended(place.serve(Some(&format!("{TWO},{ONE}"))).await).await;
    let after = kept().await;
    assert!(before.starts_with("sealed.1.") && after.starts_with("sealed.1."), "{before} {after}");
    assert_ne!(before, after);
    let program = place.serve(Some(TWO)).await;
    assert!(!program.log().contains(" WARN "), "{}", program.log());
    ended(program).await;
    assert_eq!((kept().await, place.holds("hunter2-of-the-server")), (after, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn token_of_a_destination_of_events_is_sealed_anew_with_the_key_and_still_lets_in() {
    const TOKEN: &str = "hunter2-of-the-receiver";
    let place = Place::new();
    let receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    let kept = async || {
        let mut db = place.open().await;
        let rows = sqlx::query_as("SELECT secret FROM siem_destinations").fetch_one(&mut db);
        let row: (String,) = rows.await.unwrap();
        db.close().await.unwrap();
        row.0
    };
    let program = place.serve(Some(ONE)).await;
    let body = json!({
        "name": "prod", "destination_type": "splunk", "endpoint_url": receiver.url(), "auth_token": TOKEN,
    });
    let (status, made) = program.post("/api/v1/siem/destinations", ADMIN, &body).await;
    assert_eq!(status, 201, "{made}");
    ended(program).await;
    let before = kept().await;
    ended(place.serve(Some(&format!("{TWO},{ONE}"))).await).await;
    let after = kept().await;
    assert!(before.starts_with("sealed.1.") && after.starts_with("sealed.1."), "{before} {after}");
    assert_ne!(before, after);
    let program = place.serve(Some(TWO)).await;
    let path = format!("/api/v1/siem/destinations/{}/test", made["id"].as_str().unwrap());
    let (_, tried) = program.post(&path, ADMIN, &json!({})).await;
    assert_eq!(tried["success"], true, "{tried}");
    ended(program).await;
    assert_eq!((kept().await, place.holds(TOKEN)), (after, None));
    // With a key that does not open it, it is not sent without.
    let program = place.serve(Some(ONE)).await;
    let sent = receiver.requests().len();
    let (status, refused) = program.post(&path, ADMIN, &json!({})).await;
    assert_eq!((status, receiver.requests().len()), (503, sent), "{refused}");
}

#[tokio::test]
async fn wrong_key_is_told_at_the_start_and_with_each_delivery_and_stops_nothing_else() {
    let place = Place::new();
    let mut receiver = Receiver::answering(&[200]).await;
    let program = place.serve(Some(ONE)).await;
    let (_, webhook) = register(&program, &receiver.url()).await;
    let (id, secret) = (webhook["id"].as_str().unwrap(), webhook["secret"].as_str().unwrap());
    ended(program).await;
    let sealed = place.kept().await;
    let program = place.serve(Some(TWO)).await;
    program.logs("add the former key to AGENTTRUST_SECRET_KEY, after a comma").await;
    assert!(program.log().contains(id), "{}", program.log());
    hold(&program).await;
    let path = format!("/api/v1/webhooks/{id}/deliveries");
    let tried = async || {
        let page = program.get(&path, ADMIN).await.text().await.unwrap();
        let page: Value = serde_json::from_str(&page).unwrap();
        page["deliveries"][0]["last_error"].as_str().map(str::to_owned)
    };
    let error = eventually_within(LONG, "nothing was tried", tried).await;
    assert!(
        error
            .starts_with(&format!("not sent: what is kept sealed for webhook:{id} needs the key ")),
        "{error}"
    );
    assert!(!error.contains(&ONE[..16]) && !error.contains(&TWO[..16]), "{error}");
    assert!(receiver.rest().is_empty());
    // New ones are sealed by the key that is there.
    assert_eq!(register(&program, &receiver.url()).await.0, 201);
    ended(program).await;
    let mut db = place.open().await;
    let kept: Vec<(String,)> = sqlx::query_as("SELECT secret FROM webhooks ORDER BY created_at")
        .fetch_all(&mut db)
        .await
        .unwrap();
    db.close().await.unwrap();
    assert_eq!(kept[0].0, sealed, "what does not open is left as it is");
    // With the key back, the message that waits is told.
    let program = place.serve(Some(&format!("{TWO},{ONE}"))).await;
    hold(&program).await;
    let both = [receiver.next().await, receiver.next().await];
    assert!(both.iter().any(|message| is_signed(message, secret)));
}

#[tokio::test]
async fn on_postgres_nothing_is_sealed_without_a_key_and_what_was_kept_goes_on_working() {
    let Some(database) = Fresh::or_skip() else { return };
    let mut receiver = Receiver::answering(&[200]).await;
    let program = serve(&database.url(), None).await;
    let (status, body) = register(&program, &receiver.url()).await;
    assert_eq!(status, 503, "{body}");
    assert!(
        body["message"].as_str().unwrap().contains("set AGENTTRUST_SECRET_KEY to 64 hex"),
        "{body}"
    );
    ended(program).await;
    let program = serve(&database.url(), Some(ONE)).await;
    let (status, webhook) = register(&program, &receiver.url()).await;
    assert_eq!(status, 201, "{webhook}");
    let secret = webhook["secret"].as_str().unwrap();
    ended(program).await;
    let mut db = sqlx::PgConnection::connect(&database.url()).await.unwrap();
    let keep = sqlx::query("UPDATE webhooks SET secret = $1").bind(secret);
    assert_eq!(keep.execute(&mut db).await.unwrap().rows_affected(), 1);
    // As it was before secrets were sealed: it is told, with no key as well.
    let program = serve(&database.url(), None).await;
    hold(&program).await;
    assert!(is_signed(&receiver.next().await, secret));
    ended(program).await;
    // Two that start at once seal it once.
    let url = database.url();
    let (one, two) = tokio::join!(serve(&url, Some(ONE)), serve(&url, Some(ONE)));
    let (kept,): (String,) =
        sqlx::query_as("SELECT secret FROM webhooks").fetch_one(&mut db).await.unwrap();
    assert!(kept.starts_with("sealed.1."), "{kept}");
    hold(&one).await;
    assert!(is_signed(&receiver.next().await, secret));
    drop((one, two));
}
