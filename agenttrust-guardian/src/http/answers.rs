//! The answers that several endpoints give alike, as the OpenAPI document describes them.

use std::collections::BTreeMap;

use agenttrust::model::ErrorBody;
use serde::Serialize;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{Content, Ref, RefOr, Response};
use utoipa::{IntoResponses, ToSchema};

/// The answer where nothing is left to say but that it is done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Done {
    /// The change that was made, as one word.
    #[schema(value_type = String)]
    pub(super) status: &'static str,
}

/// Returns a refusal: its status, and when it is answered.
pub(super) fn refusal(status: &str, when: &str) -> (String, RefOr<Response>) {
    let schema = Ref::from_schema_name(ErrorBody::name());
    let content = Content::new(Some(schema));
    let response = ResponseBuilder::new().description(when).content("application/json", content);
    (status.to_owned(), response.build().into())
}

/// Declares refusals, to be named in `responses(…)` by an endpoint that answers them.
///
/// What every endpoint with a key may answer is said once, in `openapi.rs`.
macro_rules! refusals {
    ($( $(#[$outer:meta])* $name:ident = $status:literal, $when:literal; )+) => {$(
        $(#[$outer])*
        #[derive(Debug)]
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                BTreeMap::from([refusal($status, $when)])
            }
        }
    )+};
}

refusals! {
    /// 404.
    NotFound = "404", "There is no such thing, or none that the caller may know of";
    /// 409.
    Conflict = "409", "It is in the way of what is there already; the message says how";
    /// 409.
    Held = "409", "It waits for approval (`ELEVATION_REQUIRED`, with the id in `details.approval_id`), or is in the way of what is there already; the message says how to go on";
    /// 429.
    TooMany = "429", "As many are there already as there may be, or under way for the key or its organisation; the message says how to go on";
    /// 503.
    Unavailable = "503", "The database or the audit log does not answer; nothing was decided or changed";
}
