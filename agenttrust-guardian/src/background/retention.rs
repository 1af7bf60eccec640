//! Rows of this Guardian's own audit log that are older than they are to be kept.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::{AuditError, AuditKey, FACTS_HOLD, Plan, Record, Trust};
use crate::clock::before;
use crate::domain::DEFAULT_ORG;
use crate::engine::Engine;

/// Lets them go, unless somebody is verifying the whole log.
pub(crate) async fn let_go(engine: Arc<Engine>) {
    let (Some(keep), Some(key)) = (engine.settings.audit_retention, engine.audit.key()) else {
        return;
    };
    let Some(_walk) = engine.audit.begin_walk() else { return };
    if let Err(error) = let_go_older(&engine, keep, key).await {
        tracing::error!(%error, "old rows of the audit log could not be let go");
    }
}

async fn let_go_older(engine: &Engine, keep: Duration, key: &AuditKey) -> Result<(), AuditError> {
    let (db, log) = (engine.store.db(), &engine.settings.log);
    let now = engine.clock.now();
    let trust = Trust { own: Some(engine.audit.own(log)), ..Trust::default() };
    // A decision names facts that were written up to so long before it.
    let older = format!("{:.6}", before(now, keep.saturating_add(FACTS_HOLD)));
    let Some(plan) = Plan::before(&db, log, &older, &trust, key).await? else { return Ok(()) };
    plan.carry_out(&db, key, format!("{now:.6}")).await?;
    engine.audit.forget_told();
    let record = Record::new("audit.pruned", DEFAULT_ORG).body(serde_json::json!({
        "log": log, "through": plan.through(), "hash": plan.hash(), "rows": plan.rows, "before": older,
    }));
    engine.audit.append(record).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit;
    use crate::audit::verify_all;
    use crate::guardian::Guardian;

    #[tokio::test]
    async fn rows_older_than_the_retention_are_let_go_and_the_rest_is_proven() {
        const DAY: Duration = Duration::from_secs(24 * 3_600);
        let guardian = Guardian::builder().audit_retention(30 * DAY).build().await.unwrap();
        let engine = guardian.engine();
        let row = |n: u64| Record::new("decision", DEFAULT_ORG).body(serde_json::json!({ "n": n }));
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
    async fn nothing_is_let_go_unless_it_is_said() {
        let guardian = Guardian::builder().build().await.unwrap();
        let engine = guardian.engine();
        engine.clock.advance(Duration::from_secs(400 * 24 * 3_600));
        let_go(Arc::clone(engine)).await;
        assert_eq!(audit::list(&engine.store.db(), "", 0, 10, None).await.unwrap()[0].seq, 1);
    }

    #[tokio::test]
    async fn rows_that_somebody_else_let_go_are_missed_and_not_signed_away() {
        const DAY: Duration = Duration::from_secs(24 * 3_600);
        let guardian = Guardian::builder().audit_retention(30 * DAY).build().await.unwrap();
        let engine = guardian.engine();
        let row = |n: u64| Record::new("decision", DEFAULT_ORG).body(serde_json::json!({ "n": n }));
        for n in 0..10 {
            engine.audit.append(row(n)).await.unwrap();
        }
        let (db, key) = (engine.store.db(), engine.audit.key().unwrap());
        let trust = || Trust { own: Some(engine.audit.own("")), ..Trust::default() };
        let later = "2999-01-01T00:00:00.000000Z";
        let plan = Plan::before(&db, "", later, &trust(), key).await.unwrap().unwrap();
        // With the true hash of the last row, and every row that names the key gone with it.
        let foreign = AuditKey::random().unwrap();
        plan.carry_out(&db, &foreign, later.to_owned()).await.unwrap();
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
}
