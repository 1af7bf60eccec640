//! What is held of what is limited, and who was refused; connections too.

use std::sync::atomic::Ordering;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Label;
use crate::domain::limits::Limits;

/// The numbers of the limits at the time of asking.
#[derive(Debug)]
pub(super) struct LimitNumbers {
    held: Family<[Label; 1], Gauge>,
    refused: Family<[Label; 2], Counter>,
}

impl LimitNumbers {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let (held, refused) = <(Family<_, _>, Family<_, _>)>::default();
        let help = "What is held at present: requests under way, bytes of bodies, callers that wait, streams, exports";
        registry.register("held", help, held.clone());
        let help = "Requests refused because a key, an organisation or all together hold as much as they may";
        registry.register("refused_by_limit", help, refused.clone());
        Self { held, refused }
    }

    /// Takes over how things are.
    pub(super) fn take_over(&self, limits: &Limits) {
        for shares in limits.each() {
            let kind = ("of", shares.kind.as_str());
            let held = i64::try_from(shares.held()).unwrap_or(i64::MAX);
            self.held.get_or_create(&[kind]).set(held);
            for (whose, refused) in shares.refused() {
                let labels = [kind, ("limit", whose.as_str())];
                self.refused.get_or_create(&labels).inner().store(refused, Ordering::Relaxed);
            }
        }
    }
}

/// The counters of a listener.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionNumbers {
    /// Connections that are open.
    pub(crate) open: Gauge,
    /// The idle connections that were closed because a new one came.
    pub(crate) made_room: Counter,
    /// The new connections that found no room and got an answer that says so.
    pub(crate) refused: Counter,
}

impl ConnectionNumbers {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let numbers = Self {
            open: Gauge::default(),
            made_room: Counter::default(),
            refused: Counter::default(),
        };
        registry.register("connections", "Connections that are open", numbers.open.clone());
        let help = "Idle connections that were closed to make room for others";
        registry.register("connections_closed_for_room", help, numbers.made_room.clone());
        let help = "Connections answered 503 because every other one was busy";
        registry.register("connections_refused", help, numbers.refused.clone());
        numbers
    }
}
