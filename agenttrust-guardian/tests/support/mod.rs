//! A Guardian embedded in a test.

#![allow(dead_code, reason = "each test program uses a part of it")]

use agenttrust_guardian::{Guardian, GuardianBuilder};
use agenttrust_testkit::ADMIN;

pub(crate) type Api = agenttrust_testkit::Api<Guardian>;
pub(crate) type Harness = agenttrust_testkit::Harness<Guardian>;

/// A Guardian in memory.
pub(crate) async fn open() -> Api {
    open_with(|builder| builder).await
}

/// A Guardian with these settings.
pub(crate) async fn open_with(settings: impl FnOnce(GuardianBuilder) -> GuardianBuilder) -> Api {
    let guardian = settings(Guardian::builder().admin_key(ADMIN)).build().await.unwrap();
    Api::new(guardian, Guardian::router)
}
