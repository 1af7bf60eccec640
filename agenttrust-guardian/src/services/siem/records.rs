//! What became of what was sent to a destination.

use super::known;
use crate::domain::{Error, Key, Span};
use crate::engine::Engine;
use crate::store::{SetAsideRow, SiemDeliveryRow};

/// Returns what became of the newest sendings, the newest first; and whether there are more.
///
/// # Errors
///
/// Not found.
pub(crate) async fn deliveries(
    engine: &Engine,
    key: &Key,
    id: &str,
    span: Span,
) -> Result<(Vec<SiemDeliveryRow>, bool), Error> {
    known(engine, key, id).await?;
    let (id, before) = (id.to_owned(), span.before.clone());
    let rows = engine.reading_store.siem_deliveries(id, before, span.looked_for()).await?;
    Ok(span.cut(rows))
}

/// Rows that were set aside, and how many of them are not kept any more.
#[derive(Debug)]
pub(crate) struct SetAside {
    /// The newest first.
    pub(crate) rows: Vec<SetAsideRow>,
    pub(crate) more: bool,
    pub(crate) dropped: i64,
}

/// Returns what a destination refused for good, or could not be sent.
///
/// # Errors
///
/// Not found.
pub(crate) async fn set_aside(
    engine: &Engine,
    key: &Key,
    id: &str,
    span: Span,
) -> Result<SetAside, Error> {
    let dropped = known(engine, key, id).await?.dropped;
    let (id, before) = (id.to_owned(), span.before.clone());
    let rows = engine.reading_store.siem_set_aside(id, before, span.looked_for()).await?;
    let (rows, more) = span.cut(rows);
    Ok(SetAside { rows, more, dropped })
}
