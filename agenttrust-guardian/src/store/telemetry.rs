//! The table of reports: what ran, and whether the report is believed.

use std::collections::HashMap;
use std::sync::Arc;

use agenttrust::Timestamp;

use super::approvals::settle_outcomes;
use super::db::{Value, query};
use super::{ColumnKind, Db, Insert, PRUNED_AT_ONCE, Rows, Store, StoreError, Transaction};
use crate::domain::{Quota, QuotaUse};

// A second report of the same stage of a check is kept as well, and not believed.
static INSERT: Insert = Insert {
    into: "telemetry",
    alike: &[],
    columns: &[
        ("id", ColumnKind::Text),
        ("org_id", ColumnKind::Text),
        ("agent_id", ColumnKind::Text),
        ("session_id", ColumnKind::Text),
        ("key_id", ColumnKind::Text),
        ("event_type", ColumnKind::Text),
        ("tool", ColumnKind::Text),
        ("duration_ms", ColumnKind::Int),
        ("success", ColumnKind::Bool),
        ("error_type", ColumnKind::Text),
        ("happened_at", ColumnKind::Int),
        ("received_at", ColumnKind::Int),
        ("check_id", ColumnKind::Text),
        ("verified", ColumnKind::Bool),
        ("stage", ColumnKind::Text),
    ],
    unless_in: "(check_id, stage) WHERE verified",
};
const COUNT_UNVERIFIED: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM telemetry WHERE agent_id = $1 \
                                AND NOT verified LIMIT $2) AS unverified";
const IS_BELIEVED: &str = "SELECT received_at FROM telemetry WHERE id = $1 AND verified";
const PRUNE: &str = "DELETE FROM telemetry WHERE id IN \
                     (SELECT id FROM telemetry WHERE received_at < $1 ORDER BY received_at LIMIT $2)";

/// The part of a call that a report is about. Each part of a check is believed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ReportStage {
    /// The call began.
    Start,
    /// The call ended, well or not.
    End,
}

impl ReportStage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
        }
    }
}

/// A report as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct EventRow {
    pub(crate) id: Arc<str>,
    pub(crate) org_id: Arc<str>,
    pub(crate) agent_id: Arc<str>,
    pub(crate) session_id: Arc<str>,
    pub(crate) key_id: Arc<str>,
    pub(crate) event_type: Arc<str>,
    pub(crate) tool: Arc<str>,
    pub(crate) duration_ms: u64,
    pub(crate) success: bool,
    pub(crate) error_type: Option<Arc<str>>,
    pub(crate) happened_at: Option<Timestamp>,
    pub(crate) received_at: Timestamp,
    pub(crate) check_id: Option<Arc<str>>,
    pub(crate) stage: Option<ReportStage>,
    /// Whether its check id proves it.
    pub(crate) verified: bool,
}

impl EventRow {
    /// Returns how many bytes its texts have.
    pub(crate) fn bytes(&self) -> usize {
        let texts = [
            &self.id,
            &self.org_id,
            &self.agent_id,
            &self.session_id,
            &self.key_id,
            &self.event_type,
            &self.tool,
        ];
        let more = [&self.error_type, &self.check_id];
        texts.into_iter().chain(more.into_iter().flatten()).map(|text| text.len()).sum()
    }

    fn values(&self, verified: bool) -> [Value; 15] {
        [
            (&self.id).into(),
            (&self.org_id).into(),
            (&self.agent_id).into(),
            (&self.session_id).into(),
            (&self.key_id).into(),
            (&self.event_type).into(),
            (&self.tool).into(),
            i64::try_from(self.duration_ms).unwrap_or(i64::MAX).into(),
            self.success.into(),
            (&self.error_type).into(),
            self.happened_at.map(Timestamp::unix_micros).into(),
            self.received_at.unix_micros().into(),
            (&self.check_id).into(),
            verified.into(),
            self.stage.map(ReportStage::as_str).into(),
        ]
    }
}

fn rows(events: &[&EventRow], verified: bool) -> Rows {
    let mut rows = Rows::with_capacity(&INSERT, [], events.len());
    events.iter().for_each(|event| rows.push(event.values(verified)));
    rows
}

/// An event that was kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept<'a> {
    pub(crate) event: &'a EventRow,
    /// Whether it is believed: the first report of its stage that its check proves.
    pub(crate) believed: bool,
}

/// Keeps these events, all of them or none; returns those that were kept. A verified event is believed if its call was
/// not reported before. An unverified one beyond its agent's quota is left out.
///
/// While it is not known whether they are kept, `in_doubt` holds those that would be believed.
pub(crate) async fn keep_events<'a>(
    db: &Db,
    events: impl Iterator<Item = &'a EventRow>,
    quota: &Quota,
    in_doubt: &mut Vec<EventRow>,
) -> Result<Vec<Kept<'a>>, sqlx::Error> {
    let (mut verified, mut unverified): (Vec<_>, Vec<_>) = events.partition(|event| event.verified);
    // In one order, so that two replicas never wait for each other.
    verified.sort_by(|one, other| (&one.check_id, one.stage).cmp(&(&other.check_id, other.stage)));
    let mut used = quota.begin();
    let mut transaction = db.begin().await?;
    let new = rows(&verified, true).execute_new(&mut transaction).await?;
    let (believed, repeated): (Vec<_>, Vec<_>) =
        verified.into_iter().partition(|event| new.contains(&*event.id));
    settle_outcomes(&mut transaction, &believed).await?;
    for event in repeated {
        if used.take(&event.agent_id, 1) == 1 {
            unverified.push(event);
        }
    }
    let unverified = within(&mut transaction, unverified, quota, &mut used).await?;
    rows(&unverified, false).execute(&mut transaction).await?;
    in_doubt.extend(believed.iter().copied().cloned());
    transaction.commit().await?;
    in_doubt.clear();
    used.stays();
    let believed = believed.into_iter().map(|event| Kept { event, believed: true });
    let unverified = unverified.into_iter().map(|event| Kept { event, believed: false });
    Ok(believed.chain(unverified).collect())
}

/// Returns those of these events that are kept, and believed.
pub(crate) async fn believed_events(
    db: &Db,
    events: Vec<EventRow>,
) -> Result<Vec<EventRow>, sqlx::Error> {
    let mut believed = Vec::new();
    for event in events {
        let found = query(IS_BELIEVED).bind(&*event.id).fetch_optional(db).await?;
        let found: Option<(i64,)> = found;
        if found.is_some() {
            believed.push(event);
        }
    }
    Ok(believed)
}

/// Returns those of them that are within their agents' quota of what is kept.
async fn within<'a>(
    transaction: &mut Transaction,
    mut events: Vec<&'a EventRow>,
    quota: &Quota,
    used: &mut QuotaUse<'_>,
) -> Result<Vec<&'a EventRow>, sqlx::Error> {
    let mut asked: HashMap<&str, usize> = HashMap::new();
    for event in &events {
        *asked.entry(&event.agent_id).or_default() += 1;
    }
    for (agent_id, rows) in &mut asked {
        if quota.is_uncounted(agent_id) {
            let most = i64::try_from(Quota::MOST_COUNTED).unwrap_or(i64::MAX);
            let count = query(COUNT_UNVERIFIED).bind(*agent_id).bind(most);
            let (count,): (i64,) = count.fetch_one(&mut *transaction).await?;
            quota.counted(agent_id, usize::try_from(count).unwrap_or(usize::MAX));
        }
        *rows = used.keep(agent_id, *rows);
    }
    events.retain(|event| {
        let left = asked.get_mut(&*event.agent_id);
        left.is_some_and(|left| {
            let keeps = *left > 0;
            *left = left.saturating_sub(1);
            keeps
        })
    });
    Ok(events)
}

impl Store {
    /// Forgets what was received before `before`, one step; returns how much.
    pub(crate) async fn prune_telemetry(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.run(move |db| async move {
            query(PRUNE).bind(before.unix_micros()).bind(PRUNED_AT_ONCE).execute(&db).await
        })
        .await
    }
}
