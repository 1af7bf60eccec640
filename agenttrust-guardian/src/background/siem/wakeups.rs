//! Wakeups: the signals that a job waits for.

use std::pin::pin;
use std::time::Duration;

use agenttrust::background;
use futures_util::future::select;
use tokio::sync::watch;

use super::backlog::Cursors;
use crate::audit::Written;
use crate::engine::Engine;

/// The time that more rows are waited for once one was heard of: many come together.
const GATHERS: Duration = Duration::from_millis(20);

/// The signals that wake the job of a destination.
pub(super) struct Wakeups {
    pub(super) closing: watch::Receiver<bool>,
    pub(super) changes: watch::Receiver<u64>,
    written: Written,
    others: watch::Receiver<Cursors>,
}

impl Wakeups {
    pub(super) fn new(engine: &Engine, id: &str, others: watch::Receiver<Cursors>) -> Self {
        Self {
            closing: engine.closing(),
            changes: engine.siem.changes_of(id),
            written: engine.audit.listen(),
            others,
        }
    }

    /// Returns how far every log is written, as far as it is known here.
    pub(super) fn heads(&mut self, own: &str) -> Cursors {
        let mut heads = self.others.borrow_and_update().clone();
        let newest = heads.entry(own.to_owned()).or_default();
        *newest = self.written.newest().max(*newest);
        heads
    }

    /// Waits so long at most: until the destination was changed or the Guardian closes and, if they matter, until rows
    /// come.
    pub(super) async fn wait(&mut self, most: Duration, for_rows: bool) {
        let Self { closing, changes, written, others } = self;
        let (closed, changed) = (pin!(closing.changed()), pin!(changes.changed()));
        let signals = select(closed, changed);
        if !for_rows {
            let _ = background::timeout(most, signals).await;
            return;
        }
        // Many rows are written together. Nothing is due within this time that was not before.
        background::sleep(GATHERS.min(most)).await;
        let (own, other) = (pin!(written.changed()), pin!(others.changed()));
        // Whichever comes first.
        let _ = background::timeout(most, select(signals, select(own, other))).await;
    }
}
