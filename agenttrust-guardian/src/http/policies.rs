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
use crate::domain::Error;
use crate::domain::names::check_name;
use crate::domain::{DEFAULT_ORG, Permission};
use crate::engine::Engine;
use crate::engine::policies::Report;
use crate::policy::{About, DEFAULT_WINDOW};

/// How many files a set may be sent in.
const FILES_MOST: usize = 256;

/// The body of `PUT /api/v1/policies`.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct PutPolicies {
    #[schema(min_items = 1, max_items = 256)]
    files: Vec<File>,
}

/// One file of policies.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PolicyFile)]
struct File {
    /// Such as `tools.cedar`; errors and policies without an `@id` speak of it.
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
    /// Of the set: the same policies have the same.
    sha256: String,
    loaded_at: Timestamp,
    policies: Vec<Policy>,
    /// Why another set is not in force.
    #[schema(required = true)]
    error: Option<Unusable>,
}

/// One policy.
#[derive(Debug, Serialize, ToSchema)]
struct Policy {
    id: String,
    place: String,
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
    /// How often a shadow policy would have changed a decision, since the Guardian started.
    #[schema(required = true)]
    would_have_changed: Option<u64>,
}

/// What an approval takes.
#[derive(Debug, Serialize, ToSchema)]
struct Elevate {
    quorum: u32,
    window_seconds: u64,
    single_use: bool,
}

/// How often a policy permits.
#[derive(Debug, Serialize, ToSchema)]
struct Budget {
    most: u32,
    within_seconds: u64,
    /// `agent` or `session`.
    #[schema(value_type = String)]
    per: &'static str,
}

/// Why a set is not in force.
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

/// Read the policies in force
#[utoipa::path(
    get, path = "/api/v1/policies", operation_id = "get_policies", tag = "policies",
    responses((status = 200, description = "The policies in force", body = InForce)),
)]
pub(super) async fn get(engine: App, caller: Caller) -> Result<Json<InForce>, Error> {
    caller.need(Permission::ReadPolicies)?;
    Ok(Json(in_force(&engine)))
}

/// Put other policies in force
///
/// All of them or nothing: where one is not valid, `details` says where, and the old ones stay.
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
    if let Some(folder) = engine.policies.folder() {
        return Err(Error::conflict(format!(
            "the policies are read from the folder {}, so they are changed there; \
             a Guardian that was started without one takes them here",
            folder.display()
        )));
    }
    if engine.policies.is_programs() {
        return Err(Error::conflict(
            "the policies are given by the program that holds this Guardian, so they are changed there",
        ));
    }
    let files = checked(files)?;
    engine.ensure_auditable()?;
    engine.put_policies(files, &caller.key.id).await?;
    Ok(Json(in_force(&engine)))
}

/// Read the policy folder again
///
/// It is looked at all the time; this does so now, and says whether it can be used.
#[utoipa::path(
    post, path = "/api/v1/policies/reload", operation_id = "reload_policies", tag = "policies",
    responses(
        (status = 200, description = "The policies in force", body = InForce),
        Conflict, Unavailable,
    ),
)]
pub(super) async fn reload(engine: App, caller: Caller) -> Result<Json<InForce>, Error> {
    may_manage(&caller)?;
    let Some(folder) = engine.policies.folder() else {
        return Err(Error::conflict(
            "the policies are not read from a folder; send others with PUT /api/v1/policies",
        ));
    };
    engine.ensure_auditable()?;
    engine.reload_policies(folder, &caller.key.id).await?;
    Ok(Json(in_force(&engine)))
}

/// The policies decide for every organisation, so those who manage them are of the Guardian's own.
fn may_manage(caller: &Caller) -> Result<(), Error> {
    caller.need(Permission::ManagePolicies)?;
    if caller.org_id() == DEFAULT_ORG {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "the policies decide for every organisation; use an admin key of {DEFAULT_ORG:?}"
    )))
}

fn checked(files: Vec<File>) -> Result<Vec<(String, String)>, Error> {
    if files.len() > FILES_MOST {
        let many = format!("has {} entries; {FILES_MOST} is the most", files.len());
        return Err(Error::invalid("files", many));
    }
    let mut names = std::collections::BTreeSet::new();
    for (place, File { name, .. }) in files.iter().enumerate() {
        let field = format!("files[{place}].name");
        check_name(&field, name)?;
        if name.starts_with('.') || !name.ends_with(".cedar") || name.contains(['/', '\\']) {
            let odd = format!("is {name:?}; give each file a plain name such as \"tools.cedar\"");
            return Err(Error::invalid(&field, odd));
        }
        if !names.insert(name) {
            let twice = format!("is {name:?}, which another file has; give each its own");
            return Err(Error::invalid(&field, twice));
        }
    }
    if files.is_empty() {
        return Err(Error::invalid(
            "files",
            "is empty, so everything would be denied; send at least one policy",
        ));
    }
    Ok(files.into_iter().map(|File { name, text }| (name, text)).collect())
}

fn in_force(engine: &Engine) -> InForce {
    let Report { set, origin, since, trouble, changed } = engine.policies.report();
    let policies = set.list().iter().map(|about| Policy {
        would_have_changed: changed.get(&about.id).copied(),
        ..Policy::from(about)
    });
    InForce {
        source: origin.as_str(),
        folder: engine.policies.folder().map(|folder| folder.display().to_string()),
        sha256: set.sha256().to_string(),
        loaded_at: since,
        policies: policies.collect(),
        error: trouble.map(|trouble| Unusable {
            message: trouble.error.to_string(),
            since: trouble.at,
            file: trouble.error.file().to_owned(),
            line: trouble.error.line(),
            column: trouble.error.column(),
        }),
    }
}

impl From<&About> for Policy {
    fn from(about: &About) -> Self {
        Self {
            id: about.id.clone(),
            place: about.place.clone(),
            effect: if about.permits { "permit" } else { "forbid" },
            reason: about.reason.clone(),
            elevate: about.terms.map(|terms| Elevate {
                quorum: terms.quorum,
                window_seconds: terms.window.unwrap_or(DEFAULT_WINDOW).as_secs(),
                single_use: terms.single_use,
            }),
            limit: about.limit.as_ref().map(|limit| Budget {
                most: limit.most,
                within_seconds: limit.within.as_secs(),
                per: limit.per.as_str(),
            }),
            shadow: about.shadow,
            would_have_changed: None,
        }
    }
}
