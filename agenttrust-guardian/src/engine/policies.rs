//! The policies in force: their origin, the way in which another set takes their place, and the report on them.
//!
//! A set always comes into force as a whole or not at all: it is read and validated, it is recorded in the audit, and
//! then one pointer is turned. A set that is refused leaves the one before it in force.

mod folder;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agenttrust::Timestamp;
use agenttrust::background;
use arc_swap::{ArcSwap, Guard};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use self::folder::{READ_WITHIN, Watch};
use crate::audit::Record;
use crate::domain::{DEFAULT_ORG, Error};
use crate::engine::Engine;
use crate::policy::{Look, PolicyError, PolicySet, Shadow};
use crate::store::StoreError;

/// The largest number of bytes of ids that a row of the audit lists.
const LISTED_BYTES: usize = 16 << 10;

/// The largest number of lost policies that a line of the log names.
const LOST_NAMED: usize = 20;

/// The origin of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The default set.
    BuiltIn,
    /// The program that holds the Guardian.
    Program,
    /// A folder.
    Folder,
    /// `PUT /api/v1/policies`.
    Api,
}

impl Origin {
    /// Returns the word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::BuiltIn => "built_in",
            Self::Program => "program",
            Self::Folder => "folder",
            Self::Api => "api",
        }
    }
}

/// The reason why the folder's set is not the one in force.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) error: PolicyError,
    /// The time since when that is so.
    pub(crate) at: Timestamp,
}

/// The policies in force.
#[derive(Debug)]
pub(crate) struct Policies {
    set: ArcSwap<PolicySet>,
    /// The folder that they are read from, for as long as the Guardian runs.
    folder: Option<PathBuf>,
    state: Mutex<SetState>,
    /// The set that was sent here and found valid, until memory follows: it is not validated once more.
    sent: Mutex<Option<PolicySet>>,
    /// The lock that is held while one set takes the place of another, so that the audit has them in their order.
    changing: tokio::sync::Mutex<()>,
    /// The place that the reader of the folder takes, until that is done, however long it takes.
    reading: Arc<Semaphore>,
}

/// The origin, the start and the trouble of the set in force, and what its `@shadow` policies would have changed.
#[derive(Debug)]
struct SetState {
    origin: Origin,
    since: Timestamp,
    trouble: Option<Trouble>,
    /// The number of decisions that each `@shadow` policy would have changed.
    changed: BTreeMap<String, u64>,
    watch: Watch,
}

/// The report on the set in force.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) set: Arc<PolicySet>,
    pub(crate) origin: Origin,
    pub(crate) since: Timestamp,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) changed: BTreeMap<String, u64>,
}

impl Policies {
    /// Creates a set that is in force from the start, and until another one arrives by the API.
    pub(crate) fn of_set(set: PolicySet, origin: Origin, now: Timestamp) -> Self {
        Self::new(set, None, Look::default(), origin, now)
    }

    /// Returns the set of a folder, which is looked at from then on.
    ///
    /// # Errors
    ///
    /// As for [`PolicySet::load_dir`], and for a folder that cannot be read within ten seconds.
    pub(crate) async fn of_folder(folder: PathBuf, now: Timestamp) -> Result<Self, PolicyError> {
        let path = folder.clone();
        // Looked at first: what changes in between is read again.
        let reading = background::handle()
            .spawn_blocking(move || (Look::at(&path), PolicySet::load_dir(&path)));
        match background::timeout(READ_WITHIN, reading).await {
            Ok(Ok((look, set))) => Ok(Self::new(set?, Some(folder), look, Origin::Folder, now)),
            _ => Err(PolicyError::too_slow(&folder, READ_WITHIN)),
        }
    }

    fn new(
        set: PolicySet,
        folder: Option<PathBuf>,
        look: Look,
        origin: Origin,
        since: Timestamp,
    ) -> Self {
        let watch = Watch::begin(look);
        let state = SetState {
            origin,
            since,
            trouble: None,
            changed: counters(&set, &BTreeMap::new()),
            watch,
        };
        Self {
            set: ArcSwap::from_pointee(set),
            folder,
            state: Mutex::new(state),
            sent: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            reading: Arc::new(Semaphore::new(1)),
        }
    }

    /// Returns the set in force.
    pub(crate) fn load(&self) -> Guard<Arc<PolicySet>> {
        self.set.load()
    }

    /// Puts a set in force without a word of it.
    #[cfg(test)]
    pub(crate) fn store(&self, set: Arc<PolicySet>) {
        self.set.store(set);
    }

    /// Tells the log how many of them there are. The built-in one is not counted.
    pub(crate) fn log(&self) {
        let set = self.load();
        tracing::info!(
            policies = set.written().len(),
            shadow = set.written().iter().filter(|about| about.shadow).count(),
            sha256 = set.sha256(),
            source = self.state().origin.as_str(),
            "policies are in force"
        );
    }

    /// Returns whether they are what the program that holds the Guardian gave it.
    pub(crate) fn is_programs(&self) -> bool {
        self.state().origin == Origin::Program
    }

    /// Returns the folder that they are read from.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Returns why the folder's set is not the one in force.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.state().trouble.clone()
    }

    /// Counts what the `@shadow` policies would have changed about a decision.
    pub(crate) fn count(&self, shadow: &Shadow) {
        if shadow.changed_by.is_empty() {
            return;
        }
        let mut state = self.state();
        for id in &shadow.changed_by {
            if let Some(count) = state.changed.get_mut(id) {
                *count = count.saturating_add(1);
            }
        }
    }

    /// Returns the report on the policies.
    pub(crate) fn report(&self) -> Report {
        let state = self.state();
        Report {
            set: self.set.load_full(),
            origin: state.origin,
            since: state.since,
            trouble: state.trouble.clone(),
            changed: state.changed.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, SetState> {
        // What is written below is whole after every step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sent(&self) -> MutexGuard<'_, Option<PolicySet>> {
        // There is a whole set, or no set.
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, set: PolicySet, origin: Origin, now: Timestamp) {
        let mut state = self.state();
        state.changed = counters(&set, &state.changed);
        (state.origin, state.since, state.trouble) = (origin, now, None);
        self.set.store(Arc::new(set));
    }
}

/// Returns a counter for each `@shadow` policy, going on from those that there are.
fn counters(set: &PolicySet, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let shadow = set.list().iter().filter(|about| about.shadow);
    shadow.map(|about| (about.id.clone(), before.get(&about.id).copied().unwrap_or(0))).collect()
}

/// Returns what the audit says of a set: how many policies were written, and the ids of all that are in force, the
/// built-in one among them.
pub(crate) fn brief(set: &PolicySet) -> Value {
    let mut bytes = 0;
    let ids: Vec<&str> = set
        .list()
        .iter()
        .map(|about| about.id.as_str())
        .take_while(|id| {
            bytes += id.len() + 3;
            bytes <= LISTED_BYTES
        })
        .collect();
    json!({ "sha256": set.sha256(), "count": set.written().len(), "ids": ids })
}

impl Engine {
    /// Puts a set in force that an operator sent, after it is in the audit. It runs to its end, also when no caller
    /// waits for its outcome any more.
    pub(crate) async fn put_policies(
        self: &Arc<Self>,
        files: Vec<(String, String)>,
        key_id: &str,
    ) -> Result<(), Error> {
        let (engine, by) = (Arc::clone(self), key_id.to_owned());
        let applied = background::spawn(async move {
            let set = valid(files.clone()).await?.map_err(|error| Error::from(&error))?;
            *engine.policies.sent() = Some(set);
            let now = engine.clock.now();
            engine.store.put_policy_files(DEFAULT_ORG.to_owned(), files, by, now).await?;
            engine.sync().await.map(drop).map_err(Error::from)
        });
        applied.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Takes over the policies that the key `by` changed, here or at another replica.
    pub(crate) async fn follow_policies(&self, by: &str) -> Result<(), StoreError> {
        let unfollowed = |error: Error| StoreError::NotFollowed(error.message().to_owned());
        let origin = self.policies.state().origin;
        match origin {
            // Whoever had the folder read has read it; the others look at it by themselves in a moment. Memory
            // does not wait for their disks.
            Origin::Program | Origin::Folder => return Ok(()),
            Origin::BuiltIn | Origin::Api => {}
        }
        let files = self.control_store.policy_files().await?;
        if files.is_empty() {
            // What was changed is another replica's folder: no files were ever sent.
            return Ok(());
        }
        let sha256 = PolicySet::sha256_of(&files);
        let _alone = self.policies.changing.lock().await;
        if sha256 == self.policies.load().sha256() {
            // Others may have been sent in between that are not usable here.
            self.policies.state().trouble = None;
            return Ok(());
        }
        let sent = self.policies.sent().take().filter(|set| set.sha256() == sha256);
        let set = match sent {
            Some(set) => Ok(set),
            None => valid(files).await.map_err(unfollowed)?,
        };
        match set {
            Ok(set) => self.apply(set, Origin::Api, Some(by)).await.map_err(unfollowed),
            // Sent to another version of this program, say.
            Err(error) => {
                self.refuse(error, Origin::Api, Some(by)).await;
                Ok(())
            }
        }
    }

    /// Records the set, then puts it in force.
    async fn apply(
        &self,
        set: PolicySet,
        origin: Origin,
        key_id: Option<&str>,
    ) -> Result<(), Error> {
        let mut body = brief(&set);
        if let Some(body) = body.as_object_mut() {
            body.insert("source".to_owned(), json!(origin.as_str()));
            body.insert("before".to_owned(), json!(self.policies.load().sha256()));
        }
        let mut record = Record::new("policies.loaded", DEFAULT_ORG).body(body);
        record.actor = key_id.map(str::to_owned);
        self.audit.append(record).await.map_err(|error| {
            tracing::error!(%error, "another set of policies could not be recorded");
            Error::unavailable(
                "the audit log cannot be written, so the policies stay as they are; try again later",
            )
        })?;
        self.warn_of_lost(&set);
        self.policies.replace(set, origin, self.clock.now());
        self.policies.log();
        Ok(())
    }

    /// Warns of the policies in force that forbid, hold or limit and that this set does not have, each with its file.
    fn warn_of_lost(&self, set: &PolicySet) {
        let in_force = self.policies.load();
        let lost: Vec<_> = in_force.forbids_lost_in(set).collect();
        if lost.is_empty() {
            return;
        }
        let named =
            lost.iter().take(LOST_NAMED).map(|lost| format!("`{}` of {}", lost.id, lost.place));
        let named = named.collect::<Vec<_>>().join(", ");
        tracing::warn!(
            forbids = lost.len(),
            "policies that forbid, hold or limit are gone or changed: {named}{}",
            if lost.len() > LOST_NAMED { " and others" } else { "" }
        );
    }

    async fn refuse(&self, error: PolicyError, origin: Origin, key_id: Option<&str>) {
        if self.policies.trouble().is_some_and(|trouble| trouble.error == error) {
            return;
        }
        tracing::error!(%error, "the policies are not usable, so the ones in force stay");
        let body = json!({
            "source": origin.as_str(),
            "error": error.to_string().chars().take(2_000).collect::<String>(),
            "in_force": self.policies.load().sha256(),
        });
        self.policies.state().trouble = Some(Trouble { error, at: self.clock.now() });
        let mut record = Record::new("policies.refused", DEFAULT_ORG).body(body);
        record.actor = key_id.map(str::to_owned);
        // Nothing changed, so nothing hangs on this row.
        if let Err(error) = self.audit.enqueue(record).await {
            tracing::warn!(%error, "refused policies could not be recorded");
        }
    }
}

/// Returns the set of these files, if it is one.
async fn valid(files: Vec<(String, String)>) -> Result<Result<PolicySet, PolicyError>, Error> {
    run_blocking(move || PolicySet::of_files(files)).await
}

/// Reads files, and validates what is in them, where no other task is kept waiting.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    background::handle().spawn_blocking(work).await.map_err(|_| stopped())
}

fn stopped() -> Error {
    Error::unavailable("reading the policies panicked; look at the Guardian's log")
}

#[cfg(test)]
mod tests;
