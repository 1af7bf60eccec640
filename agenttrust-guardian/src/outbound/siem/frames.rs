//! Bodies of requests: as many events in each as a receiver takes at once.

use std::collections::VecDeque;

use crate::siem::SiemEvent;

/// The way in which events become one body, and how much of one a receiver takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) open: &'static str,
    pub(super) between: &'static str,
    pub(super) close: &'static str,
    /// The most events of one body, the most bytes of it, and the most of one event.
    pub(super) events: usize,
    pub(super) bytes: usize,
    pub(super) one: usize,
}

/// A body, and which events of the batch are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) places: Vec<usize>,
    pub(super) body: String,
}

impl Part {
    /// Returns its name among the parts of a batch that is cut the same way each time.
    pub(super) fn id(&self, batch: &str) -> String {
        match self.places.first() {
            None | Some(0) => batch.to_owned(),
            Some(place) => format!("{batch}.{place}"),
        }
    }
}

impl Frame {
    /// Cuts events into bodies; beside them are those that are too long for any.
    pub(super) fn cut(
        &self,
        events: &[SiemEvent],
        write: impl Fn(&SiemEvent) -> String,
    ) -> (VecDeque<Part>, Vec<(usize, String)>) {
        let (mut parts, mut too_long) = (VecDeque::new(), Vec::new());
        let mut part = Part { places: Vec::new(), body: String::new() };
        let around = self.between.len() + self.close.len();
        for (place, event) in events.iter().enumerate() {
            let entry = write(event);
            if entry.len() > self.one {
                let reason = format!(
                    "it is {} bytes long in this form, and the receiver takes {} at most",
                    entry.len(),
                    self.one
                );
                too_long.push((place, reason));
                continue;
            }
            let is_full = part.places.len() >= self.events
                || part.body.len() + entry.len() + around > self.bytes;
            if is_full && !part.places.is_empty() {
                part.body.push_str(self.close);
                let whole =
                    std::mem::replace(&mut part, Part { places: Vec::new(), body: String::new() });
                parts.push_back(whole);
            }
            part.body.push_str(if part.places.is_empty() { self.open } else { self.between });
            part.body.push_str(&entry);
            part.places.push(place);
        }
        if !part.places.is_empty() {
            part.body.push_str(self.close);
            parts.push_back(part);
        }
        (parts, too_long)
    }
}
