//! What became of what was sent to a destination.

use super::known;
use crate::domain::{Error, Key};
use crate::engine::Engine;
use crate::store::{SetAsideRow, SiemDeliveryRow};

/// Where in a list of records to begin, and how many to show.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    /// The record behind which it begins.
    pub(crate) before: Option<String>,
    pub(crate) limit: usize,
}

impl Span {
    /// One more tells whether there are more.
    fn looked_for(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX).saturating_add(1)
    }

    fn cut<T>(&self, mut rows: Vec<T>) -> (Vec<T>, bool) {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        (rows, more)
    }
}

/// What became of the newest sendings, the newest first; and whether there are more.
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

/// What a destination refused for good, or could not be sent.
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
