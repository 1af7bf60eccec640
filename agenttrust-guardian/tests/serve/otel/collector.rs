//! A collector of spans: what it is sent over OTLP and HTTP, read without a library of it.

use std::collections::HashMap;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use tokio::sync::mpsc;

use crate::program::LONG;

/// Returns the fields of a message of protocol buffers that hold bytes, by number.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn number(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (first, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = number(&mut bytes);
        let length = match tag & 7 {
            0 => {
                number(&mut bytes);
                continue;
            }
            1 => 8,
            2 => usize::try_from(number(&mut bytes)).unwrap(),
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (value, rest) = bytes.split_at(length);
        bytes = rest;
        if tag & 7 == 2 {
            found.push((tag >> 3, value));
        }
    }
    found
}

fn every(bytes: &[u8], field: u64) -> Vec<&[u8]> {
    let all = fields(bytes).into_iter();
    all.filter(|(number, _)| *number == field).map(|(_, value)| value).collect()
}

fn word(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn attributes(bytes: &[u8], field: u64) -> HashMap<String, String> {
    let pair = |pair: &&[u8]| {
        let value = every(every(pair, 2)[0], 1);
        Some((word(every(pair, 1)[0]), word(value.first()?)))
    };
    every(bytes, field).iter().filter_map(pair).collect()
}

#[derive(Debug)]
pub(super) struct Span {
    pub(super) trace: String,
    pub(super) parent: String,
    pub(super) name: String,
    pub(super) attributes: HashMap<String, String>,
    pub(super) resource: HashMap<String, String>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn spans(request: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for of_resource in every(request, 1) {
        let resource = attributes(every(of_resource, 1)[0], 1);
        for scope in every(of_resource, 2) {
            spans.extend(every(scope, 2).into_iter().map(|span| Span {
                trace: hex(every(span, 1)[0]),
                parent: every(span, 4).first().map(|id| hex(id)).unwrap_or_default(),
                name: word(every(span, 5)[0]),
                attributes: attributes(span, 9),
                resource: resource.clone(),
            }));
        }
    }
    spans
}

/// A collector that was begun.
pub(super) struct Collector {
    pub(super) url: String,
    received: mpsc::UnboundedReceiver<Vec<Span>>,
}

impl Collector {
    pub(super) async fn start() -> Self {
        let (sent, received) = mpsc::unbounded_channel();
        let take = async |State(sent): State<mpsc::UnboundedSender<Vec<Span>>>,
                          headers: HeaderMap,
                          body: Bytes| {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            let _ = sent.send(spans(&body));
        };
        let router = Router::new().route("/v1/traces", post(take)).with_state(sent);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, received }
    }

    /// Returns so many spans, or more, in the order in which they ended.
    pub(super) async fn spans(&mut self, count: usize) -> Vec<Span> {
        let mut spans = Vec::new();
        while spans.len() < count {
            let next = tokio::time::timeout(LONG, self.received.recv()).await;
            spans.extend(next.expect("nothing was exported").unwrap());
        }
        spans
    }
}
