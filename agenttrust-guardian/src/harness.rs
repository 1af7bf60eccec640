//! A Guardian in a unit test, asked by its router as from outside.

use agenttrust_testkit::ADMIN;

use crate::{Guardian, GuardianBuilder};

pub(crate) type Api = agenttrust_testkit::Api<Guardian>;
pub(crate) type Harness = agenttrust_testkit::Harness<Guardian>;

/// A Guardian with these settings.
pub(crate) async fn open_with(settings: impl FnOnce(GuardianBuilder) -> GuardianBuilder) -> Api {
    let guardian = settings(Guardian::builder().admin_key(ADMIN)).build().await.unwrap();
    Api::new(guardian, Guardian::router)
}
