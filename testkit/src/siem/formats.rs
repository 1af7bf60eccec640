//! What each vendor documents of the requests that it takes, and nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::http::Request;
use super::id_of;
use super::rules::{ReceiverRules, Refused};

type Events = Result<Vec<(String, Value)>, Refused>;

/// Reads events as Splunk's HTTP Event Collector: "Format events for HTTP Event Collector", "About HTTP Event Collector
/// Indexer Acknowledgment".
pub(super) fn splunk(known: &ReceiverRules, request: &Request) -> Events {
    let no = |status, code: u64, text: &str| {
        Refused::new(status, &json!({ "text": text, "code": code }), format!("splunk: {text}"))
    };
    if request.method != "POST" {
        return Err(no(405, 404, "The requested method is not allowed"));
    }
    match request.headers.get("authorization") {
        None => return Err(no(401, 2, "Token is required")),
        Some(value) if *value != format!("Splunk {}", known.token) => {
            return Err(no(403, 4, "Invalid token"));
        }
        Some(_) => {}
    }
    if known.acknowledges_after.is_some() {
        let channel = request.headers.get("x-splunk-request-channel");
        let channel = channel.ok_or_else(|| no(400, 10, "Data channel is missing"))?;
        uuid::Uuid::parse_str(channel).map_err(|_| no(400, 11, "Invalid data channel"))?;
    }
    if known.is_of_acknowledgements(request) {
        if known.acknowledges_after.is_none() {
            return Err(no(400, 14, "ACK is disabled"));
        }
        let body: Value =
            serde_json::from_str(&request.body).map_err(|_| no(400, 6, "Invalid data format"))?;
        let acks = body.get("acks").and_then(Value::as_array);
        return match acks {
            Some(acks) if acks.iter().all(Value::is_u64) => Ok(Vec::new()),
            _ => Err(no(400, 6, "Invalid data format")),
        };
    }
    if !["/services/collector", "/services/collector/event"].contains(&request.path.as_str()) {
        return Err(no(404, 404, "The requested URL was not found on this server."));
    }
    if request.body.len() > 1_000_000 {
        return Err(no(413, 27, "Content-Length too large"));
    }
    let mut events = Vec::new();
    for event in serde_json::Deserializer::from_str(&request.body).into_iter::<Value>() {
        let event = event.map_err(|_| no(400, 6, "Invalid data format"))?;
        events.push(splunk_event(&event).map_err(|(code, text)| no(400, code, text))?);
    }
    if events.is_empty() { Err(no(400, 5, "No data")) } else { Ok(events) }
}

fn splunk_event(envelope: &Value) -> Result<(String, Value), (u64, &'static str)> {
    const MEMBERS: [&str; 7] = ["time", "host", "source", "sourcetype", "index", "event", "fields"];
    let members = envelope.as_object().ok_or((6, "Invalid data format"))?;
    if members.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
        return Err((6, "Invalid data format: an unknown member"));
    }
    let event = members.get("event").ok_or((12, "Event field is required"))?;
    let id = id_of(event).ok_or((13, "Event field cannot be blank"))?;
    if !members.get("time").is_some_and(Value::is_f64) {
        return Err((6, "Invalid data format: time is no number of seconds"));
    }
    let are_texts = ["host", "source", "sourcetype"].iter().all(|name| {
        members.get(*name).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
    });
    if are_texts { Ok((id, event.clone())) } else { Err((6, "Invalid data format: a text")) }
}

/// Reads events as Datadog, "Send logs" (`POST /api/v2/logs`).
pub(super) fn datadog(known: &ReceiverRules, request: &Request) -> Events {
    let no = |status: u16, detail: &str| {
        let error = json!({ "status": status.to_string(), "title": "Error", "detail": detail });
        Refused::new(status, &json!({ "errors": [error] }), format!("datadog: {detail}"))
    };
    if request.headers.get("dd-api-key") != Some(&known.token) {
        return Err(no(403, "Forbidden"));
    }
    if (request.method.as_str(), request.path.as_str()) != ("POST", "/api/v2/logs") {
        return Err(no(404, "Not found"));
    }
    if request.headers.get("content-type").map(String::as_str) != Some("application/json") {
        return Err(no(415, "Unsupported content type"));
    }
    if request.body.len() > 5_000_000 {
        return Err(no(413, "Payload too large"));
    }
    let entries: Vec<Value> =
        serde_json::from_str(&request.body).map_err(|_| no(400, "no array of JSON"))?;
    if entries.is_empty() || entries.len() > 1_000 {
        return Err(no(400, "an array of 1 to 1000 entries"));
    }
    let read = |entry: &Value| {
        let members = entry.as_object().filter(|members| members.values().all(Value::is_string));
        let members = members.ok_or_else(|| no(400, "an entry that is no object of texts"))?;
        if entry.to_string().len() > 1_000_000 {
            return Err(no(400, "an entry over 1 MB"));
        }
        let message = members.get("message").and_then(Value::as_str);
        let message = message.ok_or_else(|| no(400, "an entry without a message"))?;
        let event: Value =
            serde_json::from_str(message).map_err(|_| no(400, "a message that is no JSON"))?;
        let id = id_of(&event).ok_or_else(|| no(400, "an event without an id"))?;
        Ok((id, event))
    };
    entries.iter().map(read).collect()
}

/// Reads events as Elastic, "Bulk API", into a data stream.
pub(super) fn elastic(known: &ReceiverRules, request: &Request) -> Events {
    let no = |status: u16, reason: &str| {
        let error = json!({ "type": "illegal_argument_exception", "reason": reason });
        let body = json!({ "error": error, "status": status });
        Refused::new(status, &body, format!("elastic: {reason}"))
    };
    if request.headers.get("authorization") != Some(&format!("ApiKey {}", known.token)) {
        return Err(no(401, "unable to authenticate"));
    }
    let index = request.path.strip_prefix('/').and_then(|path| path.strip_suffix("/_bulk"));
    if request.method != "POST" || index.is_none_or(|index| index.is_empty() || index.contains('/'))
    {
        return Err(no(400, "not a bulk request to an index"));
    }
    let content_type = request.headers.get("content-type").map(String::as_str);
    if content_type != Some("application/x-ndjson") {
        return Err(no(406, "Content-Type header is not supported"));
    }
    if !request.body.ends_with('\n') {
        return Err(no(400, "The bulk request must be terminated by a newline [\\n]"));
    }
    let lines: Vec<Value> = request
        .body
        .lines()
        .map(|line| serde_json::from_str(line).map_err(|_| no(400, "a line that is no JSON")))
        .collect::<Result<_, _>>()?;
    let read = |pair: &[Value]| {
        let [action, document] = pair else { return Err(no(400, "an action without a document")) };
        let only = action.as_object().filter(|action| action.len() == 1);
        let create = only.and_then(|action| action.get("create"));
        let create = create.ok_or_else(|| no(400, "a data stream takes create alone"))?;
        let id = create.get("_id").and_then(Value::as_str);
        let id = id.ok_or_else(|| no(400, "an event without _id"))?;
        let at = document.get("@timestamp").and_then(Value::as_str);
        if !at.is_some_and(|at| at.contains('T') && at.ends_with('Z')) {
            return Err(no(400, "data stream timestamp field [@timestamp] is missing"));
        }
        if id_of(document).as_deref() != Some(id) {
            return Err(no(400, "an _id that is not the event's"));
        }
        let mut event = document.clone();
        event.as_object_mut().unwrap().remove("@timestamp");
        Ok((id.to_owned(), event))
    };
    lines.chunks(2).map(read).collect()
}

/// Reads events as Standard Webhooks, "Verifying signatures"; `{"type":"siem.events","events":[…]}`.
pub(super) fn webhook(known: &ReceiverRules, request: &Request) -> Events {
    let no = |status: u16, why: &str| Refused::new(status, &json!({}), format!("webhook: {why}"));
    let header = |name: &str| {
        request.headers.get(name).ok_or_else(|| no(400, &format!("there is no header {name}")))
    };
    let (id, at) = (header("webhook-id")?, header("webhook-timestamp")?);
    let seconds: u64 = at.parse().map_err(|_| no(400, "a timestamp that is no number"))?;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    if now.abs_diff(seconds) > 300 {
        return Err(no(400, "a timestamp that is too old or too new"));
    }
    let key = STANDARD.decode(known.token.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{at}.{}", request.body).as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    if !header("webhook-signature")?.split(' ').any(|one| one == signature) {
        return Err(no(401, "a signature that is not right"));
    }
    if header("content-type")? != "application/json" {
        return Err(no(415, "a body that is no JSON"));
    }
    let body: Value =
        serde_json::from_str(&request.body).map_err(|_| no(400, "a body that is no JSON"))?;
    if body["type"] != "siem.events" {
        return Err(no(400, "another type than siem.events"));
    }
    let events = body["events"].as_array().filter(|events| !events.is_empty());
    let events = events.ok_or_else(|| no(400, "no events"))?;
    let read = |event: &Value| {
        let id = id_of(event).ok_or_else(|| no(400, "an event without an id"))?;
        Ok((id, event.clone()))
    };
    events.iter().map(read).collect()
}
