//! A PostgreSQL database of one test's own: made fresh, and dropped with it. Where one is not enough, servers of its
//! own, and a pooler before it.

#[cfg(unix)]
mod bouncer;
#[cfg(unix)]
mod server;

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};
use tokio::runtime::Builder;

#[cfg(unix)]
pub use self::bouncer::Bouncer;
#[cfg(unix)]
pub use self::server::Server;

/// The server's database that others are made from, unless `DATABASE_URL` names another.
const SERVER: &str = "postgres://postgres@127.0.0.1:5432/test";
/// The longest time that a server may take to answer, before the test counts it as absent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The number of tests of a program that use the server at a time: each has Guardians with several connections, and a
/// server as it is installed has a hundred.
const TESTS_MOST: usize = 4;

static TESTS: Mutex<usize> = Mutex::new(0);
static LEFT: Condvar = Condvar::new();

thread_local! {
    /// Whether the test of this thread uses the server.
    static USES: Cell<bool> = const { Cell::new(false) };
}

/// The place of a test among those that use the server.
#[derive(Debug)]
struct Place(Option<ThreadId>);

impl Place {
    /// Waits for one. A test that has one has all that it needs.
    fn take() -> Self {
        if USES.replace(true) {
            return Self(None);
        }
        let tests = TESTS.lock().unwrap_or_else(PoisonError::into_inner);
        let tests = LEFT.wait_while(tests, |tests| *tests >= TESTS_MOST);
        *tests.unwrap_or_else(PoisonError::into_inner) += 1;
        Self(Some(thread::current().id()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(taken_by) = self.0 else { return };
        if thread::current().id() == taken_by {
            USES.set(false);
        }
        *TESTS.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        LEFT.notify_one();
    }
}

/// A database for one test alone.
#[derive(Debug)]
pub struct Fresh {
    server: String,
    name: String,
    _place: Place,
}

impl Fresh {
    /// Creates a new database; without a server to make it on, says that the test is skipped.
    pub fn or_skip() -> Option<Self> {
        let server = std::env::var("DATABASE_URL").unwrap_or_default();
        let named = server.starts_with("postgres");
        let server = if named { server } else { SERVER.to_owned() };
        let name = format!("at_{}", uuid::Uuid::now_v7().simple());
        let make = format!("CREATE DATABASE {name}");
        let place = Place::take();
        match on(&server, &make) {
            Some(Ok(())) => Some(Self { server, name, _place: place }),
            Some(Err(error)) => panic!("{make} on {server}: {error}"),
            // Whoever names a server wants it used.
            None if named => panic!("no PostgreSQL answers at {server}, which DATABASE_URL names"),
            None => {
                println!("skipped: no PostgreSQL at {server}");
                None
            }
        }
    }

    /// Returns how a Guardian finds it.
    pub fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("a URL that names a database");
        format!("{server}/{}", self.name)
    }

    /// Returns its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how a Guardian finds it by way of a proxy; without TLS, so that the proxy can read along.
    pub fn url_by(&self, proxy: SocketAddr) -> String {
        let url = self.url().replace(&self.address(), &proxy.to_string());
        format!("{url}?sslmode=disable")
    }

    /// Runs one statement in it.
    ///
    /// # Panics
    ///
    /// When the server is gone, or with what is wrong with the statement.
    pub fn execute(&self, statement: &str) {
        on(&self.url(), statement).expect("a server that answers").unwrap();
    }

    /// Returns host and port of the server.
    pub fn address(&self) -> String {
        let (_, server) = self.server.split_once("://").expect("a URL");
        let (server, _) = server.rsplit_once('/').expect("a URL that names a database");
        server.rsplit('@').next().unwrap_or(server).to_owned()
    }

    /// Returns by which name and password the server is reached.
    #[cfg(unix)]
    fn account(&self) -> (&str, &str) {
        let (_, server) = self.server.split_once("://").expect("a URL");
        let (account, _) = server.rsplit_once('@').unwrap_or(("postgres", server));
        account.split_once(':').unwrap_or((account, ""))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // What is left of a test that failed is in the way of nobody.
        let _ = on(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// Runs one statement; `None` when no server answers.
fn on(server: &str, statement: &str) -> Option<Result<(), sqlx::Error>> {
    std::thread::scope(|scope| {
        // A thread of its own: the test may be inside a runtime already.
        let done = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let connecting =
                    tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect(server));
                let mut connection = connecting.await.ok()?.ok()?;
                let done = connection.execute(sqlx::AssertSqlSafe(statement)).await;
                // It has answered; how it takes its leave is of no account.
                let _ = connection.close().await;
                Some(done.map(drop))
            })
        });
        done.join().unwrap()
    })
}
