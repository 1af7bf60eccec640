//! What an OpenAPI document says of the strings of the wire: names, capabilities, points in time.
//!
//! The types here are never made; a field names one as its `value_type`. The bounds are those that the
//! Guardian keeps. A length is counted in characters here and in bytes by the Guardian, which only
//! matters beyond ASCII: JSON Schema cannot count bytes.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::effect::Effect;
use super::name::{NAME_MAX_BYTES, REASON_MAX_CHARS};
use super::timestamp::Timestamp;

/// Declares a string type of the document.
macro_rules! strings {
    ($( $(#[$outer:meta])* $name:ident: $describe:expr; )+) => {$(
        $(#[$outer])*
        #[derive(Clone, Copy, Debug)]
        #[non_exhaustive]
        pub struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let describe: fn(ObjectBuilder) -> ObjectBuilder = $describe;
                string(describe)
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+};
}

strings! {
    /// A name or an id.
    Name: |it| it
        .description(Some(
            "A name or an id: opaque, compared byte for byte, at most 200 bytes of UTF-8, no control \
             characters.",
        ))
        .min_length(Some(1))
        .max_length(Some(NAME_MAX_BYTES))
        .pattern(Some(NO_CONTROL));

    /// The id of what an evaluation of AuthZEN is about.
    AccessId: |it| it
        .description(Some(
            "An id of the caller's: opaque, compared byte for byte, at most 1,024 bytes of UTF-8, no control \
             characters.",
        ))
        .min_length(Some(1))
        .max_length(Some(1_024))
        .pattern(Some(NO_CONTROL));

    /// A name or an id that may be left empty, which is as good as absent.
    NameOrEmpty: |it| it
        .description(Some("As `Name`; empty is as good as absent."))
        .max_length(Some(NAME_MAX_BYTES))
        .pattern(Some(NO_CONTROL));

    /// The reason for a decision.
    DecisionReason: |it| it
        .description(Some("Why, in a person's words: at most 500 characters, no control characters."))
        .max_length(Some(REASON_MAX_CHARS))
        .pattern(Some(NO_CONTROL));

    /// A capability, or a scope, which is written alike.
    Capability: |it| it
        .description(Some(
            "What an agent may reach: a name, `name:*`, `name/*`, or `*` for everything; at most 200 \
             bytes of UTF-8, no control characters.",
        ))
        .min_length(Some(1))
        .max_length(Some(NAME_MAX_BYTES))
        .pattern(Some(CAPABILITY));

    /// The audience of a workload token.
    WorkloadAudience: |it| it
        .description(Some("As `Name`, without a comma, by which audiences are joined where they are signed."))
        .min_length(Some(1))
        .max_length(Some(NAME_MAX_BYTES))
        .pattern(Some(r"^[^,\u0000-\u001F\u007F-\u009F]*$"));

    /// A token of whatever kind.
    AnyToken: |it| it
        .description(Some("A token: printable ASCII without a space, at most 16,384 bytes."))
        .min_length(Some(1))
        .max_length(Some(16_384))
        .pattern(Some("^[!-~]+$"));

    /// A part of the path of a workload's id.
    PathPart: |it| it
        .description(Some(
            "A part of the path of a SPIFFE ID: letters, digits, `.`, `-` and `_`, neither `.` nor `..`, at most 100; \
             empty is as good as absent.",
        ))
        .max_length(Some(100))
        .pattern(Some(r"^([A-Za-z0-9_-][A-Za-z0-9._-]*|\.[A-Za-z0-9_-][A-Za-z0-9._-]*|\.\.[A-Za-z0-9._-]+)?$"));

    /// An Ed25519 public key.
    PublicKey: |it| it
        .description(Some("An Ed25519 public key, PKIX PEM; empty is as good as absent."))
        .format(Some(SchemaFormat::Custom("ed25519-public-key".to_owned())));
}

const NO_CONTROL: &str = r"^[^\u0000-\u001F\u007F-\u009F]*$";
const CAPABILITY: &str = concat!(
    r"^(\*|[^*\u0000-\u001F\u007F-\u009F]+[:/]\*|",
    r"[^*:\u0000-\u001F\u007F-\u009F]([^*\u0000-\u001F\u007F-\u009F]*[^*:\u0000-\u001F\u007F-\u009F])?)$"
);

/// Returns a string, further described.
fn string(describe: impl FnOnce(ObjectBuilder) -> ObjectBuilder) -> RefOr<Schema> {
    let string = ObjectBuilder::new().schema_type(Type::String);
    RefOr::T(Schema::Object(describe(string).build()))
}

/// Returns one of these words.
pub(super) fn word(words: &[&'static str]) -> RefOr<Schema> {
    string(|it| it.enum_values(Some(words.iter().copied())))
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        string(|it| {
            it.description(Some("A point in time: RFC 3339, at most microseconds; sent in UTC."))
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        })
    }
}

impl ToSchema for Timestamp {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Timestamp")
    }
}

impl PartialSchema for Effect {
    fn schema() -> RefOr<Schema> {
        word(&Effect::ALL.map(Effect::as_str))
    }
}

impl ToSchema for Effect {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Effect")
    }
}

/// Returns an effect as a caller may write it: `write` is taken for `mutating`.
#[must_use]
pub fn effect_in_a_request() -> RefOr<Schema> {
    let words = Effect::ALL.map(Effect::as_str).into_iter().chain(["write"]);
    string(|it| {
        it.description(Some("What a call does; `write` is taken for `mutating`."))
            .enum_values(Some(words))
    })
}

/// Does the same as [`effect_in_a_request`], or `null` where nothing is said.
#[must_use]
pub fn optional_effect() -> RefOr<Schema> {
    let null = ObjectBuilder::new().schema_type(Type::Null);
    let either = OneOfBuilder::new().item(effect_in_a_request()).item(null);
    RefOr::T(Schema::OneOf(either.build()))
}
