//! Tells those who follow tasks what happens to them: that a row changed, by whichever replica, and what a target tells
//! of one that is heard here, piece by piece. What is told is held once, however many are told it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{broadcast, watch};

use crate::domain::task::{Shown, Task, TaskChange};
use crate::store::Standing;

/// The number of changes that may wait to be read; a reader that falls behind looks again.
const CHANGES_KEPT: usize = 1_024;
/// The number of pieces of one task that may wait; a follower that falls behind gets all of it from the start.
const PIECES_KEPT: usize = 256;

/// The news of tasks.
#[derive(Debug)]
pub(crate) struct TaskNews {
    changed: broadcast::Sender<Arc<str>>,
    heard: Mutex<HashMap<String, Arc<FollowedTask>>>,
    /// Tasks whose targets are just asked to tell of them.
    asked: Mutex<HashSet<String>>,
    rows: Mutex<HashMap<RowOf, Weak<LatestRow>>>,
    /// The count of what was put off, so that the loop that sends looks at once.
    due: watch::Sender<u64>,
}

/// The next piece of news of a task that is followed.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Told(Arc<Shown>),
    /// The task as a whole: more than one event says.
    Whole,
}

/// A task that is followed at its target.
#[derive(Debug)]
struct FollowedTask {
    /// Whether the message that its target answers was sent here, so that nothing is known of it that is newer.
    is_first: bool,
    now: Mutex<Now>,
    pieces: broadcast::Sender<Piece>,
}

/// A task as it was heard so far.
#[derive(Debug)]
struct Now {
    task: Task,
    /// The same in its shown form, while a reader holds that.
    shown: Weak<Shown>,
}

/// A task, and whether it is as its target sees it.
type RowOf = (String, bool);

/// The row of a task as those hold it who go by it.
#[derive(Debug, Default)]
pub(crate) struct LatestRow {
    /// The one that was read last, and by what that is known.
    read: tokio::sync::Mutex<Option<(String, Weak<Shown>)>>,
    /// The state of the task when one of them last looked.
    looked: tokio::sync::Mutex<Option<Look>>,
    /// The number of its changes.
    changes: AtomicU64,
    /// The time when one of them last had its target asked.
    asked_at: Mutex<Option<Instant>>,
}

/// The state of a task at a look.
#[derive(Debug)]
struct Look {
    at: Instant,
    /// The number of changes of the row by then.
    changes: u64,
    standing: Option<Standing>,
}

impl Default for TaskNews {
    fn default() -> Self {
        let changed = broadcast::Sender::new(CHANGES_KEPT);
        Self {
            changed,
            heard: Mutex::default(),
            asked: Mutex::default(),
            rows: Mutex::default(),
            due: watch::Sender::new(0),
        }
    }
}

/// Takes a lock, also after a panic: what is written under it is whole after every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TaskNews {
    /// Says that the row of this task changed.
    pub(crate) fn changed(&self, task_id: &str) {
        let rows = lock(&self.rows);
        for is_only_asked in [false, true] {
            if let Some(row) =
                rows.get(&(task_id.to_owned(), is_only_asked)).and_then(Weak::upgrade)
            {
                row.changes.fetch_add(1, Ordering::Release);
            }
        }
        drop(rows);
        // Nobody waiting is no error.
        let _ = self.changed.send(Arc::from(task_id));
    }

    /// Hears of every row that changes from here on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<str>> {
        self.changed.subscribe()
    }

    /// Wakes the loop that sends, to look at what is due.
    pub(crate) fn look(&self) {
        self.due.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Returns what [`look`](Self::look) changes.
    pub(crate) fn looks(&self) -> watch::Receiver<u64> {
        self.due.subscribe()
    }

    /// Tells from now on what the target of this task answers to a message that was sent here, until the returned value
    /// is dropped.
    pub(crate) fn hear(self: &Arc<Self>, task: Task) -> Hearing {
        self.heard_from_now_on(task, true)
    }

    /// Asks that the target of this task be followed; `None` where it is, or is just being asked.
    pub(crate) fn ask_to_hear(self: &Arc<Self>, task_id: &str) -> Option<Asking> {
        let is_new = !lock(&self.heard).contains_key(task_id)
            && lock(&self.asked).insert(task_id.to_owned());
        is_new.then(|| Asking { news: Arc::clone(self), task_id: task_id.to_owned() })
    }

    fn heard_from_now_on(self: &Arc<Self>, task: Task, is_first: bool) -> Hearing {
        let task_id = task.id.clone();
        let pieces = broadcast::Sender::new(PIECES_KEPT);
        let now = Mutex::new(Now { task, shown: Weak::new() });
        let heard = Arc::new(FollowedTask { is_first, now, pieces });
        lock(&self.heard).insert(task_id.clone(), Arc::clone(&heard));
        Hearing { news: Arc::clone(self), task_id, heard }
    }

    /// Returns the task as it was received so far, and each piece from then on; `None` where its target is not
    /// followed here.
    pub(crate) fn join(&self, task_id: &str) -> Option<(Arc<Shown>, broadcast::Receiver<Piece>)> {
        let heard = lock(&self.heard).get(task_id).map(Arc::clone)?;
        let mut now = lock(&heard.now);
        let pieces = heard.pieces.subscribe();
        let shown = now.shown.upgrade().unwrap_or_else(|| {
            let shown = Shown::whole(now.task.clone());
            now.shown = Arc::downgrade(&shown);
            shown
        });
        Some((shown, pieces))
    }

    /// Returns the task as it was heard so far in the answer to a message that was sent here.
    pub(crate) fn heard(&self, task_id: &str) -> Option<Task> {
        let heard = lock(&self.heard).get(task_id).map(Arc::clone)?;
        heard.is_first.then(|| lock(&heard.now).task.clone())
    }

    /// Returns the state that followers share that go by the row of a task; as its target sees it, where
    /// `is_only_asked` says so.
    pub(crate) fn row(&self, task_id: &str, is_only_asked: bool) -> Arc<LatestRow> {
        let mut rows = lock(&self.rows);
        let of = (task_id.to_owned(), is_only_asked);
        if let Some(row) = rows.get(&of).and_then(Weak::upgrade) {
            return row;
        }
        rows.retain(|_, row| row.strong_count() > 0);
        let row = Arc::<LatestRow>::default();
        rows.insert(of, Arc::downgrade(&row));
        row
    }
}

impl LatestRow {
    /// Returns the row that is known by `stamp`; read by `read` where no one who is still here read it before. That
    /// returns it with the stamp that it has.
    pub(crate) async fn at<E>(
        &self,
        stamp: &str,
        read: impl Future<Output = Result<(String, Task), E>>,
    ) -> Result<(String, Arc<Shown>), E> {
        let mut latest = self.read.lock().await;
        if let Some((known, shown)) = &*latest
            && known == stamp
            && let Some(shown) = shown.upgrade()
        {
            return Ok((known.clone(), shown));
        }
        let (stamp, task) = read.await?;
        let shown = Shown::whole(task);
        *latest = Some((stamp.clone(), Arc::downgrade(&shown)));
        Ok((stamp, shown))
    }
}

impl LatestRow {
    /// Returns the state of the task, by `look` where it changed or where no follower that shares it looked for so
    /// long.
    pub(crate) async fn standing<E>(
        &self,
        for_long: Duration,
        look: impl Future<Output = Result<Option<Standing>, E>>,
    ) -> Result<Option<Standing>, E> {
        let mut looked = self.looked.lock().await;
        // Before it is looked: what changes while that is done is looked for again.
        let changes = self.changes.load(Ordering::Acquire);
        if let Some(known) = &*looked
            && known.changes == changes
            && known.at.elapsed() < for_long
        {
            return Ok(known.standing.clone());
        }
        let at = Instant::now();
        let standing = look.await?;
        *looked = Some(Look { at, changes, standing: standing.clone() });
        Ok(standing)
    }

    /// Returns whether no follower that shares it had the target asked for so long; if so, the caller has.
    pub(crate) fn may_ask(&self, after: Duration) -> bool {
        let mut asked_at = lock(&self.asked_at);
        let is_due = asked_at.is_none_or(|at| at.elapsed() >= after);
        if is_due {
            *asked_at = Some(Instant::now());
        }
        is_due
    }
}

/// The right to ask a target to tell of a task, which one has at a time.
#[derive(Debug)]
pub(crate) struct Asking {
    news: Arc<TaskNews>,
    task_id: String,
}

impl Asking {
    /// Returns the hearing of a task: its followers get what happens until that is dropped.
    pub(crate) fn hear(self, task: Task) -> Hearing {
        let hearing = self.news.heard_from_now_on(task, false);
        self.news.changed(&self.task_id);
        hearing
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        lock(&self.news.asked).remove(&self.task_id);
    }
}

/// The guard that keeps a task followed; once it is dropped, followers go by its row again.
#[derive(Debug)]
pub(crate) struct Hearing {
    news: Arc<TaskNews>,
    task_id: String,
    heard: Arc<FollowedTask>,
}

impl Hearing {
    /// Takes over what the target sent, and sends the followers what changed by that.
    pub(crate) fn tell(&self, take: impl FnOnce(&mut Task) -> TaskChange) {
        let mut now = lock(&self.heard.now);
        let piece = match take(&mut now.task) {
            TaskChange::Nothing => return,
            TaskChange::Piece(event) => Piece::Told(Shown::new(*event)),
            TaskChange::Whole => Piece::Whole,
        };
        now.shown = Weak::new();
        // Nobody listening is no error.
        let _ = self.heard.pieces.send(piece);
    }

    /// Returns what `look` sees of the task as it was heard so far.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Task) -> T) -> T {
        look(&lock(&self.heard.now).task)
    }

    /// Returns whether no one listens.
    pub(crate) fn is_alone(&self) -> bool {
        self.heard.pieces.receiver_count() == 0
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        let mut heard = lock(&self.news.heard);
        // It may be heard again by then.
        if heard.get(&self.task_id).is_some_and(|known| Arc::ptr_eq(known, &self.heard)) {
            heard.remove(&self.task_id);
        }
    }
}
