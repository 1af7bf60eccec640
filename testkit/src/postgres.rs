//! A PostgreSQL database of one test's own: made fresh, and dropped with it.

use std::net::SocketAddr;
use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};
use tokio::runtime::Builder;

/// The server's database that others are made from, unless `DATABASE_URL` names another.
const SERVER: &str = "postgres://postgres@127.0.0.1:5432/test";
/// How long a server may take to answer before there is none.
const PATIENCE: Duration = Duration::from_secs(2);

/// A database that nobody else uses.
#[derive(Debug)]
pub struct Fresh {
    server: String,
    name: String,
}

impl Fresh {
    /// A new database; without a server to make it on, says that the test is skipped.
    pub fn or_skip() -> Option<Self> {
        let server = std::env::var("DATABASE_URL").unwrap_or_default();
        let named = server.starts_with("postgres");
        let server = if named { server } else { SERVER.to_owned() };
        let name = format!("at_{}", uuid::Uuid::now_v7().simple());
        let make = format!("CREATE DATABASE {name}");
        match on(&server, &make) {
            Some(Ok(())) => Some(Self { server, name }),
            Some(Err(error)) => panic!("{make} on {server}: {error}"),
            // Whoever names a server wants it used.
            None if named => panic!("no PostgreSQL answers at {server}, which DATABASE_URL names"),
            None => {
                println!("skipped: no PostgreSQL at {server}");
                None
            }
        }
    }

    /// How a Guardian finds it.
    pub fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("a URL that names a database");
        format!("{server}/{}", self.name)
    }

    /// How a Guardian finds it by way of a proxy; without TLS, so that the proxy can read along.
    pub fn url_by(&self, proxy: SocketAddr) -> String {
        let url = self.url().replace(&self.address(), &proxy.to_string());
        format!("{url}?sslmode=disable")
    }

    /// Host and port of the server.
    pub fn address(&self) -> String {
        let (_, server) = self.server.split_once("://").expect("a URL");
        let (server, _) = server.rsplit_once('/').expect("a URL that names a database");
        server.rsplit('@').next().unwrap_or(server).to_owned()
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // What is left of a test that failed is in the way of nobody.
        let _ = on(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// Runs one statement; `None` when nobody answers.
fn on(server: &str, statement: &str) -> Option<Result<(), sqlx::Error>> {
    std::thread::scope(|scope| {
        // A thread of its own: the test may be inside a runtime already.
        let done = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let connecting = tokio::time::timeout(PATIENCE, PgConnection::connect(server));
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
