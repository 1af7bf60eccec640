//! The policies: which are in force, and putting others in their place.

use axum::Json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Caller;
use super::body::Payload;
use super::{ApiError, App};
use crate::names::check_name;
use crate::policies::Report;
use crate::policy::{About, DEFAULT_WINDOW, PolicyError};
use crate::role::Permission;
use crate::state::{DEFAULT_ORG, State};

/// How many files a set may be sent in.
const FILES_MOST: usize = 256;

/// The body of `PUT /api/v1/policies`.
#[derive(Debug, Deserialize)]
pub(super) struct PutPolicies {
    files: Vec<File>,
}

#[derive(Debug, Deserialize)]
struct File {
    name: String,
    text: String,
}

/// `GET /api/v1/policies`.
pub(super) async fn get(state: App, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.need(Permission::ReadPolicies)?;
    Ok(Json(in_force(&state)))
}

/// `PUT /api/v1/policies`: another set, all of it or nothing.
pub(super) async fn put(
    state: App,
    caller: Caller,
    payload: Payload,
) -> Result<Json<Value>, ApiError> {
    may_manage(&caller)?;
    let PutPolicies { files } = payload.json().await?;
    if let Some(folder) = state.policies.folder() {
        return Err(ApiError::conflict(format!(
            "the policies are read from the folder {}, so they are changed there; \
             a Guardian that was started without one takes them here",
            folder.display()
        )));
    }
    let files = checked(files)?;
    state.ready_to_change()?;
    state.put_policies(files, &caller.key.id).await?;
    Ok(Json(in_force(&state)))
}

/// `POST /api/v1/policies/reload`: reads the folder now, and not a moment later.
pub(super) async fn reload(state: App, caller: Caller) -> Result<Json<Value>, ApiError> {
    may_manage(&caller)?;
    let Some(folder) = state.policies.folder() else {
        return Err(ApiError::conflict(
            "the policies are not read from a folder; send others with PUT /api/v1/policies",
        ));
    };
    state.ready_to_change()?;
    state.reload_policies(folder, &caller.key.id).await?;
    Ok(Json(in_force(&state)))
}

/// The policies decide for every organisation, so those who manage them are of the Guardian's own.
fn may_manage(caller: &Caller) -> Result<(), ApiError> {
    caller.need(Permission::ManagePolicies)?;
    if caller.org_id() == DEFAULT_ORG {
        return Ok(());
    }
    Err(ApiError::forbidden(format!(
        "the policies decide for every organisation; use an admin key of {DEFAULT_ORG:?}"
    )))
}

fn checked(files: Vec<File>) -> Result<Vec<(String, String)>, ApiError> {
    if files.len() > FILES_MOST {
        let many = format!("has {} entries; {FILES_MOST} is the most", files.len());
        return Err(ApiError::invalid("files", many));
    }
    let mut names = std::collections::BTreeSet::new();
    for (place, File { name, .. }) in files.iter().enumerate() {
        let field = format!("files[{place}].name");
        check_name(&field, name)?;
        if name.starts_with('.') || !name.ends_with(".cedar") || name.contains(['/', '\\']) {
            let odd = format!("is {name:?}; give each file a plain name such as \"tools.cedar\"");
            return Err(ApiError::invalid(&field, odd));
        }
        if !names.insert(name) {
            let twice = format!("is {name:?}, which another file has; give each its own");
            return Err(ApiError::invalid(&field, twice));
        }
    }
    if files.is_empty() {
        return Err(ApiError::invalid(
            "files",
            "is empty, so everything would be denied; send at least one policy",
        ));
    }
    Ok(files.into_iter().map(|File { name, text }| (name, text)).collect())
}

fn in_force(state: &State) -> Value {
    let Report { set, origin, since, trouble, changed } = state.policies.report();
    let policies: Vec<Value> =
        set.list().iter().map(|about| policy(about, changed.get(&about.id).copied())).collect();
    json!({
        "source": origin.as_str(),
        "folder": state.policies.folder().map(|folder| folder.display().to_string()),
        "sha256": set.sha256(),
        "loaded_at": since,
        "policies": policies,
        "error": trouble.map(|trouble| {
            let mut error = place(&trouble.error);
            if let Some(error) = error.as_object_mut() {
                error.insert("message".to_owned(), json!(trouble.error.to_string()));
                error.insert("since".to_owned(), json!(trouble.at));
            }
            error
        }),
    })
}

fn policy(about: &About, would_have_changed: Option<u64>) -> Value {
    let About { id, place, permits, reason, terms, limit, shadow } = about;
    json!({
        "id": id,
        "place": place,
        "effect": if *permits { "permit" } else { "forbid" },
        "reason": reason,
        "elevate": terms.map(|terms| json!({
            "quorum": terms.quorum,
            "window_seconds": terms.window.unwrap_or(DEFAULT_WINDOW).as_secs(),
            "single_use": terms.single_use,
        })),
        "limit": limit.as_ref().map(|limit| json!({
            "most": limit.most,
            "within_seconds": limit.within.as_secs(),
            "per": limit.per.as_str(),
        })),
        "shadow": shadow,
        "would_have_changed": would_have_changed,
    })
}

/// Where the fault is, for programs.
pub(super) fn place(error: &PolicyError) -> Value {
    json!({ "file": error.file(), "line": error.line(), "column": error.column() })
}
