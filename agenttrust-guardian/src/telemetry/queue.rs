//! What waits to be written: two lanes, with room for so many rows and bytes in all, and for a part of that
//! of each agent.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot, watch};

use crate::store::EventRow;

/// The number of rows that may wait, ...
const ROWS_MOST: usize = 20_000;
/// ... and how many bytes, ...
const BYTES_MOST: usize = 16 << 20;
/// ... of which those that are not verified get three quarters, ...
const VERIFIED_ALONE: usize = 4;
/// ... and one agent no more than a fifth.
const OF_AGENT: usize = 5;
/// The bytes of a row beside its texts.
const ROW_BYTES: usize = 256;

/// Events of one agent, verified or not, and who waits for them to be kept.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) agent_id: String,
    pub(super) events: Vec<EventRow>,
    bytes: usize,
    /// The channel for the number that was kept, or `None` when none was.
    kept: oneshot::Sender<Option<u64>>,
}

impl Batch {
    pub(super) fn new(
        agent_id: &str,
        events: Vec<EventRow>,
        kept: oneshot::Sender<Option<u64>>,
    ) -> Self {
        let bytes = events.iter().map(|event| ROW_BYTES + event.bytes()).sum();
        Self { agent_id: agent_id.to_owned(), events, bytes, kept }
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn is_verified(&self) -> bool {
        self.events.first().is_some_and(|event| event.verified)
    }

    /// Returns whether its caller is gone.
    pub(super) fn is_given_up(&self) -> bool {
        self.kept.is_closed()
    }

    pub(super) fn answer(self, kept: Option<u64>) {
        // Whoever no longer waits has events that are kept, or not, all the same.
        let _ = self.kept.send(kept);
    }
}

/// The queue.
#[derive(Debug)]
pub(super) struct Queue {
    lanes: Mutex<Lanes>,
    pushed: Notify,
    ended: watch::Sender<bool>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { lanes: Mutex::default(), pushed: Notify::new(), ended: watch::Sender::new(false) }
    }
}

#[derive(Debug, Default)]
struct Lanes {
    verified: VecDeque<Batch>,
    unverified: VecDeque<Batch>,
    taken: Room,
    taken_unverified: Room,
    of_agents: HashMap<String, Room>,
    closed: bool,
}

/// The rows and bytes that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Room {
    rows: usize,
    bytes: usize,
}

impl Room {
    fn for_batch(batch: &Batch) -> Self {
        Self { rows: batch.len(), bytes: batch.bytes }
    }

    fn and(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, bytes: self.bytes + other.bytes }
    }

    fn without(self, other: Self) -> Self {
        Self {
            rows: self.rows.saturating_sub(other.rows),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    /// Returns whether it is within so many parts of `of` parts of everything.
    fn is_within(self, parts: usize, of: usize) -> bool {
        self.rows <= ROWS_MOST / of * parts && self.bytes <= BYTES_MOST / of * parts
    }
}

impl Lanes {
    fn has_room(&self, batches: &[Batch]) -> bool {
        let Some(agent_id) = batches.first().map(|batch| &batch.agent_id) else { return true };
        let unverified = batches.iter().filter(|batch| !batch.is_verified());
        let unverified = unverified.map(Room::for_batch).fold(self.taken_unverified, Room::and);
        let all = batches.iter().map(Room::for_batch).fold(Room::default(), Room::and);
        let of_agent = self.of_agents.get(agent_id).copied().unwrap_or_default();
        self.taken.and(all).is_within(1, 1)
            && unverified.is_within(VERIFIED_ALONE - 1, VERIFIED_ALONE)
            && of_agent.and(all).is_within(1, OF_AGENT)
    }

    fn push(&mut self, batch: Batch) {
        let room = Room::for_batch(&batch);
        self.taken = self.taken.and(room);
        let of_agent = self.of_agents.entry(batch.agent_id.clone()).or_default();
        *of_agent = of_agent.and(room);
        if batch.is_verified() {
            self.verified.push_back(batch);
        } else {
            self.taken_unverified = self.taken_unverified.and(room);
            self.unverified.push_back(batch);
        }
    }

    fn pop(&mut self) -> Option<Batch> {
        let batch = self.verified.pop_front().or_else(|| self.unverified.pop_front())?;
        let room = Room::for_batch(&batch);
        self.taken = self.taken.without(room);
        if !batch.is_verified() {
            self.taken_unverified = self.taken_unverified.without(room);
        }
        if let Some(of_agent) = self.of_agents.get_mut(&batch.agent_id) {
            *of_agent = of_agent.without(room);
            if *of_agent == Room::default() {
                self.of_agents.remove(&batch.agent_id);
            }
        }
        Some(batch)
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Lanes> {
        // What is written there is whole after every step.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts them all at the end, or gives them back when there is no room for all of them.
    pub(super) fn push(&self, batches: Vec<Batch>) -> Result<(), Vec<Batch>> {
        let mut lanes = self.lock();
        if lanes.closed || !lanes.has_room(&batches) {
            return Err(batches);
        }
        batches.into_iter().for_each(|batch| lanes.push(batch));
        drop(lanes);
        self.pushed.notify_one();
        Ok(())
    }

    /// Returns the first ones, of at least one row and of `most` if there are so many; waits for the first. `None`
    /// once it is closed and empty.
    pub(super) async fn next(&self, most: usize) -> Option<Vec<Batch>> {
        loop {
            let pushed = self.pushed.notified();
            {
                let mut lanes = self.lock();
                let (mut batches, mut rows) = (Vec::new(), 0);
                while rows < most
                    && let Some(batch) = lanes.pop()
                {
                    rows += batch.len();
                    batches.push(batch);
                }
                if !batches.is_empty() {
                    return Some(batches);
                }
                if lanes.closed {
                    return None;
                }
            }
            pushed.await;
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.lock().taken.rows
    }

    /// Takes no more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.pushed.notify_one();
    }

    /// Ends the queue, since the writer has ended.
    pub(super) fn end(&self) {
        self.ended.send_replace(true);
    }

    pub(super) async fn ended(&self) {
        // An error here would mean that there is no queue.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}
