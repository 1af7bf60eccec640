//! The life of approvals against a model of it: any number of agents, deciders and consumers, one after
//! the other and at once, while time passes, keys are revoked and the Guardian restarts.
//!
//! What steps taken at once lead to is known only afterwards. So the model follows the Guardian: the
//! answers to such steps must be those that the model gives to them in some order. Whether an answer was
//! right is then read once more from the audit log alone.

mod coverage;
mod evidence;
mod guardian_and_model;
mod intent;
mod model;

use std::cell::RefCell;
use std::marker::PhantomData;
use std::time::Instant;

use agenttrust_testkit::postgres::Fresh;
use agenttrust_testkit::trials;
use proptest::test_runner::{Config, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

use self::coverage::Coverage;
use self::guardian_and_model::GuardianAndModel;
use self::intent::{Lifecycle, Living, Transition};

/// The database in which a Guardian keeps the approvals of one life.
trait Place {
    fn fresh() -> Self;
    fn url(&self) -> String;
    /// Returns what happened in all lives there.
    fn coverage() -> &'static Coverage;
}

struct SqliteFile(tempfile::TempDir);

impl Place for SqliteFile {
    fn fresh() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn url(&self) -> String {
        self.0.path().join("guardian.db").to_str().unwrap().to_owned()
    }

    fn coverage() -> &'static Coverage {
        static HERE: Coverage = Coverage::new();
        &HERE
    }
}

/// A database for all lives of a thread: making one takes longer than most lives. Each life has agents, keys and an
/// audit log of its own.
struct Postgres;

thread_local! {
    static DATABASE: RefCell<Option<Fresh>> = const { RefCell::new(None) };
}

impl Place for Postgres {
    fn fresh() -> Self {
        DATABASE.with_borrow_mut(|database| {
            database.get_or_insert_with(|| Fresh::or_skip().expect("it was there a moment ago"));
        });
        Self
    }

    fn url(&self) -> String {
        DATABASE.with_borrow(|database| database.as_ref().unwrap().url())
    }

    fn coverage() -> &'static Coverage {
        static HERE: Coverage = Coverage::new();
        &HERE
    }
}

/// The machine on one kind of database.
struct Machine<P>(PhantomData<P>);

impl<P: Place + 'static> StateMachineTest for Machine<P> {
    type SystemUnderTest = (GuardianAndModel, P);
    type Reference = Lifecycle;

    fn init_test(_: &Living) -> Self::SystemUnderTest {
        let place = P::fresh();
        (GuardianAndModel::new(place.url(), P::coverage()), place)
    }

    fn apply(
        (mut both, place): Self::SystemUnderTest,
        _: &Living,
        transition: Transition,
    ) -> Self::SystemUnderTest {
        both.take(transition);
        both.must_agree();
        (both, place)
    }

    fn teardown((both, _): Self::SystemUnderTest, _: Living) {
        both.end();
    }
}

/// The number of threads that live lives: most of a life is waiting for a disk.
const THREADS: u32 = 2;

/// Lives `cases` lives of 30 to 50 steps in each of several threads, in a long trial.
fn try_by_force<P: Place + 'static>(cases: usize) {
    let begun = Instant::now();
    let cases = u32::try_from(trials(cases)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| live::<P>(cases));
        }
    });
    println!("{} lives in {:?}: {:?}", cases * THREADS, begun.elapsed(), P::coverage());
    P::coverage().must_mean_something();
}

fn live<P: Place + 'static>(cases: u32) {
    let config =
        Config { cases, failure_persistence: None, max_shrink_time: 60_000, ..Config::default() };
    let lives = Lifecycle::sequential_strategy(30..=50);
    TestRunner::new(config.clone())
        .run(&lives, |(living, transitions, seen)| {
            Machine::<P>::test_sequential(config.clone(), living, transitions, seen);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn approvals_keep_every_promise_on_sqlite() {
    try_by_force::<SqliteFile>(32);
}

#[test]
fn approvals_keep_every_promise_on_postgres() {
    if Fresh::or_skip().is_some() {
        try_by_force::<Postgres>(32);
    }
}
