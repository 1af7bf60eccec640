//! Tasks as they are read: one of them, or a page of a list.

use super::super::Place;
use super::super::db::{Db, Statement, query};
use super::*;

const BY_ID: &str =
    concat!("SELECT ", task_columns!(), " FROM tasks WHERE id = $1 AND org_id = $2");
// Where a target knows the context of ours by another name.
const UPSTREAM_IN_CONTEXT: &str = "SELECT upstream FROM tasks WHERE org_id = $1 AND source = $2 AND context_id = $3 \
                                   AND target_agent_id = $4 AND upstream IS NOT NULL \
                                   ORDER BY created_at DESC LIMIT 1";
const CARD_OPTIONS: &str = "SELECT options FROM agent_cards WHERE agent_id = $1 AND org_id = $2";
// A list of many is sent as JSON, which each database reads in its own way. Those who are asked see of a task only what has
// reached them: how it stands, and since when, are others than its sender's.
macro_rules! list {
    ($agents:literal, $own:literal, $asked:literal) => {
        concat!(
            "SELECT id, bytes, changed_at AS stood_at FROM tasks WHERE org_id = $1 AND ($2 IS NULL OR source IN (",
            $agents,
            ")) AND ($3 IS NULL OR target_agent_id = $3) AND ($4 IS NULL OR context_id = $4) \
             AND ($5 IS NULL OR state = $5) AND ($6 IS NULL OR changed_at >= $6)",
            $own,
            " UNION ALL SELECT id, bytes, seen_at AS stood_at FROM tasks WHERE org_id = $1 AND $2 IS NOT NULL \
             AND target_agent_id IN (",
            $agents,
            ") AND source NOT IN (",
            $agents,
            ") AND seen_at IS NOT NULL AND ($3 IS NULL OR target_agent_id = $3) \
             AND ($4 IS NULL OR context_id = $4) AND ($5 IS NULL OR seen_state = $5) \
             AND ($6 IS NULL OR seen_at >= $6)",
            $asked
        )
    };
}
macro_rules! page {
    ($agents:literal) => {
        concat!(
            "SELECT id, bytes, stood_at FROM (",
            list!(
                $agents,
                " AND ($7 IS NULL OR (changed_at, id) < ($7, $8))",
                " AND ($7 IS NULL OR (seen_at, id) < ($7, $8))"
            ),
            ") listed ORDER BY stood_at DESC, id DESC LIMIT $9"
        )
    };
}
macro_rules! count {
    ($agents:literal) => {
        concat!("SELECT COUNT(*) FROM (", list!($agents, "", ""), ") listed")
    };
}
const PAGE_ON_SQLITE: &str = page!("SELECT value FROM json_each($2)");
const PAGE_ON_POSTGRES: &str = page!("SELECT jsonb_array_elements_text($2::jsonb)");
const COUNT_ON_SQLITE: &str = count!("SELECT value FROM json_each($2)");
const COUNT_ON_POSTGRES: &str = count!("SELECT jsonb_array_elements_text($2::jsonb)");

macro_rules! of_ids {
    ($ids:literal) => {
        concat!("SELECT ", task_columns!(), " FROM tasks WHERE id IN (", $ids, ")")
    };
}
const OF_IDS_ON_SQLITE: &str = of_ids!("SELECT value FROM json_each($1)");
const OF_IDS_ON_POSTGRES: &str = of_ids!("SELECT jsonb_array_elements_text($1::jsonb)");

/// The size of the tasks of a page, as JSON, in bytes, after which the page ends.
const PAGE_BYTES: i64 = 4 << 20;

/// A page of tasks.
#[derive(Debug)]
pub(crate) struct TaskRows {
    pub(crate) rows: Vec<TaskRow>,
    /// The place where the next page begins, if others follow.
    pub(crate) next: Option<Place>,
    /// The number of tasks on all pages.
    pub(crate) total: i64,
}

/// The tasks to list.
#[derive(Clone, Debug)]
pub(crate) struct TaskQuery {
    pub(crate) org_id: String,
    /// The agents whose tasks are listed: those that they ask, and those that they are asked as far as these have
    /// reached them; `None` for all.
    pub(crate) of: Option<Vec<String>>,
    pub(crate) target_agent_id: Option<String>,
    pub(crate) context_id: Option<String>,
    pub(crate) state: Option<TaskState>,
    pub(crate) since: Option<Timestamp>,
    /// The place in the list behind which to begin.
    pub(crate) after: Option<Place>,
    /// The largest number to list.
    pub(crate) limit: i64,
}

impl TaskQuery {
    /// Binds what tasks are wanted, from `$1` to `$6`.
    fn bind(&self, sql: &'static str) -> Statement {
        query(sql)
            .bind(&self.org_id)
            .bind(self.of.as_ref().map(to_json))
            .bind(&self.target_agent_id)
            .bind(&self.context_id)
            .bind(self.state.map(TaskState::as_str))
            .bind(self.since.map(Timestamp::unix_micros))
    }
}

impl Store {
    /// Returns the task of this id in an organisation.
    pub(crate) async fn task(
        &self,
        id: String,
        org_id: String,
    ) -> Result<Option<TaskRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<RawTask> =
                query(BY_ID).bind(id).bind(org_id).fetch_optional(&db).await?;
            row.map(TaskRow::try_from).transpose()
        })
        .await
    }

    /// Returns a page of tasks, the one that changed last first. It has fewer than it may where those are long.
    pub(crate) async fn tasks(&self, wanted: TaskQuery) -> Result<TaskRows, StoreError> {
        self.run(move |db| async move {
            let (page, count, of_ids) = match &db {
                Db::Sqlite(_) => (PAGE_ON_SQLITE, COUNT_ON_SQLITE, OF_IDS_ON_SQLITE),
                Db::Postgres(_) => (PAGE_ON_POSTGRES, COUNT_ON_POSTGRES, OF_IDS_ON_POSTGRES),
            };
            let (total,): (i64,) = wanted.bind(count).fetch_one(&db).await?;
            let (at, id) =
                wanted.after.as_ref().map(|after| (after.created_at, after.id.clone())).unzip();
            let found: Vec<(String, i64, i64)> = wanted
                .bind(page)
                .bind(at.map(Timestamp::unix_micros))
                .bind(id)
                .bind(wanted.limit.saturating_add(1))
                .fetch_all(&db)
                .await?;
            let (mut ids, mut last, mut bytes) = (Vec::new(), None, 0);
            for (id, long, at) in &found {
                bytes += long;
                let has_room = bytes <= PAGE_BYTES || ids.is_empty();
                if !has_room || i64::try_from(ids.len()).is_ok_and(|count| count >= wanted.limit) {
                    break;
                }
                ids.push(id);
                last = Some((id, at));
            }
            let next = last.filter(|_| ids.len() < found.len()).map(|(id, at)| {
                let created_at = from_micros("changed_at", *at)?;
                Ok::<_, sqlx::Error>(Place { created_at, id: id.clone() })
            });
            let rows: Vec<RawTask> = query(of_ids).bind(to_json(&ids)).fetch_all(&db).await?;
            let rows: Result<Vec<TaskRow>, _> = rows.into_iter().map(TaskRow::try_from).collect();
            let mut rows = rows?;
            rows.sort_by_key(|row| ids.iter().position(|id| **id == row.id));
            Ok(TaskRows { rows, next: next.transpose()?, total })
        })
        .await
    }

    /// Returns how a target names a context of ours, if a task of it went there before.
    pub(crate) async fn upstream_in_context(
        &self,
        task: &TaskRow,
    ) -> Result<Option<Upstream>, StoreError> {
        let statement = query(UPSTREAM_IN_CONTEXT)
            .bind(&task.org_id)
            .bind(&task.source)
            .bind(&task.context_id)
            .bind(&task.target_agent_id);
        self.run(move |db| async move {
            let row: Option<(String,)> = statement.fetch_optional(&db).await?;
            row.map(|(text,)| from_json("upstream", &text)).transpose()
        })
        .await
    }

    /// Returns what was said of the card of an agent, as JSON.
    pub(crate) async fn card_options(
        &self,
        agent_id: String,
        org_id: String,
    ) -> Result<Option<String>, StoreError> {
        self.run(move |db| async move {
            let row: Option<(String,)> =
                query(CARD_OPTIONS).bind(agent_id).bind(org_id).fetch_optional(&db).await?;
            Ok(row.map(|(options,)| options))
        })
        .await
    }
}
