//! How a task stands, in so few words that those who follow it can ask often.

use super::super::db::query;
use super::*;

const STANDING: &str = "SELECT source, target_agent_id, context_id, state, changed_at, seen_state, seen_at, \
                        (SELECT phase FROM task_messages \
                        WHERE task_id = tasks.id ORDER BY created_at DESC, id DESC LIMIT 1) AS phase \
                        FROM tasks WHERE id = $1 AND org_id = $2";

/// The state of a task, for readers that see all of it or for its target.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) source: String,
    pub(crate) target_agent_id: String,
    pub(crate) context_id: String,
    pub(crate) state: TaskState,
    /// The phase of the newest of its messages.
    pub(crate) phase: Phase,
    /// The stamp, another one after every change.
    pub(crate) stamp: String,
}

from_row! {
    struct Raw {
        source: String,
        target_agent_id: String,
        context_id: String,
        state: String,
        changed_at: i64,
        seen_state: Option<String>,
        seen_at: Option<i64>,
        phase: Option<String>,
    }
}

impl TaskRow {
    /// Returns the stamp of a [`Standing`], for readers that see all of it or for its target.
    pub(crate) fn stamp(&self, is_only_asked: bool) -> String {
        let seen_at = self.seen.as_ref().map(|seen| seen.at.unix_micros());
        stamp(self.changed_at.unix_micros(), seen_at, is_only_asked)
    }
}

fn stamp(changed_at: i64, seen_at: Option<i64>, is_only_asked: bool) -> String {
    match seen_at.filter(|_| is_only_asked) {
        Some(seen_at) => format!("{changed_at}.{seen_at}"),
        None => changed_at.to_string(),
    }
}

impl Store {
    /// Reads how a task stands, or with `is_only_asked` how its target sees that. Returns `None` where no such task is
    /// there, or its target sees nothing of it.
    pub(crate) async fn task_standing(
        &self,
        id: String,
        org_id: String,
        is_only_asked: bool,
    ) -> Result<Option<Standing>, StoreError> {
        self.run(move |db| async move {
            let row: Option<Raw> =
                query(STANDING).bind(id).bind(org_id).fetch_optional(&db).await?;
            let Some(raw) = row else { return Ok(None) };
            let Raw { source, target_agent_id, context_id, changed_at, seen_at, phase, .. } = raw;
            let state = if is_only_asked { raw.seen_state } else { Some(raw.state) };
            let Some(state) = state else { return Ok(None) };
            let state =
                TaskState::of(&state).ok_or_else(|| unreadable("state", "no state of a task"))?;
            let phase = phase.map_or(Ok(Phase::Ended), |phase| {
                Phase::of(&phase).ok_or_else(|| unreadable("phase", "no phase of a message"))
            })?;
            let stamp = stamp(changed_at, seen_at, is_only_asked);
            Ok(Some(Standing { source, target_agent_id, context_id, state, phase, stamp }))
        })
        .await
    }
}
