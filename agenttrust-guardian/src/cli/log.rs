//! Logging: to standard error, a line an event, as text or as JSON.

mod lines;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Layer, Layered, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use self::lines::OneLine;
use crate::domain::GuardianError;

/// The format in which events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
}

/// A layer of its own on top of the log.
pub(super) type Beside = Option<Box<dyn Layer<Registry> + Send + Sync>>;

/// The filter of the log, which may change.
pub(super) struct Filter(reload::Handle<EnvFilter, Layered<Beside, Registry>>);

impl Filter {
    /// Lets through what `filter` does, from now on.
    pub(super) fn set(&self, filter: EnvFilter) -> Result<(), GuardianError> {
        let gone = |error: reload::Error| {
            GuardianError::Invalid(format!(
                "the log is another program's, which did not start here: {error}"
            ))
        };
        self.0.reload(filter).map_err(gone)
    }
}

/// Reads a filter.
pub(super) fn parse(filter: &str) -> Result<EnvFilter, GuardianError> {
    EnvFilter::builder().parse(filter).map_err(|error| {
        GuardianError::Invalid(format!(
            "log is {filter:?}, which is no filter: {error}; write a level such as info, or info,sqlx=debug"
        ))
    })
}

/// Logs what `filter` lets through.
pub(super) fn start(filter: &str, format: Format, beside: Beside) -> Result<Filter, GuardianError> {
    let (filter, handle) = reload::Layer::new(parse(filter)?);
    let coloured = std::io::stderr().is_terminal();
    let log = match format {
        Format::Text => tracing_subscriber::fmt::layer()
            // Where standard error is closed, saying so there would be a panic.
            .log_internal_errors(false)
            .with_ansi(coloured)
            .with_writer(OneLine { coloured })
            .with_filter(filter)
            .boxed(),
        Format::Json => tracing_subscriber::fmt::layer()
            .log_internal_errors(false)
            .json()
            .flatten_event(true)
            .with_writer(std::io::stderr)
            .with_filter(filter)
            .boxed(),
    };
    // Somebody who embeds this program may log already; then theirs stays.
    let _ = tracing_subscriber::registry().with(beside).with(log).try_init();
    Ok(Filter(handle))
}

/// Logs as `AGENTTRUST_LOG` says, else as `unsaid` does, for the commands that read no other settings.
pub(super) fn start_from_environment(unsaid: &str) {
    let filter = std::env::var("AGENTTRUST_LOG").ok().filter(|filter| !filter.is_empty());
    if start(filter.as_deref().unwrap_or(unsaid), Format::Text, None).is_err() {
        // A command that repairs something is not refused over its log.
        let _ = start(unsaid, Format::Text, None);
    }
}
