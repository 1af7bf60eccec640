//! The folder that policies are read from: how it is followed while it changes.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agenttrust::background;

use super::{Origin, Policies, run_blocking, stopped};
use crate::domain::{DEFAULT_ORG, Error};
use crate::engine::Engine;
use crate::policy::{Look, PolicyError, PolicySet};

/// The number of beats that a folder that was refused is left alone when nothing about it changes: what was in the way
/// may have been something else, such as too many open files.
const BEATS_BETWEEN_TRIES: u32 = 10;

/// The time that the folder may take to be read.
pub(super) const READ_WITHIN: Duration = Duration::from_secs(10);

/// The time that a folder that lost a `forbid` must have stood still before that is taken to be meant.
const STANDS_STILL: Duration = Duration::from_secs(2);

/// The time for which a folder may go on changing until that is said, because what is in it does not take effect.
const CHANGES_UNSAID: Duration = Duration::from_secs(10);

/// The state of the folder as it was seen.
#[derive(Debug)]
pub(super) struct Watch {
    /// The look of the folder just before it was read the last time.
    read: Look,
    /// The last look of the folder.
    seen: Look,
    /// The time since when it looks like this.
    seen_since: Instant,
    /// The time since when it has files that were not taken over, until it is said that this lasts.
    unread: Unread,
    beats_in_trouble: u32,
}

/// Files of the folder that were not taken over.
#[derive(Clone, Copy, Debug)]
enum Unread {
    No,
    Since(Instant),
    Said,
}

impl Watch {
    /// Begins with a folder that looked like this before it was read.
    pub(super) fn begin(look: Look) -> Self {
        let (seen_since, unread) = (Instant::now(), Unread::No);
        Self { read: look.clone(), seen: look, seen_since, unread, beats_in_trouble: 0 }
    }

    /// Says once that the folder goes on changing, so that its files are not taken over.
    fn say_that_it_lasts(&mut self) {
        match self.unread {
            Unread::No => self.unread = Unread::Since(Instant::now()),
            Unread::Since(since)
                if since.elapsed() >= CHANGES_UNSAID
                    && self.seen_since.elapsed() < STANDS_STILL =>
            {
                tracing::warn!(
                    "the policy folder, its files or links that lead to them keep changing, so what is in them is not \
                     in force, or not wholly; stop what changes them, or have the folder read as it is with SIGHUP or \
                     POST /api/v1/policies/reload"
                );
                self.unread = Unread::Said;
            }
            Unread::Since(_) | Unread::Said => {}
        }
    }
}

impl Policies {
    /// Returns whether the folder is to be read: it changed since it was read, and not since the last beat. An
    /// editor may empty a file before it fills it, and half a set permits what the whole one forbids.
    fn is_due(&self, look: &Look) -> bool {
        let mut state = self.state();
        let in_trouble = state.trouble.is_some();
        let watch = &mut state.watch;
        let settled = watch.seen.has_files_of(look);
        if watch.seen != *look {
            (watch.seen, watch.seen_since) = (look.clone(), Instant::now());
        }
        if !watch.read.has_files_of(look) {
            watch.beats_in_trouble = 0;
            watch.say_that_it_lasts();
            return settled;
        }
        watch.unread = Unread::No;
        watch.beats_in_trouble = if in_trouble { watch.beats_in_trouble + 1 } else { 0 };
        watch.beats_in_trouble.is_multiple_of(BEATS_BETWEEN_TRIES) && in_trouble
    }

    /// Returns whether the folder, whose set this is, lost a `forbid` and did not stand still since then for so long
    /// that this is meant: an editor or a copy may be half-way. `after` is how it looked once it was read.
    fn may_be_half_written(&self, set: &PolicySet, after: &Look) -> bool {
        let still = {
            let watch = &self.state().watch;
            watch.seen == *after && watch.seen_since.elapsed() >= STANDS_STILL
        };
        !still && self.load().forbids_lost_in(set).next().is_some()
    }
}

impl Engine {
    /// Reads the folder again, at once: this key asks for it.
    pub(crate) async fn reload_policies(
        self: &Arc<Self>,
        folder: &Path,
        key_id: &str,
    ) -> Result<(), Error> {
        let (engine, folder, key_id) = (Arc::clone(self), folder.to_owned(), key_id.to_owned());
        let reloaded = background::spawn(async move {
            let read = match engine.look(&folder).await? {
                Some(look) => engine.read_folder(&folder, look, Some(&key_id)).await?,
                // Its trouble is told of below.
                None => true,
            };
            if !read {
                return Err(Error::conflict(
                    "the policy folder is being written to; try again when that is done",
                ));
            }
            match engine.policies.trouble() {
                None => {}
                Some(trouble) => return Err(stay(&trouble.error)),
            }
            let now = engine.clock.now();
            engine.store.policies_reread(DEFAULT_ORG.to_owned(), key_id, now).await?;
            engine.sync().await.map(drop).map_err(Error::from)
        });
        reloaded.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Looks at the folder, and reads it when it changed.
    pub(crate) async fn watch_policies(&self) -> Result<(), Error> {
        let Some(folder) = self.policies.folder() else { return Ok(()) };
        let Some(look) = self.look(folder).await? else { return Ok(()) };
        // Without an audit nothing may change; the next beat looks again.
        if self.policies.is_due(&look) && self.audit.is_healthy() {
            self.read_folder(folder, look, None).await?;
        }
        Ok(())
    }

    /// Reads the folder, which looks like this, and puts its set in force if it is another one. `false` when it changed
    /// meanwhile, and when it lost a `forbid` a moment ago and no one says that it is done.
    async fn read_folder(
        &self,
        folder: &Path,
        before: Look,
        key_id: Option<&str>,
    ) -> Result<bool, Error> {
        let _alone = self.policies.changing.lock().await;
        let path = folder.to_owned();
        let read = move || (PolicySet::load_dir(&path), Look::at(&path));
        let Some((set, after)) = self.read_of(folder, read).await? else { return Ok(true) };
        if !before.reads_as(&after) {
            return Ok(false);
        }
        match set {
            Ok(set) if set.sha256() == self.policies.load().sha256() => {
                if self.policies.state().trouble.take().is_some() {
                    tracing::info!("the policy folder holds the set again that is in force");
                }
            }
            Ok(set) if key_id.is_none() && self.policies.may_be_half_written(&set, &after) => {
                return Ok(false);
            }
            Ok(set) => self.apply(set, Origin::Folder, key_id).await?,
            Err(error) => self.refuse(error, Origin::Folder, key_id).await,
        }
        // Last: a set that could not be put in force is read again.
        self.policies.state().watch.read = after;
        Ok(true)
    }

    async fn look(&self, folder: &Path) -> Result<Option<Look>, Error> {
        let path = folder.to_owned();
        self.read_of(folder, move || Look::at(&path)).await
    }

    /// Reads something of the folder without keeping other tasks waiting; `None`, and the policies are in trouble,
    /// when it takes too long. One read runs at a time: a disk that hangs holds one thread and no more.
    async fn read_of<T: Send + 'static>(
        &self,
        folder: &Path,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let reading = Arc::clone(&self.policies.reading);
        let done = background::timeout(READ_WITHIN, async {
            let alone = reading.acquire_owned().await.ok();
            run_blocking(move || {
                let done = work();
                drop(alone);
                done
            })
            .await
        });
        match done.await {
            Ok(done) => done.map(Some),
            Err(_) => {
                let error = PolicyError::too_slow(folder, READ_WITHIN);
                self.refuse(error, Origin::Folder, None).await;
                Ok(None)
            }
        }
    }
}

/// Returns why the policies stay as they are: the folder's are not usable.
fn stay(error: &PolicyError) -> Error {
    Error::conflict(format!(
        "the policies stay as they are, because the folder's are not usable: {error}"
    ))
    .with(error.place())
}
