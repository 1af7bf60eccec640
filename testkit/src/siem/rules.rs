//! What a receiver of HTTP knows, and how it answers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::formats;
use super::http::{Request, Vendor};

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, retry_after: None, body: body.to_string() }
    }

    /// Returns the answer as it is written to a connection.
    pub(super) fn text(&self) -> String {
        let Self { status, retry_after, body } = self;
        let retry = retry_after.as_ref().map(|after| format!("retry-after: {after}\r\n"));
        let (retry, length) = (retry.unwrap_or_default(), body.len());
        format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\n{retry}content-length: {length}\r\n\r\n{body}"
        )
    }
}

/// A request that is not as documented.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) reply: Reply,
    pub(super) why: String,
}

impl Refused {
    pub(super) fn new(status: u16, body: &Value, why: impl ToString) -> Self {
        Self { reply: Reply::json(status, body), why: why.to_string() }
    }
}

/// The rules of a receiver: the format it takes, the token, and what it acknowledges.
#[derive(Debug)]
pub(super) struct ReceiverRules {
    pub(super) vendor: Vendor,
    pub(super) token: String,
    pub(super) acknowledges_after: Option<u32>,
    /// The number of times that each acknowledgement was asked for, by its channel and number.
    pub(super) asked: BTreeMap<(String, u64), u32>,
}

impl ReceiverRules {
    /// Returns whether a request asks for acknowledgements, and brings no events.
    pub(super) fn is_of_acknowledgements(&self, request: &Request) -> bool {
        self.vendor == Vendor::Splunk && request.path == "/services/collector/ack"
    }

    /// Returns the events of a request that is as documented, with their ids.
    pub(super) fn read(&self, request: &Request) -> Result<Vec<(String, Value)>, Refused> {
        match self.vendor {
            Vendor::Splunk => formats::splunk(self, request),
            Vendor::Datadog => formats::datadog(self, request),
            Vendor::Elastic => formats::elastic(self, request),
            Vendor::Webhook => formats::webhook(self, request),
        }
    }

    /// Returns the answer to a request of which something is refused.
    pub(super) fn refuses(&self) -> Reply {
        match self.vendor {
            Vendor::Splunk => {
                let body =
                    json!({ "text": "Invalid data format", "code": 6, "invalid-event-number": 0 });
                Reply::json(400, &body)
            }
            Vendor::Datadog => {
                let error =
                    json!({ "status": "400", "title": "Bad Request", "detail": "Invalid log" });
                Reply::json(400, &json!({ "errors": [error] }))
            }
            Vendor::Elastic | Vendor::Webhook => Reply::json(400, &json!({})),
        }
    }

    /// Returns the answer to events that are taken, and which of them are kept; `odd` is one that is not, with its
    /// status.
    pub(super) fn takes(
        &mut self,
        request: &Request,
        events: &[(String, Value)],
        odd: Option<(&str, u16)>,
        there: &mut dyn FnMut(&str) -> bool,
    ) -> (Reply, Vec<bool>) {
        let all = vec![true; events.len()];
        match self.vendor {
            Vendor::Splunk => (self.splunk(request), all),
            Vendor::Datadog => (Reply::json(202, &json!({})), all),
            Vendor::Webhook => (Reply { status: 204, retry_after: None, body: String::new() }, all),
            Vendor::Elastic => elastic(events, odd, there),
        }
    }

    fn splunk(&mut self, request: &Request) -> Reply {
        let channel = request.headers.get("x-splunk-request-channel").cloned().unwrap_or_default();
        if self.is_of_acknowledgements(request) {
            let asked: Value = serde_json::from_str(&request.body).unwrap();
            let mut acks = serde_json::Map::new();
            for id in asked["acks"].as_array().unwrap().iter().filter_map(Value::as_u64) {
                let after = self.acknowledges_after.unwrap_or_default();
                // What is not known is not acknowledged.
                let is = self.asked.get_mut(&(channel.clone(), id)).is_some_and(|times| {
                    *times = times.saturating_add(1);
                    *times > after
                });
                acks.insert(id.to_string(), json!(is));
            }
            return Reply::json(200, &json!({ "acks": acks }));
        }
        let mut body = json!({ "text": "Success", "code": 0 });
        if self.acknowledges_after.is_some() {
            let id = self.asked.keys().filter(|(of, _)| *of == channel).count() as u64;
            self.asked.insert((channel, id), 0);
            body["ackId"] = json!(id);
        }
        Reply::json(200, &body)
    }
}

fn elastic(
    events: &[(String, Value)],
    odd: Option<(&str, u16)>,
    there: &mut dyn FnMut(&str) -> bool,
) -> (Reply, Vec<bool>) {
    let (mut items, mut kept, mut errors) = (Vec::new(), Vec::new(), false);
    for (id, _) in events {
        let (status, error) = match odd {
            Some((odd, 429)) if odd == id => {
                (429, Some(("es_rejected_execution_exception", "rejected execution")))
            }
            Some((odd, status)) if odd == id => {
                (status, Some(("document_parsing_exception", "failed to parse")))
            }
            _ if there(id) => {
                (409, Some(("version_conflict_engine_exception", "document already exists")))
            }
            _ => (201, None),
        };
        kept.push(status == 201);
        errors |= error.is_some();
        let mut item = json!({ "_index": "events", "_id": id, "status": status });
        if let Some((kind, reason)) = error {
            item["error"] = json!({ "type": kind, "reason": reason });
        }
        items.push(json!({ "create": item }));
    }
    (Reply::json(200, &json!({ "took": 1, "errors": errors, "items": items })), kept)
}
