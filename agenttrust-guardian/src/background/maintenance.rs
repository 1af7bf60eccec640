//! What happens by itself, now and then: approvals lapse, policies and keys of other processes arrive, old
//! rows go. Each by a task of its own, so that none of it waits for another: neither behind a file that
//! cannot be read nor behind a table that cannot be written. It ends with the Guardian.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use agenttrust::background;

use super::{alive, retention};
use crate::clock::before;
use crate::engine::Engine;
use crate::store::{PRUNED_AT_ONCE, StoreError};

/// The time after which approvals and policies are looked through again.
const BEAT: Duration = Duration::from_millis(500);
/// The time after which old rows are let go again.
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// The pause between two steps of that, for the work of others.
const GIVES_WAY: Duration = Duration::from_millis(20);
/// The time that reports, ended sessions, approvals that are over and deliveries are kept in the database.
const HISTORY_KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);
/// The time that a token or session that is over stays in memory, so that its end can be told from a wrong id.
const OVER_KEPT: Duration = Duration::from_secs(3_600);

/// Starts tending.
pub(crate) fn start(engine: &Arc<Engine>) {
    every(BEAT, engine, "approvals that lapsed could not be expired", |engine| async move {
        engine.expire_approvals(engine.clock.now()).await
    });
    every(BEAT * 2, engine, "approvals that wait could not be counted", |engine| async move {
        let now = engine.clock.now();
        let (count, oldest) = engine.background_store.approvals_that_wait(now).await?;
        engine.metrics.approvals_wait(count, oldest, now);
        Ok(())
    });
    every(BEAT, engine, "when keys were last used could not be kept", |engine| async move {
        engine.save_uses().await
    });
    every(BEAT, engine, "the policy folder could not be looked at", |engine| async move {
        // A trouble of the policies tells of itself.
        if let Err(error) = engine.watch_policies().await {
            tracing::debug!(message = error.message(), "the policy folder could not be looked at");
        }
        Ok(())
    });
    every(BEAT * 10, engine, "refused requests could not be recorded", |engine| async move {
        engine.tell_of_refusals(false);
        Ok(())
    });
    every(PRUNE_EVERY, engine, "old rows could not be let go", |engine| async move {
        prune(&engine).await;
        Ok(())
    });
    every(PRUNE_EVERY, engine, "old rows of the audit could not be let go", |engine| async move {
        retention::let_go(engine).await;
        Ok(())
    });
}

/// Repeats `work`, with so much time in between. A trouble is told once, until it is over.
pub(super) fn every<W, F>(pause: Duration, engine: &Arc<Engine>, trouble: &'static str, work: W)
where
    W: Fn(Arc<Engine>) -> F + Send + 'static,
    F: Future<Output = Result<(), StoreError>> + Send,
{
    // A guardian that nobody holds any more is not kept alive by its own tending.
    let engine = Arc::downgrade(engine);
    background::spawn(async move {
        let mut troubled = false;
        while let Some(engine) = after(pause, &engine).await {
            match work(Arc::clone(&engine)).await {
                Ok(()) => troubled = false,
                // Where the Guardian closes, so does its database.
                Err(error) if !troubled && !*engine.closing.borrow() => {
                    tracing::warn!(%error, "{trouble}; trying again");
                    troubled = true;
                }
                Err(_) => {}
            }
        }
    });
}

/// Returns the Guardian after this time, if it is still there and not about to close.
async fn after(pause: Duration, engine: &Weak<Engine>) -> Option<Arc<Engine>> {
    let mut left = pause;
    loop {
        let step = left.min(BEAT);
        background::sleep(step).await;
        let engine = alive(engine)?;
        left -= step;
        if left.is_zero() {
            return Some(engine);
        }
    }
}

/// Lets old rows go, one kind after the other.
async fn prune(engine: &Engine) {
    let now = engine.clock.now();
    let (over, history) = (before(now, OVER_KEPT), before(now, HISTORY_KEPT));
    engine.registry.tokens.prune(over);
    engine.registry.sessions.prune(over);
    engine.registry.delegations.prune(over);
    crate::domain::lists::sweep();
    let store = &engine.background_store;
    in_steps(engine, "tokens", || store.prune_tokens(over)).await;
    in_steps(engine, "changes", || store.prune_changes(over)).await;
    in_steps(engine, "card keys", || store.prune_card_keys(over)).await;
    in_steps(engine, "denials", || store.prune_denials(over)).await;
    in_steps(engine, "proofs", || store.prune_proofs(now)).await;
    in_steps(engine, "budgets", || engine.prune_budgets()).await;
    in_steps(engine, "reports", || store.prune_telemetry(history)).await;
    in_steps(engine, "sessions", || store.prune_sessions(history)).await;
    in_steps(engine, "delegations", || store.prune_delegations(history)).await;
    in_steps(engine, "deliveries", || store.prune_deliveries(history)).await;
    in_steps(engine, "tasks", || store.prune_tasks(history)).await;
    in_steps(engine, "approvals", || store.prune_approvals(history)).await;
}

/// Lets rows go until a step finds fewer than it may take. A step that fails is logged and stops no other kind; the
/// next time it goes on where it was.
async fn in_steps<F>(engine: &Engine, what: &'static str, step: impl Fn() -> F)
where
    F: Future<Output = Result<u64, StoreError>>,
{
    loop {
        match step().await {
            Ok(rows) if rows.cast_signed() < PRUNED_AT_ONCE => return,
            Ok(_) => background::sleep(GIVES_WAY).await,
            // Where the Guardian closes, so does its database.
            Err(_) if *engine.closing.borrow() => return,
            Err(error) => {
                tracing::warn!(%error, "old rows of the {what} could not be let go; trying again later");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::background::log_lines;
    use crate::guardian::Guardian;
    use crate::store::query;

    #[tokio::test]
    async fn old_rows_go_in_steps_and_a_step_that_fails_stops_no_other() {
        let guardian = Guardian::in_memory().await.unwrap();
        let engine = guardian.engine();
        let db = engine.store.db();
        const MANY: &str = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < $1) \
                            INSERT INTO denials (agent_id, latest, kept_at, told) \
                            SELECT 'agt_' || n, '[]', n, TRUE FROM n";
        let many = PRUNED_AT_ONCE * 2 + 7;
        query(MANY).bind(many).execute(&db).await.unwrap();
        // The step before it fails.
        query("DROP TABLE changes").execute(&db).await.unwrap();
        let now = engine.clock.now();
        assert_eq!(engine.store.prune_denials(now).await.unwrap(), PRUNED_AT_ONCE.cast_unsigned());
        prune(engine).await;
        let left: (i64,) = query("SELECT COUNT(*) FROM denials").fetch_one(&db).await.unwrap();
        assert_eq!(left.0, 0);
    }

    #[tokio::test]
    async fn rows_that_are_let_go_while_the_guardian_closes_are_no_trouble() {
        let (lines, _collecting) = log_lines::of_this_thread();
        let guardian = Guardian::builder().audit_retention(HISTORY_KEPT).build().await.unwrap();
        guardian.close().await;
        prune(guardian.engine()).await;
        retention::let_go(Arc::clone(guardian.engine())).await;
        assert_eq!(lines.with("let go"), Vec::<String>::new());
    }

    #[tokio::test]
    async fn card_keys_that_ended_go_and_those_that_sign_stay() {
        let guardian = Guardian::in_memory().await.unwrap();
        let engine = guardian.engine();
        let db = engine.store.db();
        const KEYS: &str = "INSERT INTO card_keys (id, public_key, secret, created_at, ends_at) VALUES \
                            ('ended', 'x', 's', 0, 1), ('ending', 'x', 's', 0, $1), ('newest', 'x', 's', 0, NULL)";
        let soon = engine.clock.now().saturating_add(Duration::from_secs(60));
        query(KEYS).bind(soon.unix_micros()).execute(&db).await.unwrap();
        prune(engine).await;
        let left: Vec<(String,)> =
            query("SELECT id FROM card_keys ORDER BY id").fetch_all(&db).await.unwrap();
        assert_eq!(left, [("ending".to_owned(),), ("newest".to_owned(),)]);
    }
}
