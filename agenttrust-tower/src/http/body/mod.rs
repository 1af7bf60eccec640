//! Bodies that are reported when they end, fail or are dropped, and stay the type that they are.

mod follow;
mod followed;
mod judge;

pub use self::follow::{FollowBody, Following};
pub use self::followed::Followed;
pub(crate) use self::judge::Judge;
