//! A destination, changed.

use super::checks::{Given, check_destination_name, check_endpoint, origin};
use super::{Destination, known, name_taken, put, stand, told};
use crate::domain::{DestinationKind, Error, Key};
use crate::engine::Engine;
use crate::store::DestinationRow;

/// The number of times that a change is planned before giving up on being first.
const PLANS_MOST: usize = 10;

/// An update of a destination; what is `None` stays as it is.
#[derive(Debug, Default)]
pub(crate) struct DestinationUpdate {
    pub(crate) name: Option<String>,
    /// The kind, which must be as it is: another kind is another destination.
    pub(crate) kind: Option<DestinationKind>,
    pub(crate) endpoint: Option<String>,
    pub(crate) is_active: Option<bool>,
    pub(crate) given: Given,
}

/// Changes a destination, and returns it as it is now. What it was owed it is owed still.
///
/// # Errors
///
/// Not found; invalid for what a destination could not be made with, and for another origin without the token; conflict
/// for a name that another one has, and where others keep changing it; unavailable as for [`create`](super::create).
pub(crate) async fn change(
    engine: &Engine,
    key: &Key,
    id: &str,
    wanted: DestinationUpdate,
) -> Result<Destination, Error> {
    for _ in 0..PLANS_MOST {
        let before = known(engine, key, id).await?;
        let mut row = before.clone();
        apply(engine, &mut row, &wanted)?;
        if is_as_before(&row, &before) {
            return Ok(stand(engine, before));
        }
        if row.name != before.name {
            ensure_free_name(engine, &row).await?;
        }
        row.updated_at = engine.clock.now();
        engine.ensure_auditable()?;
        if engine.store.update_destination(row.clone()).await? {
            engine.siem.changed(id);
            engine.record_audit(told("siem.destination_updated", &row, key)).await?;
            return Ok(stand(engine, row));
        }
    }
    Err(Error::conflict("others keep changing this SIEM destination; try again in a moment"))
}

async fn ensure_free_name(engine: &Engine, row: &DestinationRow) -> Result<(), Error> {
    let rows = engine.store.destinations(row.org_id.clone()).await?;
    match rows.iter().find(|other| other.name == row.name && other.id != row.id) {
        None => Ok(()),
        Some(other) => Err(name_taken(&row.name, &other.id)),
    }
}

fn apply(
    engine: &Engine,
    row: &mut DestinationRow,
    wanted: &DestinationUpdate,
) -> Result<(), Error> {
    if let Some(name) = &wanted.name {
        check_destination_name(name)?;
        row.name.clone_from(name);
    }
    if wanted.kind.is_some_and(|kind| kind != row.kind) {
        let problem = format!(
            "is {:?}, and what a destination is does not change; make another one",
            row.kind.as_str()
        );
        return Err(Error::invalid("destination_type", problem));
    }
    if let Some(endpoint) = &wanted.endpoint {
        check_endpoint(engine, row.kind, endpoint)?;
        let is_elsewhere = origin(row.kind, endpoint) != origin(row.kind, &row.endpoint);
        if is_elsewhere && row.secret.is_some() && wanted.given.secret.is_none() {
            // Who may change where it goes, and not who knows the token, would learn it there.
            return Err(Error::invalid(
                "auth_token",
                "is missing, and endpoint_url names another host or port than before, which the kept token was not \
                 given for; give the token for that one",
            ));
        }
        row.endpoint.clone_from(endpoint);
    }
    row.is_active = wanted.is_active.unwrap_or(row.is_active);
    put(engine, row, &wanted.given)
}

fn is_as_before(row: &DestinationRow, before: &DestinationRow) -> bool {
    let of = |row: &DestinationRow| {
        let numbers = (row.batch_size, row.flush_seconds, row.is_active, row.format);
        let texts = [Some(&row.name), Some(&row.endpoint), row.secret.as_ref()];
        (numbers, texts.map(Option::<&String>::cloned), row.event_types.clone())
    };
    of(row) == of(before)
}
