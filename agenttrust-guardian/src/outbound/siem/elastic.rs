//! Elastic's bulk requests: each event is created under its own id, so that one that is sent again is there once.

use http::header::AUTHORIZATION;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::{Error, Outbound};
use super::frames::{Frame, Part};
use super::http::{ANSWER_MAX_BYTES, Answer, Reads, headers, passes, plain, post, quoted};
use super::sending::Sending;
use super::{Batch, Delivery};
use crate::domain::Secret;
use crate::siem::SiemEvent;

/// The limits of a body, in which every line ends. Elastic takes more, and advises not to send it.
const FRAME: Frame =
    Frame { open: "", between: "", close: "", events: 1_000, bytes: 5_000_000, one: usize::MAX };

const BULK: &str = "/_bulk";
/// The path that events go to unless the URL names an index: a data stream of Elastic's own template for logs.
const DATA_STREAM: &str = "/logs-agenttrust.audit-default";

/// The reason that is told where an answer gives none of use.
const SILENT: &str = "it does not say why";

/// The status for a document that is there already.
const CONFLICT: u16 = 409;

/// An answer to a bulk request. What it holds is read once it is seen to tell of as many events as were sent.
#[derive(Deserialize)]
struct Bulk<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

/// The outcome of one action of the request.
#[derive(Deserialize)]
struct Action<'a> {
    #[serde(borrow)]
    create: Item<'a>,
}

/// The outcome of one document.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(rename = "_id")]
    id: Option<String>,
    status: u16,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl Item<'_> {
    /// Returns Elastic's word for what is wrong with it.
    fn why(&self) -> String {
        let error = self.error.filter(|error| error.get().len() <= ANSWER_MAX_BYTES);
        let error = error.and_then(|error| serde_json::from_str(error.get()).ok());
        error.as_ref().map_or_else(|| SILENT.to_owned(), why)
    }
}

/// Returns where bulk requests go to: to the index that the URL names, if it names one.
pub(super) fn place(mut url: Url) -> Result<Url, Error> {
    let path = url.path().trim_end_matches('/').to_owned();
    let index = path.strip_suffix(BULK).unwrap_or(&path);
    let index = if index.is_empty() { DATA_STREAM } else { index };
    url.set_path(&format!("{index}{BULK}"));
    Ok(url)
}

/// Sends a batch.
pub(super) async fn deliver(
    outbound: &Outbound,
    url: &Url,
    token: Option<&Secret>,
    batch: &Batch<'_>,
) -> Delivery {
    let headers =
        headers("application/x-ndjson", token.map(|token| (AUTHORIZATION, "ApiKey ", token)));
    let mut sending = Sending::new(FRAME.cut(batch.events, document));
    while let Some(part) = sending.next() {
        let became =
            match post(outbound, url, headers.clone(), part.body.clone(), Reads::Items).await {
                Ok(answer) if answer.status.is_success() => items(&answer, &part, batch.events),
                Ok(answer) => {
                    let said = answer.json();
                    let error = said.as_ref().and_then(|said| said.get("error"));
                    answer.verdict(error.map(why).as_deref())
                }
                Err(later) => later,
            };
        sending.became(&part, became);
    }
    sending.end()
}

/// Returns what is done with an event, and the event: with the time that a data stream sorts by.
fn document(event: &SiemEvent) -> String {
    let (id, at) = (quoted(&event.id), event.at);
    let members = event.json.strip_prefix('{').unwrap_or("}");
    let comma = if members.starts_with('}') { "" } else { "," };
    format!("{{\"create\":{{\"_id\":{id}}}}}\n{{\"@timestamp\":\"{at}\"{comma}{members}\n")
}

/// Returns what became of each event of a part.
fn items(answer: &Answer, part: &Part, events: &[SiemEvent]) -> Delivery {
    let bulk: Bulk<'_> = match &answer.body {
        Ok(body) => match serde_json::from_slice(body) {
            Ok(bulk) => bulk,
            Err(_) => {
                let reason = "what the receiver answered is no answer to a bulk request, so nothing tells what it took";
                return answer.later(reason.to_owned());
            }
        },
        Err(error) => return answer.later(format!("nothing tells what was taken: {error}")),
    };
    let is_of_all = bulk.items.len() == part.places.len();
    let items = bulk.items.into_iter().filter(|_| is_of_all).filter_map(item);
    let items: Vec<Item<'_>> = items.collect();
    let ids = part.places.iter().map(|place| events.get(*place).map(|event| &event.id));
    let is_of_it =
        |(item, id): (&Item<'_>, Option<&String>)| item.id.is_none() || item.id.as_ref() == id;
    if items.len() != part.places.len() || !items.iter().zip(ids).all(is_of_it) {
        let reason = "what the receiver answered tells of other events than those that were sent";
        return answer.later(reason.to_owned());
    }
    let (mut refused, mut later) = (Vec::new(), Vec::new());
    let mut last = None;
    for (at, item) in items.into_iter().enumerate() {
        let reason =
            || format!("the receiver answered {} for this event: {}", item.status, item.why());
        match item.status {
            200..=299 | CONFLICT => {}
            status if passes(status) => {
                later.push(at);
                last.get_or_insert_with(reason);
            }
            _ => refused.push((at, reason())),
        }
    }
    match last {
        // Nothing was taken: there is a reason to tell, and perhaps a time to wait.
        Some(reason) if later.first() == Some(&0) => answer.later(reason),
        _ => Delivery::Taken { status: Some(answer.status.as_u16()), refused, later },
    }
}

fn item(raw: &RawValue) -> Option<Item<'_>> {
    serde_json::from_str(raw.get()).ok().map(|action: Action<'_>| action.create)
}

/// Returns Elastic's word for what is wrong.
fn why(error: &Value) -> String {
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    match (text("type"), text("reason"), error.as_str()) {
        (Some(kind), Some(reason), _) => plain(&format!("{kind}: {reason}")),
        (Some(one), None, _) | (None, Some(one), _) | (None, None, Some(one)) => plain(one),
        (None, None, None) => SILENT.to_owned(),
    }
}
