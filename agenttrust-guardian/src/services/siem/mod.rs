//! SIEM destinations: made, listed, changed, sent back and removed, and what became of what was sent to them.

mod changes;
mod checks;
mod records;
mod trial;

use std::future::Future;
use std::time::Duration;

use agenttrust::{Timestamp, background};
use serde_json::json;

pub(crate) use self::changes::{DestinationUpdate, change};
pub(crate) use self::checks::{Given, origin, warning};
use self::checks::{
    check_batch, check_destination_name, check_endpoint, check_filter, check_flush,
    check_has_secret, check_owner, check_secret,
};
pub(crate) use self::records::{deliveries, set_aside};
pub(crate) use self::trial::test;
use crate::audit::{self, AuditError, Record};
use crate::domain::{DestinationKind, Error, EventFormat, Key, ids};
use crate::engine::Engine;
use crate::store::{DESTINATIONS_MOST, DestinationInsert, DestinationRow, SecretOf};

/// The number of events that are sent at once by default.
const BATCH_SIZE: i64 = 100;
/// The longest time that an event waits by default, in seconds.
const FLUSH_SECONDS: i64 = 30;
/// The time that the audit may take to say where its logs are.
const AUDIT_READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A destination that is to be made.
#[derive(Debug)]
pub(crate) struct NewDestination {
    pub(crate) name: String,
    pub(crate) kind: DestinationKind,
    pub(crate) endpoint: String,
    pub(crate) given: Given,
}

/// A destination, and how it stands.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) row: DestinationRow,
    /// The age of the oldest event that is not sent yet; `None` where this Guardian does not send to it.
    pub(crate) lag: Option<Duration>,
}

/// Makes a destination, which is owed what the audit says from now on.
///
/// # Errors
///
/// Invalid for what no destination can be made with; conflict for a name that another one has; forbidden for a file of
/// an organisation that only lives here; too many where the organisation has as many as it may have; unavailable where
/// the database or the audit does not answer, and where there is no key to seal a token by.
pub(crate) async fn create(
    engine: &Engine,
    key: &Key,
    new: NewDestination,
) -> Result<Destination, Error> {
    check_owner(new.kind, key)?;
    check_destination_name(&new.name)?;
    check_endpoint(engine, new.kind, &new.endpoint)?;
    let NewDestination { name, kind, endpoint, given } = new;
    let (id, now) = (ids::new(ids::DESTINATION_PREFIX), engine.clock.now());
    let mut row = DestinationRow {
        id,
        org_id: key.org_id.clone(),
        name,
        kind,
        format: EventFormat::default(),
        endpoint,
        secret: None,
        batch_size: BATCH_SIZE,
        flush_seconds: FLUSH_SECONDS,
        event_types: Vec::new(),
        is_active: true,
        epoch: 1,
        created_by: key.id.clone(),
        created_at: now,
        updated_at: now,
        next_at: now,
        attempts: 0,
        failing_since: None,
        last_error: None,
        last_status: None,
        dropped: 0,
    };
    put(engine, &mut row, &given)?;
    check_has_secret(&row)?;
    let heads = async { audit::heads(&engine.reading_store.db()).await };
    let heads = of_audit(engine, heads).await?;
    let stored = async {
        match engine.store.insert_destination(row.clone(), heads).await? {
            DestinationInsert::Inserted => Ok(()),
            DestinationInsert::NameTaken(by) => Err(name_taken(&row.name, &by)),
            DestinationInsert::TooMany => Err(Error::too_many(format!(
                "this organisation has {DESTINATIONS_MOST} SIEM destinations, which is the most; remove one first"
            ))),
        }
    };
    let record = |_: &()| told("siem.destination_created", &row, key);
    engine.change(stored, record).await?;
    engine.siem.changed(&row.id);
    Ok(stand(engine, row))
}

/// Returns the refusal of a name that another destination of the organisation has: who names one by it would not know
/// which is meant.
fn name_taken(name: &str, by: &str) -> Error {
    Error::conflict(format!(
        "name is {name:?}, which SIEM destination {by} has already; give another name, or change that one"
    ))
    .with(json!({ "field": "name", "destination_id": by }))
}

/// Writes what is given into a row.
fn put(engine: &Engine, row: &mut DestinationRow, given: &Given) -> Result<(), Error> {
    if let Some(secret) = &given.secret {
        check_secret(row.kind, secret)?;
        let about = SecretOf::SiemDestination.about(&row.id);
        row.secret = Some(engine.sealer.seal(&about, secret)?);
    }
    if let Some(size) = given.batch_size {
        row.batch_size = check_batch(size)?;
    }
    if let Some(seconds) = given.flush_seconds {
        row.flush_seconds = check_flush(seconds)?;
    }
    if let Some(words) = &given.event_types {
        check_filter(words)?;
        row.event_types.clone_from(words);
    }
    row.format = given.format.unwrap_or(row.format);
    Ok(())
}

/// Returns what the audit says of a destination as it is now. Not the path: it may be as good as a password.
fn told(kind: &'static str, row: &DestinationRow, key: &Key) -> Record {
    Record::new(kind, &row.org_id).actor(&key.id).body(json!({
        "destination_id": row.id,
        "name": row.name,
        "destination_type": row.kind,
        "origin": origin(row.kind, &row.endpoint),
        "auth_token": row.secret.is_some(),
        "is_active": row.is_active,
        "batch_size": row.batch_size,
        "flush_interval_seconds": row.flush_seconds,
        "filter_event_types": row.event_types,
        "format": row.format,
    }))
}

/// Records in the audit that a caller with the permission was refused, and what it named; waits for nothing.
pub(crate) fn refused(engine: &Engine, key: &Key, error: &Error, named: &[(&str, &str)]) {
    engine.refused_request("siem.destination_refused", key, error, named);
}

fn stand(engine: &Engine, row: DestinationRow) -> Destination {
    Destination { lag: engine.siem.lag(&row.id, engine.clock.now()), row }
}

fn unknown(id: &str) -> Error {
    Error::unknown("SIEM destination", id)
}

/// Waits for the audit, for as long as a database may take.
async fn of_audit<T>(
    engine: &Engine,
    asked: impl Future<Output = Result<T, AuditError>>,
) -> Result<T, Error> {
    let asked = async {
        let _place = engine.reading_store.place().await;
        asked.await
    };
    let silent = || Error::unavailable("the audit log did not answer in time; try again later");
    let answered = background::timeout(AUDIT_READ_TIMEOUT, std::pin::pin!(asked)).await;
    answered.map_err(|_| silent())?.map_err(|error| {
        tracing::warn!(%error, "the audit log could not be read for a SIEM destination");
        Error::unavailable("the audit log cannot be read; try again later")
    })
}

/// Returns the destinations of the organisation, the oldest first.
///
/// # Errors
///
/// Those of the database.
pub(crate) async fn list(engine: &Engine, key: &Key) -> Result<Vec<Destination>, Error> {
    let rows = engine.reading_store.destinations(key.org_id.clone()).await?;
    Ok(rows.into_iter().map(|row| stand(engine, row)).collect())
}

/// Returns the destination of this id, if it is of this organisation.
///
/// # Errors
///
/// Not found.
pub(crate) async fn get(engine: &Engine, key: &Key, id: &str) -> Result<Destination, Error> {
    Ok(stand(engine, known(engine, key, id).await?))
}

async fn known(engine: &Engine, key: &Key, id: &str) -> Result<DestinationRow, Error> {
    let row = engine.reading_store.destination(id.to_owned()).await?;
    row.filter(|row| row.org_id == key.org_id).ok_or_else(|| unknown(id))
}

/// Sends a destination back: what the audit says since `since` it is sent once more, beside what it is owed. Returns it
/// as it is now.
///
/// # Errors
///
/// Not found; invalid for a time to come; unavailable where the database or the audit does not answer.
pub(crate) async fn replay(
    engine: &Engine,
    key: &Key,
    id: &str,
    since: Timestamp,
) -> Result<Destination, Error> {
    let now = engine.clock.now();
    if since > now {
        let problem = format!("is {since}, which is to come; give a time that is past");
        return Err(Error::invalid("since", problem));
    }
    let row = known(engine, key, id).await?;
    let at = format!("{since:.6}");
    let before = async { audit::before(&engine.reading_store.db(), &at).await };
    let before = of_audit(engine, before).await?;
    let about = json!({ "destination_id": id, "name": row.name, "since": at });
    let sent_back = async {
        let of = (id.to_owned(), key.org_id.clone());
        match engine.store.replay_destination(of, before, now).await? {
            true => Ok(()),
            false => Err(unknown(id)),
        }
    };
    let record =
        |_: &()| Record::new("siem.destination_replayed", &key.org_id).actor(&key.id).body(about);
    engine.change(sent_back, record).await?;
    engine.siem.changed(id);
    get(engine, key, id).await
}

/// Removes a destination; what it was owed it is not sent any more.
///
/// # Errors
///
/// Not found; unavailable where the database or the audit does not answer.
pub(crate) async fn remove(engine: &Engine, key: &Key, id: &str) -> Result<(), Error> {
    let row = known(engine, key, id).await?;
    let removed = async {
        match engine.store.delete_destination(id.to_owned(), key.org_id.clone()).await? {
            true => Ok(()),
            false => Err(unknown(id)),
        }
    };
    let about = json!({ "destination_id": id, "name": row.name, "destination_type": row.kind });
    let record =
        |_: &()| Record::new("siem.destination_removed", &key.org_id).actor(&key.id).body(about);
    engine.change(removed, record).await?;
    engine.siem.changed(id);
    Ok(())
}
