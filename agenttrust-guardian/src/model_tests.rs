//! Trials by force: what has to hold however the Guardian is pushed about. Here are those that move the
//! Guardian's clock; those that kill its process are in `tests/durability/`.

mod approvals;
mod clock_jumps;

use agenttrust_testkit::ADMIN;

use crate::{Guardian, GuardianBuilder};

pub(crate) type Api = agenttrust_testkit::Api<Guardian>;

/// A Guardian with these settings.
pub(crate) async fn open_with(settings: impl FnOnce(GuardianBuilder) -> GuardianBuilder) -> Api {
    let guardian = settings(Guardian::builder().admin_key(ADMIN)).build().await.unwrap();
    Api::new(guardian, Guardian::router)
}
