//! Replicas that start at the same time, on a database in which there is nothing yet.

use std::thread;

use agenttrust_testkit::ADMIN;
use agenttrust_testkit::postgres::Fresh;
use serde_json::Value;
use tokio::task::block_in_place;

use crate::program::{Program, run};
use crate::served::Served;

/// Starts replicas of these names at once, each a process of its own, with the same admin key.
fn at_once(names: &[&str], url: &str) -> Vec<Served> {
    thread::scope(|scope| {
        let start = |name: &&str| {
            let name = (*name).to_owned();
            scope.spawn(move || Served::start(url, &["--replica", &name]))
        };
        let starting: Vec<_> = names.iter().map(start).collect();
        starting.into_iter().map(|it| it.join().expect("a replica did not come up")).collect()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_at_once_on_an_empty_database_all_come_up_and_make_one_admin_key() {
    for count in [2, 5, 2, 5, 2] {
        let Some(database) = Fresh::or_skip() else { return };
        let url = database.url();
        let names = ["1", "2", "3", "4", "5"];
        let replicas = block_in_place(|| at_once(&names[..count], &url));
        let mut made = 0;
        for replica in &replicas {
            let get = async |path| replica.caller().sure("GET", path, ADMIN, &Value::Null).await;
            let keys = get("/api/v1/keys").await;
            assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1), "{keys}");
            // Each writes a log of its own.
            let audit = get("/api/v1/audit?limit=1000").await;
            let rows = audit["entries"].as_array().unwrap();
            made += rows.iter().filter(|row| row["kind"] == "key.created").count();
        }
        assert_eq!(made, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_at_once_without_an_admin_key_make_one_and_one_of_them_shows_it() {
    for count in [2, 4, 2, 4] {
        let Some(database) = Fresh::or_skip() else { return };
        let url = database.url();
        let starting = (0..count).map(|number| {
            let (url, name) = (url.clone(), number.to_string());
            async move {
                let key = "0f1e".repeat(16);
                let arguments = ["--database", &url, "--replica", &name, "--log", "error"];
                Program::serve(&arguments, &[("AGENTTRUST_SECRET_KEY", &key)]).await
            }
        });
        let replicas = futures_util::future::join_all(starting).await;
        let shown: Vec<&String> = replicas.iter().flat_map(|replica| &replica.said).collect();
        let [shown] = shown[..] else { panic!("{count} replicas: {shown:?}") };
        let key = shown.split_whitespace().last().unwrap();
        for replica in &replicas {
            let keys = replica.read("/api/v1/keys", key).await;
            assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1), "{keys}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_of_one_name_that_start_at_once_write_one_log_that_is_whole() {
    for _ in 0..3 {
        let Some(database) = Fresh::or_skip() else { return };
        let url = database.url();
        block_in_place(|| drop(at_once(&["one", "one", "one"], &url)));
        let verified = run(&["audit", "verify", "--database", &url], &[]).await;
        assert!(verified.status.success(), "{verified:?}");
    }
}
