//! How often the log has a line on events that were set aside.

use std::time::{Duration, Instant};

/// The time between two lines on the events of one destination that were set aside. A caller that knows how to have an
/// event refused must not fill the log.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// The events of a destination that were set aside since the last line of the log on them.
#[derive(Debug, Default)]
pub(super) struct SetAsideLines {
    last: Option<Instant>,
    unlogged: usize,
}

impl SetAsideLines {
    /// Counts events, and returns how many a line is due on, if one is due.
    pub(super) fn count(&mut self, events: usize, now: Instant) -> Option<usize> {
        self.unlogged = self.unlogged.saturating_add(events);
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < LINE_EVERY) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_have_a_line_at_once_and_those_of_the_next_minute_one_together() {
        let (mut lines, begun) = (SetAsideLines::default(), Instant::now());
        assert_eq!(lines.count(2, begun), Some(2));
        assert_eq!(lines.count(1, begun), None);
        assert_eq!(lines.count(3, begun + LINE_EVERY / 2), None);
        assert_eq!(lines.count(1, begun + LINE_EVERY), Some(5));
        assert_eq!(lines.count(1, begun + LINE_EVERY), None);
    }
}
