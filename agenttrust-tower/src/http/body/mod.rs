//! Bodies that are reported when they end, fail or are dropped, and stay the type that they are.

mod follow;
mod reporting_body;

pub use self::follow::{FollowBody, Following};
pub use self::reporting_body::ReportingBody;
