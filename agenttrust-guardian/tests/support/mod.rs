//! A Guardian embedded in a test.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::time::Duration;

use agenttrust_guardian::{Guardian, GuardianBuilder};
use agenttrust_testkit::ADMIN;

/// The time that a check may take, so that a busy machine decides what is asked; a test of the deadline sets its own.
const CHECK_DEADLINE: Duration = Duration::from_secs(30);

pub(crate) type Api = agenttrust_testkit::Api<Guardian>;
pub(crate) type Harness = agenttrust_testkit::Harness<Guardian>;

/// Returns a Guardian in memory.
pub(crate) async fn open() -> Api {
    open_with(|builder| builder).await
}

/// Returns a Guardian with these settings.
pub(crate) async fn open_with(settings: impl FnOnce(GuardianBuilder) -> GuardianBuilder) -> Api {
    let builder = Guardian::builder().admin_key(ADMIN).check_deadline(CHECK_DEADLINE);
    let guardian = settings(builder).build().await.unwrap();
    Api::new(guardian, Guardian::router)
}
