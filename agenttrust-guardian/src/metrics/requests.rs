//! HTTP requests, by method, route and status.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Requests that were answered.
#[derive(Clone, Debug)]
pub(crate) struct Requests(Family<Labels, Counter>);

/// The labels of requests, one for each route and way to answer it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    /// The template, such as `/mcp/approvals/{id}`; `none` where there is no such route.
    route: String,
    status: u16,
}

impl Requests {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests = Family::default();
        let help = "HTTP requests answered, by method, route and status";
        registry.register("http_requests", help, requests.clone());
        Self(requests)
    }

    /// Counts a request; `route` is its template.
    pub(crate) fn count(&self, method: &'static str, route: String, status: u16) {
        self.0.get_or_create(&Labels { method, route, status }).inc();
    }
}
