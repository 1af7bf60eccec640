//! Syslog: RFC 5424 over TLS (RFC 5425) or TCP (RFC 6587), each message behind its length.
//!
//! Nothing in syslog says that a message was taken. So a connection carries one batch and is ended as TCP and TLS end
//! one. Once the receiver has ended its own side after ours, it has read what was sent. A receiver that stops before
//! loses nothing.

mod connection;
mod message;

use agenttrust::background;
use reqwest::Url;

use self::connection::send;
use self::message::message;
use super::super::address::Reach;
use super::super::{Error, Outbound, target};
use super::{Batch, Delivery};

/// The port where syslog is listened for, unless the URL names another one.
const PORT_TLS: u16 = 6514;
const PORT_TCP: u16 = 601;

/// A receiver of syslog.
#[derive(Clone)]
pub(super) struct Peer {
    /// The address as a URL, which is checked as those of calls by HTTP are.
    url: Url,
    host: String,
    port: u16,
    is_tls: bool,
}

impl Peer {
    /// Reads where it is; what would never be called is refused, and the error says why.
    pub(super) fn parse(text: &str, reach: &Reach) -> Result<Self, Error> {
        const WRONG: Error = Error::Refused(
            "is not that of a receiver of syslog; write syslog+tls://HOST:PORT, or syslog+tcp://HOST:PORT without TLS",
        );
        let (scheme, rest) = text.split_once(':').ok_or(WRONG)?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "syslog+tls" | "tls" => true,
            "syslog+tcp" | "tcp" => false,
            _ => return Err(WRONG),
        };
        let url =
            target::parse(&format!("{}:{rest}", if is_tls { "https" } else { "http" }), reach);
        let url = url.map_err(|error| match error {
            Error::Refused(target::ONLY_TLS) => Error::Refused(
                "must be syslog+tls; without TLS only addresses are called that were opened with allow-outbound: an \
                 operator starts `agenttrust serve` with their range, such as `--allow-outbound 127.0.0.1/32`",
            ),
            error => error,
        })?;
        if url.path() != "/" || url.query().is_some() {
            return Err(Error::Refused(
                "has a path or a query, which syslog has not; leave it out",
            ));
        }
        // The port as it was written: that of https is none of a URL, and may be that of a receiver.
        let port = Url::parse(text).ok().and_then(|url| url.port());
        let port = port.unwrap_or(if is_tls { PORT_TLS } else { PORT_TCP });
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { url, host, port, is_tls })
    }
}

#[cfg(test)]
impl Peer {
    /// Returns its host, its port, and whether it is spoken with over TLS.
    pub(super) fn is_at(&self) -> (&str, u16, bool) {
        (&self.host, self.port, self.is_tls)
    }
}

/// Sends a batch over a connection of its own.
///
/// # Cancel safety
///
/// Dropped, it hangs up; what was sent may have been taken.
pub(super) async fn deliver(outbound: &Outbound, peer: &Peer, batch: &Batch<'_>) -> Delivery {
    if let Err(error) = target::check(&peer.url, &outbound.reach) {
        return Delivery::later(error);
    }
    let mut frames = Vec::new();
    for event in batch.events {
        let message = message(event, batch.host);
        frames.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
    }
    // On the background runtime: the caller's may have no sockets, or not live as long.
    let sending = AbortOnDrop(background::spawn(send(outbound.clone(), peer.clone(), frames)));
    match sending.ended().await {
        Ok(()) => Delivery::taken(None),
        Err(reason) => Delivery::later(reason),
    }
}

/// A task that is aborted when it is not waited for any more.
struct AbortOnDrop(tokio::task::JoinHandle<Result<(), String>>);

impl AbortOnDrop {
    async fn ended(mut self) -> Result<(), String> {
        (&mut self.0).await.unwrap_or_else(|_| Err("no answer: it was cut off".to_owned()))
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
