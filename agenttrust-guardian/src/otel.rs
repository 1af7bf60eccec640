//! Spans for an OpenTelemetry collector, over OTLP and HTTP. Where to, with which headers and how many of
//! them is said by OpenTelemetry's own variables, `OTEL_EXPORTER_OTLP_ENDPOINT` first of all.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::Registry;

use crate::domain::trace::SPAN_TARGET;
use crate::domain::{GuardianError, Trace};

/// The name of this service, unless `OTEL_SERVICE_NAME` is set.
const SERVICE: &str = "agenttrust-guardian";

/// The time that the collector may take, as OpenTelemetry has it by default.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends spans until it is closed.
#[derive(Debug)]
pub(crate) struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// Creates an exporter for the Guardian of this name.
    pub(crate) fn start(replica: &str) -> Result<Self, GuardianError> {
        let exporter = exporter().map_err(|error| {
            GuardianError::Invalid(format!(
                "spans cannot be exported: {}; look at the variables that begin with OTEL_",
                without_values(&error.to_string(), std::env::vars())
            ))
        })?;
        let mut resource = Resource::builder().with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", replica.to_owned()),
        ]);
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(SERVICE);
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        Ok(Self { provider })
    }

    /// Returns what hands the spans of checks over, and no others.
    pub(crate) fn layer(&self) -> Box<dyn Layer<Registry> + Send + Sync> {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|of| of.is_span() && of.target() == SPAN_TARGET))
            .boxed()
    }

    /// Sends what is left.
    pub(crate) async fn close(self) {
        // It waits for the collector.
        let closed = tokio::task::spawn_blocking(move || self.provider.shutdown()).await;
        if let Ok(Err(error)) = closed {
            tracing::warn!(%error, "the last spans could not be exported");
        }
    }
}

/// Returns what sends spans. The client that OpenTelemetry makes needs the certificates of authorities, also where the
/// collector is asked without TLS: there, one without them does.
fn exporter() -> Result<SpanExporter, ExporterBuildError> {
    let refused = match SpanExporter::builder().with_http().build() {
        Err(refused) if !asks_over_tls() => refused,
        built => return built,
    };
    let made = std::thread::spawn(|| {
        let builder = reqwest::blocking::Client::builder().timeout(EXPORT_TIMEOUT);
        builder.tls_certs_only([]).build()
    });
    match made.join() {
        Ok(Ok(client)) => SpanExporter::builder().with_http().with_http_client(client).build(),
        _ => Err(refused),
    }
}

/// Returns whether the collector is at an address that begins with `https`.
fn asks_over_tls() -> bool {
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .is_some_and(|endpoint| endpoint.to_ascii_lowercase().starts_with("https:"))
}

/// Returns an error without what OpenTelemetry's variables say: an endpoint may hold a password, and headers a key.
fn without_values(error: &str, variables: impl Iterator<Item = (String, String)>) -> String {
    let ours = variables.filter(|(name, value)| name.starts_with("OTEL_") && !value.is_empty());
    let mut told = error.to_owned();
    for (name, value) in ours {
        told = told.replace(&value, &format!("(what {name} says)"));
    }
    told
}

/// Makes this span, which was not entered yet, a child of the caller's.
pub(crate) fn follow(span: &Span, trace: &Trace) {
    if span.is_disabled() {
        return;
    }
    let context = TraceContextPropagator::new().extract(&Said(trace));
    if context.span().span_context().is_valid() {
        // Nobody exports it; then it has no parent either.
        let _ = span.set_parent(context);
    }
}

struct Said<'a>(&'a Trace);

impl Extractor for Said<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.headers().find_map(|(known, value)| (known == name).then_some(value))
    }

    fn keys(&self) -> Vec<&str> {
        self.0.headers().map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_that_is_wrong_is_named_by_its_variable() {
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http//ada:SECRET@there"),
            ("OTEL_SERVICE_NAME", ""),
            ("PATH", "/bin"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let told =
            without_values("invalid URI http//ada:SECRET@there/v1: /bin", variables.into_iter());
        assert_eq!(told, "invalid URI (what OTEL_EXPORTER_OTLP_ENDPOINT says)/v1: /bin");
    }
}
