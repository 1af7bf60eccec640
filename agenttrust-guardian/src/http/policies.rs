//! The policies: which are in force, and putting others in their place.

use agenttrust::Timestamp;
use agenttrust::model::schema::Name;
use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::answers::{Conflict, Unavailable};
use super::auth::Caller;
use super::body::Payload;
use crate::domain::{Error, Permission};
use crate::policy::DEFAULT_WINDOW;
use crate::services::policies::{self, Described};

/// The body of `PUT /api/v1/policies`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutPolicies {
    #[schema(min_items = 1, max_items = 256)]
    files: Vec<File>,
}

/// A file of policies.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyFile)]
struct File {
    /// The name, such as `tools.cedar`; errors and policies without an `@id` speak of it.
    #[schema(value_type = Name)]
    name: String,
    /// Cedar policies.
    text: String,
}

/// The policies in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Policies)]
pub(super) struct InForce {
    /// `built_in`, `program`, `folder` or `api`.
    #[schema(value_type = String)]
    source: &'static str,
    #[schema(required = true)]
    folder: Option<String>,
    /// The digest of the set: the same policies have the same one.
    sha256: String,
    loaded_at: Timestamp,
    policies: Vec<Policy>,
    /// The reason why a newer set is not in force.
    #[schema(required = true)]
    error: Option<Unusable>,
}

/// A policy in force.
#[derive(Debug, Serialize, ToSchema)]
struct Policy {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    place: Option<String>,
    /// `permit` or `forbid`.
    #[schema(value_type = String)]
    effect: &'static str,
    #[schema(required = true)]
    reason: Option<String>,
    #[schema(required = true)]
    elevate: Option<Elevate>,
    #[schema(required = true)]
    limit: Option<Budget>,
    shadow: bool,
    /// The number of decisions that a shadow policy would have changed, since the Guardian started.
    #[schema(required = true)]
    would_have_changed: Option<u64>,
}

/// The approval that a hold of the policy takes.
#[derive(Debug, Serialize, ToSchema)]
struct Elevate {
    quorum: u32,
    window_seconds: u64,
    single_use: bool,
    /// The time that a call may wait for its approval, in seconds; absent where the Guardian's setting says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pending_seconds: Option<u64>,
}

/// The budget of a policy, which says how often it permits.
#[derive(Debug, Serialize, ToSchema)]
struct Budget {
    most: u32,
    within_seconds: u64,
    /// `agent` or `session`.
    #[schema(value_type = String)]
    per: &'static str,
}

/// The reason why a set is not in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UnusablePolicies)]
struct Unusable {
    message: String,
    since: Timestamp,
    file: String,
    #[schema(required = true)]
    line: Option<usize>,
    #[schema(required = true)]
    column: Option<usize>,
}

/// Reads the policies in force
///
/// A key of another organisation than the Guardian's own sees the policies that may be about its agents, and not where
/// they are kept: `folder`, `error` and `would_have_changed` are null then, and `place` is left out.
#[utoipa::path(
    get, path = "/api/v1/policies", operation_id = "get_policies", tag = "policies",
    responses((status = 200, description = "The policies in force", body = InForce)),
)]
pub(super) async fn get(engine: App, caller: Caller) -> Result<Json<InForce>, Error> {
    caller.need(Permission::ReadPolicies)?;
    Ok(Json(policies::in_force(&engine, caller.org_id()).into()))
}

/// Puts other policies in force
///
/// All of them or none: where one is not valid, `details` says where, and the old ones stay.
#[utoipa::path(
    put, path = "/api/v1/policies", operation_id = "put_policies", tag = "policies",
    request_body = PutPolicies,
    responses(
        (status = 200, description = "The policies in force", body = InForce),
        Conflict, Unavailable,
    ),
)]
pub(super) async fn put(
    engine: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<InForce>, Error> {
    may_manage(&caller)?;
    let PutPolicies { files } = payload.json().await?;
    let files = files.into_iter().map(|File { name, text }| (name, text)).collect();
    let in_force = policies::put(&engine, files, &caller.key.id).await?;
    Ok(Json(in_force.into()))
}

/// Reads the policy folder again
///
/// The Guardian looks at the folder all the time; this does so now, and says whether its policies can be used.
#[utoipa::path(
    post, path = "/api/v1/policies/reload", operation_id = "reload_policies", tag = "policies",
    responses(
        (status = 200, description = "The policies in force", body = InForce),
        Conflict, Unavailable,
    ),
)]
pub(super) async fn reload(engine: App, caller: Caller) -> Result<Json<InForce>, Error> {
    may_manage(&caller)?;
    let in_force = policies::reload(&engine, &caller.key.id).await?;
    Ok(Json(in_force.into()))
}

/// Checks that the caller may manage the policies. They decide for every organisation, so only the Guardian's own may
/// change them.
fn may_manage(caller: &Caller) -> Result<(), Error> {
    caller.need(Permission::ManagePolicies)?;
    caller.need_own_organisation("the policies decide for every organisation")
}

impl From<policies::InForce> for InForce {
    fn from(now: policies::InForce) -> Self {
        let is_own = now.source.is_some();
        let (folder, trouble) = now.source.map(|source| (source.folder, source.trouble)).unzip();
        let described = |policy: Described| Policy::new(policy, is_own);
        Self {
            source: now.origin.as_str(),
            folder: folder.flatten().map(|folder| folder.display().to_string()),
            sha256: now.sha256,
            loaded_at: now.since,
            policies: now.policies.into_iter().map(described).collect(),
            error: trouble.flatten().map(|trouble| Unusable {
                message: trouble.error.to_string(),
                since: trouble.at,
                file: trouble.error.file().to_owned(),
                line: trouble.error.line(),
                column: trouble.error.column(),
            }),
        }
    }
}

impl Policy {
    /// Returns what a caller sees of a policy. Only the Guardian's own organisation sees where it is kept and what it
    /// did.
    fn new(described: Described, is_own: bool) -> Self {
        let Described { about, would_have_changed } = described;
        Self {
            id: about.id,
            place: is_own.then_some(about.place),
            effect: if about.permits { "permit" } else { "forbid" },
            reason: about.reason,
            elevate: about.terms.map(|terms| Elevate {
                quorum: terms.quorum,
                window_seconds: terms.window.unwrap_or(DEFAULT_WINDOW).as_secs(),
                single_use: terms.single_use,
                pending_seconds: terms.pending.map(|pending| pending.as_secs()),
            }),
            limit: about.limit.map(|limit| Budget {
                most: limit.max_calls,
                within_seconds: limit.window.as_secs(),
                per: limit.per.as_str(),
            }),
            shadow: about.shadow,
            would_have_changed: would_have_changed.filter(|_| is_own),
        }
    }
}
