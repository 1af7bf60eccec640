//! The policies: those in force, as an organisation sees them, and putting others in their place.

use std::cell::LazyCell;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agenttrust::Timestamp;

use crate::domain::names::check_name;
use crate::domain::{DEFAULT_ORG, Error};
use crate::engine::Engine;
use crate::engine::policies::{Origin, Report, Trouble};
use crate::policy::{About, PrincipalScope};

/// The number of files that a set may be sent in.
const FILES_MOST: usize = 256;

/// The policies in force, as they are described.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) origin: Origin,
    /// The digest of the set: the same policies have the same one.
    pub(crate) sha256: String,
    pub(crate) since: Timestamp,
    pub(crate) policies: Vec<Described>,
    /// The place of the policies, which only the Guardian's own organisation sees.
    pub(crate) source: Option<PolicySource>,
}

/// The place that the policies come from, and what is wrong there.
#[derive(Debug)]
pub(crate) struct PolicySource {
    /// The folder that they are read from.
    pub(crate) folder: Option<PathBuf>,
    /// The reason why a newer set is not in force.
    pub(crate) trouble: Option<Trouble>,
}

/// A policy, as it is described.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) about: About,
    /// The number of decisions that a shadow policy would have changed, since the Guardian started, whosever they
    /// were.
    pub(crate) would_have_changed: Option<u64>,
}

/// Describes the policies in force to an organisation: all of them to the Guardian's own, and to every other those
/// that may be about its agents.
pub(crate) fn in_force(engine: &Engine, org_id: &str) -> InForce {
    let Report { set, origin, since, trouble, changed } = engine.policies.report();
    let is_own = org_id == DEFAULT_ORG;
    // Once for all policies: there may be many of both.
    let groups = LazyCell::new(|| groups_of(engine, org_id));
    let may_be_about = |principal: &PrincipalScope| match principal {
        PrincipalScope::Agent(id) => engine.registry.agents.get(org_id, id).is_some(),
        PrincipalScope::Group(group) => groups.contains(group),
        PrincipalScope::Organisation(id) => id == org_id,
    };
    let seen = set
        .list_with_principals()
        .filter(|(_, principal)| is_own || principal.is_none_or(may_be_about));
    let described = |(about, _): (&About, _)| Described {
        about: about.clone(),
        would_have_changed: changed.get(&about.id).copied(),
    };
    let folder = engine.policies.folder().map(Path::to_path_buf);
    InForce {
        origin,
        sha256: set.sha256().to_owned(),
        since,
        policies: seen.map(described).collect(),
        source: is_own.then_some(PolicySource { folder, trouble }),
    }
}

/// Returns the groups that the agents of an organisation are in.
fn groups_of(engine: &Engine, org_id: &str) -> HashSet<String> {
    let agents = engine.registry.agents.list(org_id);
    agents.iter().flat_map(|agent| agent.groups.iter().cloned()).collect()
}

/// Puts other policies in force, given as the names and texts of their files; returns what is in force then.
///
/// # Errors
///
/// Conflict where a folder or the program that holds the Guardian gives them, invalid for files that make no
/// set; unavailable where the database or the audit cannot be written.
pub(crate) async fn put(
    engine: &Arc<Engine>,
    files: Vec<(String, String)>,
    actor: &str,
) -> Result<InForce, Error> {
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
    check_files(&files)?;
    // Not by `change`: the audit tells of a set before it is in force, and not after.
    engine.ensure_auditable()?;
    engine.put_policies(files, actor).await?;
    Ok(in_force(engine, DEFAULT_ORG))
}

/// Reads the policy folder again; returns what is in force then.
///
/// # Errors
///
/// Conflict where there is no folder, and where it is being written to or cannot be used; unavailable where
/// the database or the audit cannot be written.
pub(crate) async fn reload(engine: &Arc<Engine>, actor: &str) -> Result<InForce, Error> {
    let Some(folder) = engine.policies.folder() else {
        return Err(Error::conflict(
            "the policies are not read from a folder; send others with PUT /api/v1/policies",
        ));
    };
    // Not by `change`, as in `put`.
    engine.ensure_auditable()?;
    engine.reload_policies(folder, actor).await?;
    Ok(in_force(engine, DEFAULT_ORG))
}

/// Refuses files that make no set, as far as their names and their number tell.
fn check_files(files: &[(String, String)]) -> Result<(), Error> {
    if files.len() > FILES_MOST {
        let many = format!("has {} entries; {FILES_MOST} is the most", files.len());
        return Err(Error::invalid("files", many));
    }
    let mut names = BTreeSet::new();
    for (place, (name, _)) in files.iter().enumerate() {
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
    Ok(())
}
