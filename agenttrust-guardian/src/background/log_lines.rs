//! The log as tests look at it: what they name in it, from info up.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::subscriber::{DefaultGuard, Interest};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Lines of a log, as `WARN message field=value`.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    /// Returns those that have this text in them.
    pub(super) fn with(&self, text: &str) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|line| line.contains(text)).cloned().collect()
    }
}

/// Collects the lines of this thread, until what is returned with them is dropped.
pub(super) fn of_this_thread() -> (Lines, DefaultGuard) {
    let lines = Lines::default();
    (lines.clone(), tracing::subscriber::set_default(Collects(lines)))
}

/// Collects the lines of every test of the program: each looks for the ids that are its own.
pub(super) fn of_the_program() -> Lines {
    static LINES: OnceLock<Lines> = OnceLock::new();
    let collect = || {
        let lines = Lines::default();
        tracing::subscriber::set_global_default(Collects(lines.clone())).unwrap();
        lines
    };
    LINES.get_or_init(collect).clone()
}

struct Collects(Lines);

impl Subscriber for Collects {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && *metadata.level() <= Level::INFO
            && metadata.target().starts_with("agenttrust_guardian")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let written = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        written.unwrap();
    }
}
