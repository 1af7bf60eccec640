//! Connections to PostgreSQL: to the server that takes writes, whichever that is at present.
//!
//! After a fail-over a connection may be whole and lead to a server that is a standby by now, or lead to one that is
//! gone without a word. So each is tried before it is used. Where one will not do, all that were made with it are let
//! go, and the next goes to where the name of the server leads by then.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use agenttrust::background;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPool, PgPoolOptions};
use sqlx::{Acquire, Executor, Postgres, Transaction};

/// The time that a request waits for a free connection.
pub(super) const ACQUIRE: Duration = Duration::from_secs(5);
/// The time in which a connection has to show that it will do: shorter than a check has.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);
/// The time for which all connections may be in use at once: a server that answers ends every statement before.
const COMES_BACK_WITHIN: Duration = Duration::from_secs(10);
/// The time in which connections that are let go may finish what they are about.
const FINISH_WITHIN: Duration = Duration::from_secs(20);

/// The message about a server that answers and is of no use.
const TAKES_NO_WRITES: &str = "the server takes no writes: it is a standby, or is set to read-only transactions; have its \
                               name or address lead to the primary";
const SAYS_NOTHING: &str = "the server took the connection and says nothing";

/// Whether the transactions of a connection may not write, as on a standby.
const WRITES_NOT: &str = "SELECT current_setting('transaction_read_only')::bool";
/// The same statement for connections that are set not to write.
const IS_STANDBY: &str = "SELECT pg_is_in_recovery()";
/// The same where any server will do that answers.
const ANSWERS_NOT: &str = "SELECT false";

/// The statements that a connection begins with. They end every statement, wait for a lock and idle transaction before
/// its caller gives up. An answered decision must survive a crash of the server, whatever its default: one that waits
/// for more than that is left as it is. Notices are left out: at each start the server would say that a table is there
/// already. Said by statements, as a pooler refuses what it does not know when a connection begins.
const CAREFUL: &str = "SET statement_timeout = '8s'; SET lock_timeout = '8s'; \
                       SET idle_in_transaction_session_timeout = '15s'; SET client_min_messages = 'warning'; \
                       SELECT set_config('synchronous_commit', 'on', false) \
                       WHERE current_setting('synchronous_commit') = 'off'";
const IMPATIENT: &str = "SET lock_timeout = '2s'";
const READS: &str = "SET default_transaction_read_only = on";

/// The purpose of connections.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Decisions and changes.
    Deciding,
    /// Sync, taking back and health: these give up early on a lock, so that none waits long for another.
    Control,
    /// Lists, exports and verification.
    Reading,
    /// The connection of a writer that writes by itself.
    Writing,
    /// Commands that read from outside a Guardian: a standby will do.
    #[cfg_attr(
        not(any(feature = "cli", test)),
        expect(dead_code, reason = "the program alone looks from outside")
    )]
    Looking,
}

impl Purpose {
    fn connections(self) -> u32 {
        match self {
            Self::Deciding => 6,
            // One of them listens.
            Self::Control => 4,
            Self::Reading => 2,
            Self::Writing | Self::Looking => 1,
        }
    }

    /// Returns the statements that a new connection begins with.
    fn told(self) -> &'static [&'static str] {
        match self {
            Self::Deciding | Self::Writing => &[CAREFUL],
            Self::Control => &[CAREFUL, IMPATIENT],
            Self::Reading | Self::Looking => &[CAREFUL, READS],
        }
    }

    /// Asks a server whether it is of no use for this.
    fn unfit(self) -> &'static str {
        match self {
            Self::Deciding | Self::Control | Self::Writing => WRITES_NOT,
            Self::Reading => IS_STANDBY,
            Self::Looking => ANSWERS_NOT,
        }
    }
}

/// Connections for one purpose; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Primary {
    purpose: Purpose,
    made: Arc<RwLock<Made>>,
}

/// The connections that were made since the last trouble.
#[derive(Clone, Debug)]
struct Made {
    pool: PgPool,
    troubles: u64,
    /// The time when one of them was last seen to do.
    seen_well: Arc<Mutex<Instant>>,
}

impl Made {
    fn now(pool: PgPool, troubles: u64) -> Self {
        Self { pool, troubles, seen_well: Arc::new(Mutex::new(Instant::now())) }
    }

    fn saw_one_do(&self) {
        *self.seen_well.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn is_stuck(&self) -> bool {
        self.seen_well.lock().unwrap_or_else(PoisonError::into_inner).elapsed() > COMES_BACK_WITHIN
    }
}

/// A connection that is not known to do. It is closed, unless it turns out to: on its way back to the others it would
/// be waited for, and a server that is gone without a word never answers.
struct Untried(Option<PoolConnection<Postgres>>);

impl Drop for Untried {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

impl Primary {
    /// Connects once, to see that it works.
    pub(super) async fn connect(
        options: &PgConnectOptions,
        purpose: Purpose,
    ) -> Result<Self, sqlx::Error> {
        let pool = PgPoolOptions::new()
            .max_connections(purpose.connections())
            .acquire_timeout(ACQUIRE)
            // By something that asks for more.
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    for statement in purpose.told() {
                        connection.execute(*statement).await?;
                    }
                    Ok(())
                })
            })
            .connect_lazy_with(bare(options));
        let made = Arc::new(RwLock::new(Made::now(pool, 0)));
        let primary = Self { purpose, made };
        primary.acquire().await?;
        Ok(primary)
    }

    /// Returns a connection that will do.
    ///
    /// # Errors
    ///
    /// Where no connection is had in time, and why the newest one will not do.
    ///
    /// # Cancel safety
    ///
    /// A connection whose trial is given up is closed, and makes room for another one.
    pub(super) async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let made = self.made();
        let untried = self.take(&made).await?;
        if let Ok(connection) = self.tried(&made, untried).await {
            return Ok(connection);
        }
        let made = self.renewed(&made);
        let untried = self.take(&made).await?;
        self.tried(&made, untried).await
    }

    /// Returns one of those that were made. Where all are in use for longer than a server that answers lets them be,
    /// they hang, and are let go.
    async fn take(&self, made: &Made) -> Result<Untried, sqlx::Error> {
        let taken = made.pool.acquire().await;
        if let Err(sqlx::Error::PoolTimedOut) = taken
            && made.is_stuck()
        {
            self.renewed(made);
        }
        Ok(Untried(Some(taken?)))
    }

    async fn tried(
        &self,
        made: &Made,
        mut untried: Untried,
    ) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let connection = untried.0.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        self.try_out(connection).await?;
        made.saw_one_do();
        untried.0.take().ok_or(sqlx::Error::PoolClosed)
    }

    /// Returns all of them, for what makes do with one that is tried no more.
    pub(super) fn pool(&self) -> PgPool {
        self.made().pool
    }

    pub(super) async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        Transaction::begin(self.acquire().await?, None).await
    }

    /// Listens on `channel`, by a connection that will do.
    pub(super) async fn listen(&self, channel: &str) -> Result<PgListener, sqlx::Error> {
        let made = self.made();
        let mut listener = PgListener::connect_with(&made.pool).await?;
        // What was said meanwhile is made up for by those who begin to listen.
        listener.eager_reconnect(false);
        self.see_to(&made, &mut listener).await?;
        listener.listen(channel).await?;
        Ok(listener)
    }

    /// Tries a connection that listens: it asks for nothing, and would not notice that its server is gone or is a
    /// standby by now.
    pub(super) async fn try_listener(&self, listener: &mut PgListener) -> Result<(), sqlx::Error> {
        self.see_to(&self.made(), listener).await
    }

    async fn see_to(&self, made: &Made, listener: &mut PgListener) -> Result<(), sqlx::Error> {
        let tried = match listener.acquire().await {
            Ok(connection) => self.try_out(connection).await,
            Err(error) => Err(error),
        };
        if tried.is_err() {
            self.renewed(made);
        }
        tried
    }

    /// Lets all connections go; the next are made when they are needed.
    pub(super) fn renew(&self) {
        self.renewed(&self.made());
    }

    pub(super) async fn close(&self) {
        self.pool().close().await;
    }

    fn made(&self) -> Made {
        // A panic with this lock held leaves those of before or those of after: both are fine.
        self.made.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns those that come after `made`. Of many who had trouble with the same ones, the first lets them go; of
    /// those that were closed there are no more.
    fn renewed(&self, made: &Made) -> Made {
        let mut now = self.made.write().unwrap_or_else(PoisonError::into_inner);
        if now.troubles == made.troubles && !now.pool.is_closed() {
            let options = now.pool.connect_options().as_ref().clone();
            // What looks after a pool lives on the runtime where it is made.
            let _context = background::handle().enter();
            let pool = now.pool.options().clone().connect_lazy_with(options);
            let made = Made::now(pool, now.troubles + 1);
            let old = std::mem::replace(&mut *now, made).pool;
            background::spawn(background::timeout(FINISH_WITHIN, async move { old.close().await }));
        }
        now.clone()
    }

    async fn try_out(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let asked = sqlx::query_scalar(self.purpose.unfit()).fetch_one(connection);
        match background::timeout(ANSWERS_WITHIN, asked).await {
            Ok(Ok(false)) => Ok(()),
            Ok(Ok(true)) => Err(sqlx::Error::Io(io::Error::other(TAKES_NO_WRITES))),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, SAYS_NOTHING))),
        }
    }
}

/// Returns the options without settings that a pooler refuses at the begin of a connection, and that nothing here
/// needs.
pub(super) fn bare(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().extra_float_digits(None)
}

#[cfg(all(test, unix))]
mod tests {
    use agenttrust_testkit::eventually_within;
    use agenttrust_testkit::postgres::{Bouncer, Fresh};
    use agenttrust_testkit::proxy::Proxy;
    use tokio::time::timeout;

    use super::*;

    /// The part of a request's time that all callers of a busy moment have.
    const GIVES_UP: Duration = Duration::from_millis(50);

    const SETTINGS: &str = "SELECT concat_ws(' ', current_setting('statement_timeout'), \
                            current_setting('lock_timeout'), \
                            current_setting('idle_in_transaction_session_timeout'), \
                            current_setting('synchronous_commit'), \
                            current_setting('default_transaction_read_only'))";

    async fn settings(primary: &Primary) -> String {
        let mut connection = primary.acquire().await.unwrap();
        sqlx::query_scalar(SETTINGS).fetch_one(&mut *connection).await.unwrap()
    }

    async fn must_be_careful(url: &str) {
        let options = url.parse().unwrap();
        for (purpose, expected) in [
            (Purpose::Deciding, "8s 8s 15s on off"),
            (Purpose::Control, "8s 2s 15s on off"),
            (Purpose::Reading, "8s 8s 15s on on"),
            (Purpose::Writing, "8s 8s 15s on off"),
            (Purpose::Looking, "8s 8s 15s on on"),
        ] {
            let primary = Primary::connect(&options, purpose).await.unwrap();
            assert_eq!(settings(&primary).await, expected, "{url} {purpose:?}");
            primary.renew();
            assert_eq!(settings(&primary).await, expected, "{url} {purpose:?}");
            primary.close().await;
            primary.renew();
            let closed = primary.acquire().await;
            assert!(matches!(closed, Err(sqlx::Error::PoolClosed)), "{closed:?}");
        }
    }

    #[tokio::test]
    async fn connections_are_as_careful_by_a_pooler_as_without_one() {
        let Some(database) = Fresh::or_skip() else { return };
        database
            .execute(&format!("ALTER DATABASE {} SET synchronous_commit = off", database.name()));
        must_be_careful(&database.url()).await;
        let Some(bouncer) = Bouncer::or_skip(&database, "session") else { return };
        must_be_careful(bouncer.url()).await;
    }

    #[tokio::test]
    async fn changes_are_heard_of_by_a_pooler_in_session_mode() {
        let Some(database) = Fresh::or_skip() else { return };
        let Some(bouncer) = Bouncer::or_skip(&database, "session") else { return };
        let options = bouncer.url().parse().unwrap();
        let primary = Primary::connect(&options, Purpose::Control).await.unwrap();
        let mut listener = primary.listen("news").await.unwrap();
        database.execute("NOTIFY news");
        assert_eq!(listener.recv().await.unwrap().channel(), "news");
        primary.try_listener(&mut listener).await.unwrap();
        drop(listener);
        primary.close().await;
    }

    /// Returns connections by a wire that falls silent, all of them in use.
    async fn all_in_use(
        proxy: &Proxy,
        database: &Fresh,
    ) -> (Primary, Vec<PoolConnection<Postgres>>) {
        let options = database.url_by(proxy.address).parse().unwrap();
        let primary = Primary::connect(&options, Purpose::Deciding).await.unwrap();
        let mut all = Vec::new();
        for _ in 0..Purpose::Deciding.connections() {
            all.push(primary.acquire().await.unwrap());
        }
        (primary, all)
    }

    async fn must_come_back(primary: &Primary) {
        let works = async || primary.acquire().await.map(drop);
        eventually_within(Duration::from_secs(30), "no connection is had again", works).await;
        primary.close().await;
    }

    #[tokio::test]
    async fn connections_whose_trial_is_given_up_make_room() {
        let Some(database) = Fresh::or_skip() else { return };
        let proxy = Proxy::before(database.address()).await;
        let (primary, all) = all_in_use(&proxy, &database).await;
        let count = all.len();
        drop(all);
        let idle = async || if primary.pool().num_idle() == count { Ok(()) } else { Err(()) };
        eventually_within(Duration::from_secs(30), "they are not given back", idle).await;
        proxy.lose_connections();
        for _ in 0..count {
            assert!(timeout(GIVES_UP, primary.acquire()).await.is_err());
        }
        assert_eq!(primary.made().troubles, 0);
        must_come_back(&primary).await;
    }

    #[tokio::test]
    async fn connections_that_hang_in_the_middle_of_a_statement_are_let_go() {
        let Some(database) = Fresh::or_skip() else { return };
        let proxy = Proxy::before(database.address()).await;
        let (primary, mut all) = all_in_use(&proxy, &database).await;
        proxy.lose_connections();
        for connection in &mut all {
            assert!(timeout(GIVES_UP, connection.execute("SELECT 1")).await.is_err());
        }
        drop(all);
        must_come_back(&primary).await;
    }
}
