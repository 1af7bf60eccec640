//! A batch that goes out in parts, one after the other: what became of them together.

use std::collections::VecDeque;

use super::Delivery;
use super::frames::Part;

/// The parts that are still to be sent, and what became of the others.
#[derive(Debug)]
pub(super) struct Sending {
    parts: VecDeque<Part>,
    has_begun: bool,
    status: Option<u16>,
    refused: Vec<(usize, String)>,
    later: Vec<usize>,
    /// The outcome of the first part, where that holds for the batch.
    whole: Option<Delivery>,
}

impl Sending {
    /// Begins with what was cut; what is too long is refused.
    pub(super) fn new((parts, refused): (VecDeque<Part>, Vec<(usize, String)>)) -> Self {
        Self { parts, has_begun: false, status: None, refused, later: Vec::new(), whole: None }
    }

    /// Returns the next part, unless one before it has to come first another time: events arrive in their order.
    pub(super) fn next(&mut self) -> Option<Part> {
        if self.whole.is_some() || !self.later.is_empty() {
            return None;
        }
        self.parts.pop_front()
    }

    /// Takes in what became of a part, whose places are counted in it.
    pub(super) fn became(&mut self, part: &Part, delivery: Delivery) {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        match delivery {
            Delivery::Taken { status, refused, later } => {
                let place = |at: usize| part.places.get(at).copied();
                let refused = refused.into_iter().filter_map(|(at, why)| Some((place(at)?, why)));
                self.status = status;
                self.refused.extend(refused);
                self.later.extend(later.into_iter().filter_map(place));
            }
            whole if is_first => self.whole = Some(whole),
            // What was taken before it is not sent again: it begins the next batch.
            Delivery::Refused { .. } | Delivery::Later { .. } => {
                self.later.extend_from_slice(&part.places);
            }
        }
    }

    /// Returns what became of the batch.
    pub(super) fn end(mut self) -> Delivery {
        if let Some(whole) = self.whole {
            return whole;
        }
        let left = self.parts.into_iter().flat_map(|part| part.places);
        self.later.extend(left);
        self.refused.sort_by_key(|(place, _)| *place);
        Delivery::Taken { status: self.status, refused: self.refused, later: self.later }
    }
}
