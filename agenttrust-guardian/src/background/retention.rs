//! Rows of this Guardian's own audit log that are older than they are to be kept. Those that a destination of events
//! has not taken yet are kept for a week longer, and then let go too: a receiver that is gone for good fills no disk.

use std::sync::Arc;
use std::time::Duration;

use crate::audit;
use crate::audit::{AuditError, AuditKey, FACTS_HOLD, Plan, Record, Trust, list};
use crate::clock::before;
use crate::domain::DEFAULT_ORG;
use crate::engine::Engine;

/// The time that rows of the backlog, which a destination of events has not taken yet, are kept longer.
const BACKLOG_KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Lets old rows go, once no caller is verifying the whole log.
pub(crate) async fn let_go(engine: Arc<Engine>) {
    let (Some(keep), Some(key)) = (engine.settings.audit_retention, engine.audit.key()) else {
        return;
    };
    // One who verifies again and again is not always ahead: those who wait have their turn.
    let Some(_walk) = engine.audit.wait_for_walk().await else { return };
    if let Err(error) = let_go_older(&engine, keep, key).await
        && !*engine.closing.borrow()
    {
        tracing::error!(%error, "old rows of the audit log could not be let go");
    }
}

async fn let_go_older(engine: &Engine, keep: Duration, key: &AuditKey) -> Result<(), AuditError> {
    let (db, log) = (engine.store.db(), &engine.settings.log);
    let now = engine.clock.now();
    let trust = Trust { own: Some(engine.audit.own(log)), ..Trust::default() };
    let Some(taken) = taken_through(engine).await else { return Ok(()) };
    // A decision names facts that were written up to so long before it.
    let kept = keep.saturating_add(FACTS_HOLD);
    let written_before = |kept| format!("{:.6}", before(now, kept));
    let mut older = written_before(kept);
    if let Some(untaken) = list(&db, log, taken, 1, None).await?.pop()
        && untaken.at < older
    {
        older = untaken.at.max(written_before(kept.saturating_add(BACKLOG_KEPT)));
    }
    let planned = Plan::before(&db, log, &older, &trust, key).await;
    if let Err(AuditError::Broken { .. }) = planned {
        let found = audit::verify(&db, log, &trust, None).await?;
        engine.audit.heed(log, &mut [found]).await;
    }
    let Some(plan) = planned? else { return Ok(()) };
    plan.execute(&db, key, format!("{now:.6}")).await?;
    engine.audit.forget_told();
    let record = Record::new("audit.pruned", DEFAULT_ORG).body(serde_json::json!({
        "log": log, "through": plan.through(), "hash": plan.hash(), "rows": plan.rows, "before": older,
    }));
    engine.audit.append(record).await?;
    let cut = plan.through().saturating_sub(taken).min(plan.rows);
    if cut == 0 { Ok(()) } else { tell_of_cut(engine, cut, plan.through()).await }
}

/// Returns the number of the last row that every destination has taken, or does not want; the last there can be where
/// there is no destination. `None` where that cannot be told, so that nothing is let go.
async fn taken_through(engine: &Engine) -> Option<u64> {
    match engine.background_store.siem_floor(engine.settings.log.clone()).await {
        Ok(floor) => Some(floor.map_or(u64::MAX, |floor| u64::try_from(floor).unwrap_or(0))),
        // Where the Guardian closes, so does its database.
        Err(_) if *engine.closing.borrow() => None,
        Err(error) => {
            tracing::error!(%error, "nothing of the audit log is let go: what destinations are owed cannot be told");
            None
        }
    }
}

/// Says that rows were let go that a destination was still owed.
async fn tell_of_cut(engine: &Engine, rows: u64, through: u64) -> Result<(), AuditError> {
    let log = &engine.settings.log;
    engine.metrics.siem.rows_cut(rows);
    tracing::warn!(
        log,
        rows,
        through,
        "rows of the audit log were let go that a destination of events had not taken for a week beyond the retention; \
         mend or remove the destination"
    );
    let record = Record::new("siem.events_cut", DEFAULT_ORG)
        .body(serde_json::json!({ "log": log, "rows": rows, "through": through }));
    engine.audit.append(record).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::verify_all;
    use crate::guardian::Guardian;
    use crate::services;
    use crate::store::query;

    const DAY: Duration = Duration::from_secs(24 * 3_600);

    async fn keeping_30_days() -> Guardian {
        Guardian::builder().audit_retention(30 * DAY).build().await.unwrap()
    }

    fn row(n: u64) -> Record {
        Record::new("decision", DEFAULT_ORG).body(serde_json::json!({ "n": n }))
    }

    #[tokio::test]
    async fn rows_older_than_the_retention_are_let_go_and_the_rest_is_proven() {
        let guardian = keeping_30_days().await;
        let engine = guardian.engine();
        for n in 0..2_500 {
            engine.audit.enqueue(row(n)).await.unwrap();
        }
        engine.audit.flush().await;
        engine.clock.advance(31 * DAY);
        let first_kept = engine.audit.append(row(2_500)).await.unwrap();
        let_go(Arc::clone(engine)).await;
        let db = engine.store.db();
        let left = audit::list(&db, "", 0, 10, None).await.unwrap();
        assert_eq!(left[0].seq, first_kept);
        assert_eq!(left[1].kind, "audit.pruned");
        assert_eq!(left[1].body["through"], first_kept - 1);
        assert_eq!(left[1].body["hash"], left[0].prev_hash);
        let trust = Trust { own: Some(engine.audit.own("")), ..Trust::default() };
        let found = verify_all(&db, &trust).await.unwrap();
        assert_eq!((found[0].rows, found[0].cut), (2, Some(first_kept - 1)), "{found:?}");
        assert_eq!(found[0].fault, None);
        // And with nothing to let go, nothing is written.
        let_go(Arc::clone(engine)).await;
        assert_eq!(audit::list(&db, "", 0, 10, None).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn rows_are_let_go_while_an_export_is_not_read_and_by_turns_with_who_verifies() {
        let guardian = keeping_30_days().await;
        let engine = guardian.engine();
        for n in 0..20 {
            engine.audit.append(row(n)).await.unwrap();
        }
        let key = engine.registry.keys.own().unwrap();
        let mut export = services::audit::export(engine, &key, None, None).await.unwrap();
        export.next_lines().await.unwrap().expect("it has rows");
        engine.clock.advance(31 * DAY);
        let first_kept = engine.audit.append(row(20)).await.unwrap();
        // Somebody verifies, and others wait to; the rows are let go in their turn.
        let walk = engine.audit.begin_walk().unwrap();
        let letting_go = tokio::spawn(let_go(Arc::clone(engine)));
        tokio::task::yield_now().await;
        drop(walk);
        letting_go.await.unwrap();
        let left = audit::list(&engine.store.db(), "", 0, 10, None).await.unwrap();
        assert_eq!(left[0].seq, first_kept);
        while export.next_lines().await.unwrap().is_some() {}
    }

    #[tokio::test]
    async fn nothing_is_let_go_unless_it_is_said() {
        let guardian = Guardian::builder().build().await.unwrap();
        let engine = guardian.engine();
        engine.clock.advance(Duration::from_secs(400 * 24 * 3_600));
        let_go(Arc::clone(engine)).await;
        assert_eq!(audit::list(&engine.store.db(), "", 0, 10, None).await.unwrap()[0].seq, 1);
    }

    #[tokio::test]
    async fn rows_that_somebody_else_let_go_are_missed_and_not_signed_away() {
        let guardian = keeping_30_days().await;
        let engine = guardian.engine();
        for n in 0..10 {
            engine.audit.append(row(n)).await.unwrap();
        }
        let (db, key) = (engine.store.db(), engine.audit.key().unwrap());
        let trust = || Trust { own: Some(engine.audit.own("")), ..Trust::default() };
        let later = "2999-01-01T00:00:00.000000Z";
        let plan = Plan::before(&db, "", later, &trust(), key).await.unwrap().unwrap();
        // With the true hash of the last row, and every row that names the key gone with it.
        let foreign = AuditKey::random().unwrap();
        plan.execute(&db, &foreign, later.to_owned()).await.unwrap();
        let found = verify_all(&db, &trust()).await.unwrap();
        let fault = found[0].fault.as_ref().unwrap();
        assert!(fault.what.contains("the log was cut at row 10 by the key"), "{fault:?}");

        for n in 10..20 {
            engine.audit.append(row(n)).await.unwrap();
        }
        engine.clock.advance(31 * DAY);
        engine.audit.append(row(20)).await.unwrap();
        let_go(Arc::clone(engine)).await;
        assert_eq!(audit::list(&db, "", 0, 10, None).await.unwrap()[0].seq, 11);
    }

    #[tokio::test]
    async fn fault_that_is_found_before_rows_are_let_go_is_remembered_and_nothing_is_decided() {
        let guardian = keeping_30_days().await;
        let engine = guardian.engine();
        for n in 0..10 {
            engine.audit.append(row(n)).await.unwrap();
        }
        engine.clock.advance(31 * DAY);
        engine.audit.append(row(10)).await.unwrap();
        let db = engine.store.db();
        query("DROP TRIGGER audit_rows_never_change").execute(&db).await.unwrap();
        query("UPDATE audit SET body = '{}' WHERE seq = 4").execute(&db).await.unwrap();
        assert!(engine.audit.is_healthy());
        let_go(Arc::clone(engine)).await;
        assert!(!engine.audit.is_healthy());
        assert!(engine.audit.append(row(11)).await.is_err());
        assert_eq!(audit::list(&db, "", 0, 1, None).await.unwrap()[0].seq, 1);
    }

    #[tokio::test]
    async fn log_that_is_verified_while_rows_are_let_go_or_that_cannot_be_read_is_not_taken_for_changed()
     {
        let guardian = keeping_30_days().await;
        let engine = guardian.engine();
        for n in 0..9_000 {
            engine.audit.enqueue(row(n)).await.unwrap();
        }
        engine.audit.flush().await;
        let (db, key) = (engine.store.db(), engine.audit.key().unwrap());
        let trust = Trust { own: Some(engine.audit.own("")), ..Trust::default() };
        for before in ["2999-01-01T00:00:00.000000Z"; 3] {
            // As `agenttrust audit prune` does, which waits for no walk.
            let plan = Plan::before(&db, "", before, &trust, key).await.unwrap().unwrap();
            let pruning = plan.execute(&db, key, before.to_owned());
            let (pruned, found) = tokio::join!(pruning, services::audit::verify(engine));
            pruned.unwrap();
            let fault = found.unwrap().logs.remove(0).fault;
            assert!(fault.is_none_or(|fault| !fault.is_sure));
            assert!(engine.audit.is_healthy());
            for n in 0..3_000 {
                engine.audit.enqueue(row(n)).await.unwrap();
            }
            engine.audit.flush().await;
        }
        query("ALTER TABLE audit_cuts RENAME TO away").execute(&db).await.unwrap();
        assert!(services::audit::verify(engine).await.is_err());
        query("ALTER TABLE away RENAME TO audit_cuts").execute(&db).await.unwrap();
        assert!(engine.audit.is_healthy());
        engine.audit.append(row(0)).await.unwrap();
    }

    /// Stores a destination that has taken every row up to `taken`.
    async fn destination(engine: &Engine, id: &str, is_active: bool, taken: Option<i64>) {
        const DESTINATION: &str = "INSERT INTO siem_destinations (id, org_id, name, kind, format, endpoint, batch_size, \
                                   flush_seconds, event_types, is_active, epoch, created_by, created_at, updated_at) \
                                   VALUES ($1, 'other', 'siem', 'file', 'raw', 'file:///nowhere/at.log', 1, 1, '[]', \
                                   $2, 1, 'key_1', 0, 0)";
        const CURSOR: &str =
            "INSERT INTO siem_cursors (destination_id, log, seq) VALUES ($1, '', $2)";
        let db = engine.store.db();
        query(DESTINATION).bind(id).bind(is_active).execute(&db).await.unwrap();
        if let Some(taken) = taken {
            query(CURSOR).bind(id).bind(taken).execute(&db).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_a_destination_is_owed_is_kept_for_a_week_longer_and_then_let_go_with_the_numbers()
    {
        let guardian = keeping_30_days().await;
        let engine = guardian.engine();
        for n in 0..20 {
            engine.audit.append(row(n)).await.unwrap();
        }
        // Paused, and so it takes none of them; another one took everything.
        destination(engine, "dst_1", false, Some(10)).await;
        destination(engine, "dst_2", false, Some(1_000)).await;
        engine.clock.advance(31 * DAY);
        let first_kept = engine.audit.append(row(20)).await.unwrap();
        let db = engine.store.db();
        let first = async || list(&db, "", 0, 1, None).await.unwrap()[0].seq;
        let_go(Arc::clone(engine)).await;
        assert_eq!(first().await, 11);
        let_go(Arc::clone(engine)).await;
        assert_eq!(first().await, 11);
        engine.clock.advance(7 * DAY);
        let_go(Arc::clone(engine)).await;
        assert_eq!(first().await, first_kept);
        let rows = list(&db, "", first_kept, 100, None).await.unwrap();
        let cut: Vec<_> = rows.iter().filter(|row| row.kind == "siem.events_cut").collect();
        let numbers =
            serde_json::json!({ "log": "", "rows": first_kept - 11, "through": first_kept - 1 });
        assert_eq!(cut.len(), 1);
        assert_eq!(cut[0].body, numbers);
        let metrics = engine.metrics.render(&engine.present()).unwrap();
        let line = format!("agenttrust_siem_rows_cut_total {}", first_kept - 11);
        assert!(metrics.contains(&line), "{metrics}");
        // One that never took anything of this log is owed all of it; without destinations nothing is.
        destination(engine, "dst_3", true, None).await;
        assert_eq!(engine.store.siem_floor(String::new()).await.unwrap(), Some(0));
        query("DELETE FROM siem_destinations").execute(&db).await.unwrap();
        assert_eq!(engine.store.siem_floor(String::new()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn nothing_is_let_go_while_it_cannot_be_told_what_is_owed() {
        const DAY: Duration = Duration::from_secs(24 * 3_600);
        let guardian = Guardian::builder().audit_retention(30 * DAY).build().await.unwrap();
        let engine = guardian.engine();
        engine.clock.advance(60 * DAY);
        let row = Record::new("decision", DEFAULT_ORG);
        engine.audit.append(row).await.unwrap();
        query("DROP TABLE siem_cursors").execute(&engine.store.db()).await.unwrap();
        let_go(Arc::clone(engine)).await;
        assert_eq!(list(&engine.store.db(), "", 0, 1, None).await.unwrap()[0].seq, 1);
    }
}
