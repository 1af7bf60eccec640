//! The reporter: outcomes in, batches out, and no call waits.
//!
//! Reports go into a bounded queue; one task on the background runtime sends them in batches of up
//! to 10, or whatever is there after half a second. A full queue drops and counts: telemetry is best
//! effort and never holds up a tool (SDK guide, section 13).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc as std_mpsc};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::Subject;
use super::outcome::CallOutcome;
use crate::background::{self, BlockError};
use crate::client::AgentTrustClient;
use crate::error::{AgentTrustError, Result};
use crate::model::{TelemetryEvent, TelemetryEventType, Timestamp};

/// Reports that may wait.
const QUEUE: usize = 1024;
/// Reports in one batch.
const BATCH: usize = 10;
/// Batches that may be open, one for each agent and session; beyond it all are sent.
const OPEN_BATCHES: usize = 64;
/// The time that the oldest report of a batch waits for the others.
const INTERVAL: Duration = Duration::from_millis(500);
/// The longest time that one batch may take to send.
const SEND_LIMIT: Duration = Duration::from_secs(5);
/// The longest time that a flush waits for the reports before it.
const FLUSH_LIMIT: Duration = Duration::from_secs(10);
/// The longest time that the last drop of a guard waits for its reports.
pub(super) const DROP_LIMIT: Duration = Duration::from_secs(2);

/// A report: the outcome of one call.
pub(super) struct Report {
    pub(super) subject: Arc<Subject>,
    pub(super) tool: String,
    pub(super) duration: Duration,
    pub(super) outcome: CallOutcome,
    pub(super) check_id: Option<String>,
}

enum Message {
    Report(Reported),
    /// Send everything that came before, then answer.
    Flush(oneshot::Sender<Result<()>>),
}

/// A report as it travels, and whose it is.
struct Reported {
    subject: Arc<Subject>,
    event: TelemetryEvent,
    check_id: Option<String>,
}

/// The queue that a guard's reports go into.
pub(super) struct Reporter {
    /// The client that the sending task starts with.
    client: AgentTrustClient,
    /// Started with the first report: a guard that reports nothing costs no task.
    running: OnceLock<Running>,
    counts: Arc<Counts>,
}

struct Running {
    queue: mpsc::Sender<Message>,
    /// Hangs up when the task has sent everything and ended.
    ended: Mutex<std_mpsc::Receiver<()>>,
}

/// The counts of reports that wait, were dropped, or could not be delivered.
#[derive(Debug, Default)]
struct Counts {
    waiting: AtomicUsize,
    dropped: AtomicU64,
    undelivered: AtomicU64,
}

impl Reporter {
    pub(super) fn new(client: AgentTrustClient) -> Self {
        Self { client, running: OnceLock::new(), counts: Arc::default() }
    }

    /// Queues a report; a full queue drops and counts it.
    pub(super) fn enqueue(&self, report: Report) {
        let event = event_of(&report);
        let Report { subject, check_id, .. } = report;
        // Counted before it is queued, so that the count is never behind the sending task.
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        let message = Message::Report(Reported { subject, event, check_id });
        if self.running().queue.try_send(message).is_err() {
            self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            if self.counts.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::warn!(
                    "reports come faster than the Guardian takes them; dropping some, counting all"
                );
            }
        }
    }

    /// Sends everything reported so far.
    ///
    /// # Errors
    ///
    /// Why a batch since the last flush was not taken.
    pub(super) async fn flush(&self) -> Result<()> {
        let Some(running) = self.running.get() else {
            return Ok(());
        };
        let (done, answer) = oneshot::channel();
        let ended = || AgentTrustError::GuardianUnavailable {
            message: "the task that sends reports has ended; what was waiting is lost".to_owned(),
        };
        let queued = background::timeout(FLUSH_LIMIT, running.queue.send(Message::Flush(done)));
        queued.await.map_err(|_| ended())?.map_err(|_| ended())?;
        match background::timeout(FLUSH_LIMIT, answer).await {
            Ok(answer) => answer.map_err(|_| ended())?,
            Err(elapsed) => Err(AgentTrustError::GuardianUnavailable {
                message: format!("reports are still being sent: {elapsed}"),
            }),
        }
    }

    /// Says what was lost, and what is still on its way.
    pub(super) fn warn_of_losses(&self) {
        let (waiting, dropped, undelivered) = self.stats();
        if waiting > 0 {
            tracing::warn!(
                waiting,
                "a guard was dropped with reports on their way; await `close()` to be sure of them"
            );
        }
        if dropped + undelivered > 0 {
            tracing::warn!(dropped, undelivered, "reports of this guard were lost");
        }
    }

    /// Returns how many reports are waiting, were dropped, and were not taken.
    pub(super) fn stats(&self) -> (usize, u64, u64) {
        (
            self.counts.waiting.load(Ordering::Relaxed),
            self.counts.dropped.load(Ordering::Relaxed),
            self.counts.undelivered.load(Ordering::Relaxed),
        )
    }

    fn running(&self) -> &Running {
        self.running.get_or_init(|| {
            let (queue, messages) = mpsc::channel(QUEUE);
            let (ending, ended) = std_mpsc::channel::<()>();
            let client = self.client.clone();
            let counts = Arc::clone(&self.counts);
            background::spawn(async move {
                send_all(messages, &client, &counts).await;
                drop(ending);
            });
            Running { queue, ended: Mutex::new(ended) }
        })
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        let Some(Running { queue, ended }) = self.running.take() else {
            return;
        };
        // Closing the queue makes the task send the rest and end.
        drop(queue);
        let inside_runtime = tokio::runtime::Handle::try_current().is_ok();
        if !inside_runtime {
            let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
            // Nothing is ever sent: this waits for the other end to hang up.
            let _ = ended.recv_timeout(DROP_LIMIT);
        }
        self.warn_of_losses();
    }
}

/// Sends batches until the queue is closed and empty.
async fn send_all(
    mut messages: mpsc::Receiver<Message>,
    client: &AgentTrustClient,
    counts: &Counts,
) {
    let mut batches = Batches::default();
    let mut due: Option<Instant> = None;
    loop {
        let message = match due {
            None => messages.recv().await,
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                match background::timeout(left, messages.recv()).await {
                    Ok(message) => message,
                    Err(_) => {
                        batches.send_all(client, counts).await;
                        due = None;
                        continue;
                    }
                }
            }
        };
        match message {
            Some(Message::Report(reported)) => {
                batches.add(reported, client, counts).await;
                if batches.are_empty() {
                    due = None;
                } else {
                    due.get_or_insert_with(|| Instant::now() + INTERVAL);
                }
            }
            Some(Message::Flush(done)) => {
                batches.send_all(client, counts).await;
                due = None;
                // Whoever asked may have stopped waiting.
                let _ = done.send(batches.fault.take().map_or(Ok(()), Err));
            }
            None => {
                batches.send_all(client, counts).await;
                return;
            }
        }
    }
}

/// The reports that wait to be sent: one batch for each agent and session.
#[derive(Default)]
struct Batches {
    open: Vec<Batch>,
    /// The reason why the last batch that failed was not accepted, until a flush asks.
    fault: Option<AgentTrustError>,
}

struct Batch {
    subject: Arc<Subject>,
    events: Vec<TelemetryEvent>,
    check_ids: Vec<Option<String>>,
}

impl Batches {
    fn are_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Adds a report to its batch, and sends that if it is full; or all, if there are too many.
    async fn add(&mut self, reported: Reported, client: &AgentTrustClient, counts: &Counts) {
        let Reported { subject, event, check_id } = reported;
        let place = self.open.iter().position(|batch| batch.is_of(&subject));
        let mut batch = match place {
            Some(place) => self.open.swap_remove(place),
            None => Batch { subject, events: Vec::new(), check_ids: Vec::new() },
        };
        batch.events.push(event);
        batch.check_ids.push(check_id);
        if batch.events.len() >= BATCH {
            self.send(batch, client, counts).await;
            return;
        }
        self.open.push(batch);
        if self.open.len() > OPEN_BATCHES {
            self.send_all(client, counts).await;
        }
    }

    async fn send_all(&mut self, client: &AgentTrustClient, counts: &Counts) {
        for batch in std::mem::take(&mut self.open) {
            self.send(batch, client, counts).await;
        }
    }

    async fn send(&mut self, batch: Batch, client: &AgentTrustClient, counts: &Counts) {
        let events = batch.events.len();
        // On a task of its own: a transport that panics loses this batch, and not all that come after.
        let sending = background::spawn(batch.send(client.clone()));
        let sent = sending.await.unwrap_or_else(|_| Err(BlockError::Panicked.into()));
        counts.waiting.fetch_sub(events, Ordering::Relaxed);
        if let Err(error) = sent {
            counts.undelivered.fetch_add(events as u64, Ordering::Relaxed);
            tracing::debug!(%error, events, "a batch of reports was not taken");
            self.fault = Some(error);
        }
    }
}

impl Batch {
    async fn send(self, client: AgentTrustClient) -> Result<()> {
        let Self { subject, events, check_ids } = self;
        let telemetry = client.telemetry();
        let sending =
            telemetry.report_checked(&subject.agent_id, &subject.session_id, &events, &check_ids);
        let sent = background::timeout(SEND_LIMIT, sending).await;
        sent.unwrap_or_else(|elapsed| Err(crate::TransportError::classify(elapsed.into()).into()))
            .map(drop)
    }

    fn is_of(&self, subject: &Subject) -> bool {
        self.subject.agent_id == subject.agent_id && self.subject.session_id == subject.session_id
    }
}

fn event_of(report: &Report) -> TelemetryEvent {
    let (event_type, error_type) = match &report.outcome {
        CallOutcome::Success => (TelemetryEventType::ToolEnd, None),
        CallOutcome::Failure { error_type } => {
            (TelemetryEventType::ToolError, Some(error_type.clone().into_owned()))
        }
    };
    TelemetryEvent {
        success: error_type.is_none(),
        event_type,
        tool_name: report.tool.clone(),
        duration_ms: u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX),
        error_type,
        timestamp: Some(Timestamp::now()),
    }
}
