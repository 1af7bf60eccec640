//! Events on their way to the systems that watch over an organisation: each kind's format, and how it says that it
//! took them.
//!
//! Events that a receiver did not take are sent again. A status that an operator can mend (a token, a path, a time of
//! maintenance) loses nothing. Only an event that would be refused another time too counts as refused.

mod datadog;
mod elastic;
mod endpoint;
mod file;
mod frames;
mod http;
mod sending;
mod splunk;
mod syslog;
#[cfg(test)]
mod tests;
mod token;
mod webhook;

use std::time::Duration;

pub(crate) use self::endpoint::Endpoint;
use self::endpoint::Place;
pub(super) use self::file::FilesInUse;
pub(crate) use self::file::is_named_for_events;
pub(crate) use self::token::check_token;
use self::token::without;
use super::{Error, Outbound};
use crate::domain::{DestinationKind, Secret};
use crate::siem::SiemEvent;

/// Events that are sent together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch<'a> {
    /// The same however often this batch is sent.
    pub(crate) id: &'a str,
    pub(crate) events: &'a [SiemEvent],
    /// The Guardian that they are from.
    pub(crate) host: &'a str,
}

/// The outcome of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// A batch that was taken, but for events (by their place, with the receiver's reason) that it refused for good;
    /// `later`: places to send again.
    Taken { status: Option<u16>, refused: Vec<(usize, String)>, later: Vec<usize> },
    /// A batch that was refused for good as a whole.
    Refused { status: u16, reason: String },
    /// A batch that is to be tried again: nothing is lost.
    Later { status: Option<u16>, retry_after: Option<Duration>, reason: String },
}

impl Delivery {
    /// Returns that the events are to be tried again, for a reason that is not an answer.
    fn later(reason: impl ToString) -> Self {
        Self::Later { status: None, retry_after: None, reason: reason.to_string() }
    }

    /// Returns the same with other reasons.
    fn with_reasons(self, other: impl Fn(String) -> String) -> Self {
        match self {
            Self::Taken { status, refused, later } => {
                let refused = refused.into_iter().map(|(place, reason)| (place, other(reason)));
                Self::Taken { status, refused: refused.collect(), later }
            }
            Self::Refused { status, reason } => Self::Refused { status, reason: other(reason) },
            Self::Later { status, retry_after, reason } => {
                Self::Later { status, retry_after, reason: other(reason) }
            }
        }
    }

    /// Returns that all events were taken.
    fn taken(status: Option<u16>) -> Self {
        Self::Taken { status, refused: Vec::new(), later: Vec::new() }
    }
}

/// The time that each step of a delivery may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeliveryTimeouts {
    /// The time until a request is answered, all of it; until events are written to a connection, or to a file.
    answer: Duration,
    /// The time until events are acknowledged, where the receiver says that they will be. An indexer may take a minute
    /// or two.
    acknowledged: Duration,
    /// The time until a receiver of syslog has ended the connection ...
    end: Duration,
    /// ... and, beside twice the time that the connection took, until what it did before that is known here.
    on_its_way: Duration,
}

impl Default for DeliveryTimeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            answer: seconds(30),
            acknowledged: seconds(120),
            end: seconds(15),
            on_its_way: Duration::from_millis(20),
        }
    }
}

impl Outbound {
    /// Reads where events are to be sent; what would never be called is refused, and the error says why.
    pub(crate) fn endpoint(&self, kind: DestinationKind, url: &str) -> Result<Endpoint, Error> {
        let place = match kind {
            DestinationKind::Splunk => Place::Url(splunk::place(self.target(url)?)?),
            DestinationKind::Datadog => Place::Url(datadog::place(self.target(url)?)?),
            DestinationKind::Elastic => Place::Url(elastic::place(self.target(url)?)?),
            DestinationKind::Webhook => Place::Url(self.target(url)?),
            DestinationKind::Syslog => Place::Peer(syslog::Peer::parse(url, &self.reach)?),
            DestinationKind::File => Place::File(file::place(url, &self.folders)?),
        };
        Ok(Endpoint::new(kind, place))
    }

    /// Sends a batch, and tells what became of it.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it hangs up; what was sent may have been taken.
    pub(crate) async fn deliver(
        &self,
        endpoint: &Endpoint,
        token: Option<&Secret>,
        batch: &Batch<'_>,
    ) -> Delivery {
        let Some(token) = token else { return self.send_to(endpoint, None, batch).await };
        if let Err(wrong) = check_token(endpoint.kind(), token.expose()) {
            return Delivery::later(format!("not sent: the token {wrong}"));
        }
        let delivery = self.send_to(endpoint, Some(token), batch).await;
        // What a receiver says is shown to those who may not see the token.
        delivery.with_reasons(|reason| without(reason, token))
    }

    async fn send_to(
        &self,
        endpoint: &Endpoint,
        token: Option<&Secret>,
        batch: &Batch<'_>,
    ) -> Delivery {
        match (endpoint.kind(), endpoint.place()) {
            (DestinationKind::Splunk, Place::Url(url)) => {
                splunk::deliver(self, url, token, batch).await
            }
            (DestinationKind::Datadog, Place::Url(url)) => {
                datadog::deliver(self, url, token, batch).await
            }
            (DestinationKind::Elastic, Place::Url(url)) => {
                elastic::deliver(self, url, token, batch).await
            }
            (_, Place::Url(url)) => webhook::deliver(self, url, token, batch).await,
            (_, Place::Peer(peer)) => syslog::deliver(self, peer, batch).await,
            (_, Place::File(path)) => file::deliver(self, path, batch).await,
        }
    }
}
