//! One destination's way: what it is owed is gathered, sent when it is due, and crossed out.

use std::sync::{Arc, Weak};
use std::time::Duration;

use agenttrust::{Timestamp, background};
use tokio::sync::watch;

use super::alive;
use super::backlog::Cursors;
use super::batch::{self, Verdict};
use super::leased::LeasedDestination;
use super::sending::{Sending, lease_of, renewed_after};
use super::wakeups::Wakeups;
use crate::audit::AuditError;
use crate::background::jobs::Job;
use crate::engine::Engine;
use crate::outbound::siem::Delivery;
use crate::store::{SiemStep, StoreError};

/// The time to wait after a trouble of the database.
const AFTER_TROUBLE: Duration = Duration::from_secs(1);
/// The pause between two looks through a long log, for the work of others.
const GIVES_WAY: Duration = Duration::from_millis(5);
/// The time after which it is looked again whether a destination that is put off has events to be sent.
const PEEKED_EVERY: Duration = Duration::from_secs(1);
/// The number of rows that the destination does not want which are passed over until their place is kept ...
const PASSED_OVER_MOST: usize = 5_000;
/// ... and how long.
const PASSED_OVER_FOR: Duration = Duration::from_secs(30);

/// The reason why a step was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// The outcome of a step.
enum Step {
    Next(Next),
    /// A sending of so many events, where as many as `most` are sent at once.
    Send {
        sending: Box<Sending>,
        count: usize,
        most: usize,
    },
}

/// The thing to do next.
enum Next {
    /// The next one, at once.
    Again,
    /// The next one after this time, or when something is heard.
    Wait { most: Duration, for_rows: bool },
    /// No further step: the destination is another replica's, paused or gone.
    End,
}

/// Goes on until the destination is paused, gone or another replica's, or the Guardian closes.
pub(super) async fn run(job: Job, engine: Weak<Engine>, others: watch::Receiver<Cursors>) {
    let Some(held) = alive(&engine) else { return };
    let mut wakeups = Wakeups::new(&held, &job.id, others);
    drop(held);
    let changes = *wakeups.changes.borrow();
    let mut work = Work { id: job.id.clone(), leased: None, changes, at_once: usize::MAX };
    let mut troubled = false;
    while let Some(held) = alive(&engine) {
        let next = match work.turn(held, &mut wakeups).await {
            Ok(next) => {
                if troubled {
                    tracing::info!(destination_id = job.id, "events can be sent again");
                    troubled = false;
                }
                next
            }
            // Where the Guardian closes, so does its database.
            Err(_) if alive(&engine).is_none() => Next::End,
            Err(error) => {
                if !troubled {
                    let id = &job.id;
                    tracing::warn!(%error, destination_id = id, "events cannot be sent; trying again");
                    troubled = true;
                }
                work.leased = None;
                Next::Wait { most: AFTER_TROUBLE, for_rows: false }
            }
        };
        match next {
            Next::Again => {}
            Next::Wait { most, for_rows } => wakeups.wait(most, for_rows).await,
            // It was changed since it was looked at.
            Next::End if wakeups.changes.has_changed().unwrap_or(false) => {}
            Next::End => break,
        }
    }
    if let Some(engine) = engine.upgrade() {
        work.give_back(&engine).await;
        engine.siem.left(&job.id);
    }
}

struct Work {
    id: String,
    leased: Option<LeasedDestination>,
    /// The number of changes of destinations that it has looked after.
    changes: u64,
    /// The largest number of events that are sent at once: fewer after a batch was refused, until the bad one is
    /// found.
    at_once: usize,
}

impl Work {
    async fn turn(&mut self, engine: Arc<Engine>, wakeups: &mut Wakeups) -> Result<Next, Trouble> {
        let (sending, count, most) = match self.step(&engine, wakeups).await? {
            Step::Next(next) => return Ok(next),
            Step::Send { sending, count, most } => (sending, count, most),
        };
        let weak = Arc::downgrade(&engine);
        drop(engine);
        let Some(leased) = &mut self.leased else { return Ok(Next::End) };
        let events = leased.backlog.events().get(..count).unwrap_or_default();
        let told = (wakeups.changes.clone(), wakeups.closing.clone());
        let delivery = sending.send(&weak, &leased.row, events, told).await;
        let Some(engine) = alive(&weak) else { return Ok(Next::End) };
        match delivery {
            None => self.follow(Verdict::Lost, most),
            Some(delivery) => {
                let verdict = batch::settle(&engine, leased, count, delivery).await?;
                self.follow(verdict, most);
            }
        }
        Ok(Next::Again)
    }

    async fn step(&mut self, engine: &Engine, wakeups: &mut Wakeups) -> Result<Step, Trouble> {
        let now = engine.clock.now();
        // Not by what was heard: whoever waits for a change has heard of it.
        let changes = *wakeups.changes.borrow_and_update();
        let was_changed = std::mem::replace(&mut self.changes, changes) != changes;
        self.lease(engine, was_changed, now).await?;
        let Some(leased) = &mut self.leased else { return Ok(Step::Next(Next::End)) };
        let heads = wakeups.heads(&engine.settings.log);
        let most = if leased.refuses_all(0) { 1 } else { self.at_once.min(leased.batch_size()) };
        if let Some(left) = leased.is_put_off(now) {
            leased.peek(engine, &heads, now).await?;
            let most = left.min(now.until(leased.renewed_at));
            let most = if leased.backlog_since.is_none() { most.min(PEEKED_EVERY) } else { most };
            return Ok(Step::Next(Next::Wait { most, for_rows: false }));
        }
        if let Err(wrong) = &leased.subscription {
            let wrong = wrong.clone();
            return self.not_sent(engine, 0, wrong, most).await;
        }
        let unseen = leased.look(engine, &heads, most, now).await?;
        leased.stands(engine);
        if leased.backlog.is_due(most, leased.flush(), now) {
            return self.begin(engine, most).await;
        }
        self.wait(engine, unseen, most, now).await.map(Step::Next)
    }

    /// Gets ready to send what is due.
    async fn begin(&mut self, engine: &Engine, most: usize) -> Result<Step, Trouble> {
        let Some(leased) = &mut self.leased else { return Ok(Step::Next(Next::End)) };
        let count = leased.backlog.events().len().min(most);
        if count == 0 {
            let verdict = batch::set_unsendable_aside(engine, leased).await?;
            self.follow(verdict, most);
            return Ok(Step::Next(Next::Again));
        }
        match Sending::to(engine, &leased.row) {
            Ok(sending) => Ok(Step::Send { sending: Box::new(sending), count, most }),
            Err(wrong) => self.not_sent(engine, count, wrong, most).await,
        }
    }

    /// Puts off what cannot be sent as things are.
    async fn not_sent(
        &mut self,
        engine: &Engine,
        count: usize,
        reason: String,
        most: usize,
    ) -> Result<Step, Trouble> {
        let Some(leased) = &mut self.leased else { return Ok(Step::Next(Next::End)) };
        let later = Delivery::Later { status: None, retry_after: None, reason };
        let verdict = batch::settle(engine, leased, count, later).await?;
        self.follow(verdict, most);
        Ok(Step::Next(Next::Again))
    }

    /// Says how long to wait where nothing is due, and what is to be kept before.
    async fn wait(
        &mut self,
        engine: &Engine,
        unseen: usize,
        most: usize,
        now: Timestamp,
    ) -> Result<Next, Trouble> {
        let Some(leased) = &mut self.leased else { return Ok(Next::End) };
        let passed_over = leased.backlog.passed_over();
        let is_long = passed_over > 0 && leased.kept_at.until(now) >= PASSED_OVER_FOR;
        if passed_over >= PASSED_OVER_MOST || is_long {
            return self.pass_over(engine, now).await;
        }
        let holds = leased.backlog.events().len();
        let reads_at = leased.reads_at(engine);
        let goes_on = holds == 0 && reads_at.is_none();
        if unseen > 0 && (goes_on || holds.saturating_add(unseen) >= most) {
            background::sleep(GIVES_WAY).await;
            return Ok(Next::Again);
        }
        let mut most = now.until(leased.renewed_at);
        if let Some(since) = leased.backlog.since() {
            most = most.min(now.until(since.saturating_add(leased.flush())));
        } else if passed_over > 0 {
            most = most.min(now.until(leased.kept_at.saturating_add(PASSED_OVER_FOR)));
        }
        if let Some(at) = reads_at {
            most = most.min(now.until(at));
        }
        Ok(Next::Wait { most, for_rows: true })
    }

    /// Takes the lease, or renews it where it is time. Without it nothing is held.
    async fn lease(
        &mut self,
        engine: &Engine,
        anew: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.leased.as_ref().is_some_and(|leased| !anew && leased.renewed_at > now) {
            return Ok(());
        }
        let (id, owner) = (self.id.clone(), engine.siem.owner());
        let until = now.saturating_add(lease_of(engine));
        let leased = engine.background_store.lease_destination(id, owner, now, until).await?;
        let Some((row, cursors)) = leased else {
            self.leased = None;
            return Ok(());
        };
        // Where it was another's meanwhile, or was changed, what is held is not what is owed.
        let is_same = |leased: &LeasedDestination| {
            leased.row.epoch == row.epoch && *leased.backlog.kept() == cursors
        };
        let mut leased = match self.leased.take().filter(is_same) {
            Some(leased) => LeasedDestination { row, ..leased },
            None => LeasedDestination::new(row, cursors, now),
        };
        leased.renewed_at = now.saturating_add(renewed_after(engine));
        self.leased = Some(leased);
        Ok(())
    }

    /// Lets another replica have it at once.
    async fn give_back(&self, engine: &Engine) {
        if !engine.settings.has_replicas || !*engine.closing.borrow() {
            return;
        }
        let (id, owner, now) = (self.id.clone(), engine.siem.owner(), engine.clock.now());
        // Where that fails the lease ends by itself.
        let _ = engine.background_store.lease_destination(id, owner, now, now).await;
    }

    /// Keeps the place behind rows that the destination does not want.
    async fn pass_over(&mut self, engine: &Engine, now: Timestamp) -> Result<Next, Trouble> {
        let Some(leased) = &mut self.leased else { return Ok(Next::End) };
        let cursors = leased.backlog.cursors_after(0);
        let step = SiemStep { cursors: cursors.clone(), ..SiemStep::default() };
        if batch::keep(engine, leased, step).await? {
            leased.backlog.sent(0, cursors, now);
            leased.kept_at = now;
        } else {
            self.leased = None;
        }
        Ok(Next::Again)
    }

    /// Takes over what came of a batch, where as many as `most` were sent at once.
    fn follow(&mut self, verdict: Verdict, most: usize) {
        let Some(leased) = &mut self.leased else { return };
        match verdict {
            Verdict::SetAside if leased.refuses_all(0) => self.at_once = 1,
            Verdict::Took | Verdict::SetAside => self.at_once = most.saturating_mul(2),
            // The bad one is in the first half or in the second.
            Verdict::TooMany { count } => self.at_once = count.div_ceil(2),
            Verdict::PutOff => {}
            Verdict::Lost => self.leased = None,
        }
    }
}
