//! Splunk's HTTP Event Collector: events as JSON, one after the other, and acknowledgements where it offers them.
//!
//! Where a token has acknowledgements switched on, an event was taken once it is acknowledged and not before. Behind
//! several indexers they have to be asked for at the one that took the events: the load balancer keeps a channel (or a
//! connection) at one of them.

use std::time::{Duration, Instant};

use agenttrust::background;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Builder;

use super::super::{Error, Outbound};
use super::endpoint::with_path;
use super::frames::{Frame, Part};
use super::http::{Answer, Reads, headers, post, quoted, seconds};
use super::sending::Sending;
use super::{Batch, Delivery};
use crate::domain::Secret;

/// The limits of a body: what Splunk Cloud takes. Events follow each other, without an array around them.
const FRAME: Frame =
    Frame { open: "", between: "\n", close: "", events: 1_000, bytes: 1_000_000, one: usize::MAX };

/// The paths that events go to. A single event goes to any of them.
const PATHS: [&str; 3] =
    ["/services/collector/event", "/services/collector", "/services/collector/event/1.0"];
/// The path at which acknowledgements are asked for.
const ACK: &str = "/services/collector/ack";
/// The header that names the channel, each of which has its own acknowledgements.
const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");

/// The source and the form of the events, as Splunk names them.
const SOURCE: &str = "agenttrust";
const SOURCE_TYPE: &str = "agenttrust:audit";

/// The code of the event collector for success.
const SUCCESS: u64 = 0;

/// The codes for a fault of the token or its settings, and not of an event: its index, its channel, its switches.
const OF_THE_TOKEN: [u64; 5] = [7, 10, 11, 14, 16];

/// The time after which it is first asked whether events are acknowledged, and the longest time between two questions.
const ASKED_FIRST: Duration = Duration::from_millis(100);
const ASKED_EVERY: Duration = Duration::from_secs(5);

/// Returns where events go to, below this URL.
pub(super) fn place(url: Url) -> Result<Url, Error> {
    const WRONG: &str = "names a path that is not the event collector's; it ends with /services/collector or \
                         /services/collector/event, or leave the path out";
    with_path(url, &PATHS, WRONG)
}

/// Sends a batch.
pub(super) async fn deliver(
    outbound: &Outbound,
    url: &Url,
    token: Option<&Secret>,
    batch: &Batch<'_>,
) -> Delivery {
    let mut headers =
        headers("application/json", token.map(|token| (AUTHORIZATION, "Splunk ", token)));
    // Where acknowledgements are switched on, events without a channel are refused.
    if let Ok(channel) = HeaderValue::from_str(&channel(url, batch.host)) {
        headers.insert(CHANNEL, channel);
    }
    let host = quoted(batch.host);
    let entries = FRAME.cut(batch.events, |event| {
        let (time, event) = (seconds(event.at), &event.json);
        format!(
            r#"{{"time":{time},"host":{host},"source":"{SOURCE}","sourcetype":"{SOURCE_TYPE}","event":{event}}}"#
        )
    });
    let mut sending = Sending::new(entries);
    while let Some(part) = sending.next() {
        let became = send(outbound, url, &headers, &part).await;
        sending.became(&part, became);
    }
    sending.end()
}

async fn send(outbound: &Outbound, url: &Url, headers: &HeaderMap, part: &Part) -> Delivery {
    let answer = match post(outbound, url, headers.clone(), part.body.clone(), Reads::Whole).await {
        Ok(answer) => answer,
        Err(later) => return later,
    };
    let said = answer.json();
    if !answer.status.is_success() {
        return refused(&answer, said.as_ref());
    }
    if let Err(error) = &answer.body {
        return answer.later(format!("nothing tells whether it is to be acknowledged: {error}"));
    }
    // A proxy or a page for signing in says 200, too.
    let is_success = |said: &Value| said.get("code").and_then(Value::as_u64) == Some(SUCCESS);
    let Some(said) = said.filter(is_success) else {
        return answer
            .later("its answer is not an event collector's, which says code 0".to_owned());
    };
    match said.get("ackId").map(Value::as_u64) {
        None => Delivery::taken(Some(answer.status.as_u16())),
        Some(Some(ack_id)) => acknowledged(outbound, url, headers, ack_id).await,
        Some(None) => answer.later("its ackId is no whole number".to_owned()),
    }
}

/// Returns what an answer that is no success says, by Splunk's own number for it.
fn refused(answer: &Answer, said: Option<&Value>) -> Delivery {
    let code = said.and_then(|said| said.get("code")).and_then(Value::as_u64);
    let why = said.and_then(|said| said.get("text")).and_then(Value::as_str);
    match answer.verdict(why) {
        Delivery::Refused { reason, .. }
            if code.is_some_and(|code| OF_THE_TOKEN.contains(&code)) =>
        {
            answer.later(reason)
        }
        verdict => verdict,
    }
}

/// Waits until events are acknowledged.
async fn acknowledged(
    outbound: &Outbound,
    url: &Url,
    headers: &HeaderMap,
    ack_id: u64,
) -> Delivery {
    let delivery_timeouts = outbound.delivery_timeouts.acknowledged;
    let (begun, mut wait) = (Instant::now(), ASKED_FIRST);
    let (url, body) = (ack_url(url), json!({ "acks": [ack_id] }).to_string());
    let mut last = "it was not yet".to_owned();
    loop {
        let left = delivery_timeouts.saturating_sub(begun.elapsed());
        if left.is_zero() {
            break;
        }
        background::sleep(wait.min(left)).await;
        wait = (wait * 2).min(ASKED_EVERY);
        let asked = post(outbound, &url, headers.clone(), body.clone(), Reads::Whole);
        let Ok(answer) = background::timeout(left.max(ASKED_FIRST), asked).await else { break };
        match answer {
            Ok(answer) if answer.status.is_success() => {
                let said = answer.json();
                let acks = said.as_ref().and_then(|said| said.get("acks"));
                let ack = acks.and_then(|acks| acks.get(ack_id.to_string()));
                if ack == Some(&Value::Bool(true)) {
                    return Delivery::taken(Some(answer.status.as_u16()));
                }
            }
            Ok(answer) => last = format!("it answered {}", answer.status),
            Err(Delivery::Later { reason, .. }) => last = reason,
            Err(_) => {}
        }
    }
    Delivery::later(format!(
        "the events were received and not acknowledged within {delivery_timeouts:?} ({last}); they are sent again"
    ))
}

/// Returns where acknowledgements of what went to this URL are asked for.
fn ack_url(url: &Url) -> Url {
    let mut ack = url.clone();
    let path = url.path();
    let above = path.rfind("/services/collector").and_then(|at| path.get(..at));
    ack.set_path(&format!("{}{ACK}", above.unwrap_or_default()));
    ack
}

/// Returns the channel of this Guardian to this receiver: the same after a restart, and another one for each Guardian.
fn channel(url: &Url, host: &str) -> String {
    let mut hash = Sha256::new_with_prefix("agenttrust siem channel\0");
    hash.update(host);
    hash.update([0]);
    hash.update(url.as_str());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, of_hash)| *byte = of_hash);
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
}
