//! One tool that two functions give different effects: told when the guard of the process is set.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use agenttrust::{AgentTrustError, guarded};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

#[guarded(tool = "two_effects", effect = "read")]
fn _reads() -> Result<(), AgentTrustError> {
    Ok(())
}

#[guarded(tool = "two_effects", effect = "destructive")]
fn _deletes() -> Result<(), AgentTrustError> {
    Ok(())
}

/// Returns what is warned of while `act` runs.
pub(super) fn warnings(act: impl FnOnce()) -> Vec<String> {
    let warned = Warned::default();
    tracing::subscriber::with_default(warned.clone(), act);
    let warnings = warned.0.lock().unwrap();
    warnings.clone()
}

/// Checks that of the tool above there is one warning, with both effects and where each is given.
#[track_caller]
pub(super) fn told_once(warnings: &[String]) {
    let of_it: Vec<_> = warnings.iter().filter(|it| it.contains("\"two_effects\"")).collect();
    let [warning] = &of_it[..] else { panic!("{warnings:?}") };
    for (effect, function) in [("read", "fn _reads"), ("destructive", "fn _deletes")] {
        let line =
            include_str!("two_effects.rs").lines().position(|line| line.starts_with(function));
        let place = format!("{}:{}", file!(), line.unwrap() + 1);
        assert!(
            warning.contains(&format!("{effect} at {place}")),
            "{effect} at {place}: {warning}"
        );
    }
    assert!(warning.contains("another name with `tool = \"..\"`"), "{warning}");
}

#[derive(Clone, Default)]
struct Warned(Arc<Mutex<Vec<String>>>);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Warned {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
