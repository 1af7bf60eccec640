//! What is logged of destinations of events, at its most talkative: no token, and no path, which may be as good as one.

use agenttrust_testkit::eventually;
use agenttrust_testkit::siem::{HttpReceiver, Mood, Vendor};
use serde_json::{Value, json};

use crate::program::Program;

const TOKEN: &str = "token-marker-71";
const OTHER: &str = "token-marker-72";

#[tokio::test(flavor = "multi_thread")]
async fn log_at_trace_holds_no_token_of_a_destination_and_not_the_path_of_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("at.db").to_str().unwrap().to_owned();
    let open = ["--allow-outbound", "127.0.0.1/32", "--log", "trace", "--log-format", "text"];
    let arguments = [&["--database", &database][..], &open[..]].concat();
    let mut program = Program::serve(&arguments, &[]).await;
    let admin = program.first_key();
    let receiver = HttpReceiver::start(Vendor::Splunk, TOKEN);
    receiver.next(Mood::Answer(503, None));
    let address = receiver.address();
    let body = json!({
        "name": "siem", "destination_type": "splunk", "auth_token": TOKEN, "flush_interval_seconds": 1,
        "endpoint_url": format!("http://{address}/services/collector"),
    });
    let (status, made) = program.post("/api/v1/siem/destinations", &admin, &body).await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/api/v1/siem/destinations/{}", made["id"].as_str().unwrap());
    let takes = async || !receiver.taken().is_empty();
    eventually("nothing arrives", takes).await;
    let (_, tried) = program.post(&format!("{path}/test"), &admin, &json!({})).await;
    assert_eq!(tried["success"], true, "{tried}");
    // A token that the receiver does not take, behind a path that may be a secret.
    let mut wrong: Value = body.clone();
    wrong["name"] = json!("wrong");
    wrong["auth_token"] = json!(OTHER);
    wrong["endpoint_url"] = json!(format!("http://{address}/path-marker-73/services/collector"));
    let (status, made) = program.post("/api/v1/siem/destinations", &admin, &wrong).await;
    assert_eq!(status, 201, "{made}");
    let path = format!("/api/v1/siem/destinations/{}/test", made["id"].as_str().unwrap());
    let (_, tried) = program.post(&path, &admin, &json!({})).await;
    assert_eq!(tried["success"], false, "{tried}");
    program.signal("TERM");
    assert!(program.ends().await.success());
    program.logs("stopping").await;
    let log = program.log();
    assert!(log.contains("sqlx"), "it is talkative: {log}");
    for secret in [TOKEN, OTHER, "path-marker-73", "marker-7"] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}
