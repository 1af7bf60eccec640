//! A Guardian in a unit test, asked by its router as from outside.

use std::time::Duration;

use agenttrust_testkit::ADMIN;

use crate::{Guardian, GuardianBuilder};

/// The time that a check may take, so that a busy machine decides what is asked; a test of the deadline sets its own.
const CHECK_DEADLINE: Duration = Duration::from_secs(30);

pub(crate) type Api = agenttrust_testkit::Api<Guardian>;
pub(crate) type Harness = agenttrust_testkit::Harness<Guardian>;

/// Returns a Guardian with these settings.
pub(crate) async fn open_with(settings: impl FnOnce(GuardianBuilder) -> GuardianBuilder) -> Api {
    let builder = Guardian::builder().admin_key(ADMIN).check_deadline(CHECK_DEADLINE);
    let guardian = settings(builder).build().await.unwrap();
    Api::new(guardian, Guardian::router)
}
