//! Pages of a list that is ordered by when things were made, newest first: how many, from where, and what to
//! send for the next. A place names a thing of its own list, so that one of another list is no place here.

use agenttrust::Timestamp;

use super::params::Params;
use crate::domain::names::check_name;
use crate::domain::{Error, Span};
use crate::store::Place;

/// The largest number of entries that one answer lists, and the number unless the caller asks for another one.
const LISTED_MOST: usize = 1_000;
/// The same for records of what became of a sending.
const RECORDS_MOST: usize = 200;

/// The end of the sentence about a cursor that is another list's, or made up.
pub(super) const NOT_OF_THIS_LIST: &str = "is nothing that an answer of this list said as next";

/// The page that a caller asks for.
#[derive(Debug)]
pub(super) struct Paging {
    limit: usize,
    /// The place in the list behind which the page begins.
    pub(super) after: Option<Place>,
}

impl Paging {
    /// Reads `limit` and `before`, of a list of things whose ids begin with `prefix`.
    pub(super) fn from_params(params: &Params, prefix: &str) -> Result<Self, Error> {
        let limit = limit(params, LISTED_MOST)?;
        let after = params.text("before").map(|cursor| place(cursor, prefix)).transpose()?;
        Ok(Self { limit, after })
    }

    /// Returns how many to look for: one more tells whether there are more.
    pub(super) fn looked_for(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// Cuts what was found to the page; returns what to send as `before` for the next one, if there is one.
    pub(super) fn cut<T>(
        &self,
        found: &mut Vec<T>,
        place: impl Fn(&T) -> (Option<Timestamp>, &str),
    ) -> Option<String> {
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        let (at, id) = found.last().filter(|_| more).map(place)?;
        at.map(|at| format!("{}.{id}", at.unix_micros()))
    }
}

/// Reads `before` and `limit`, of a list of records whose ids begin with `prefix` and say when they came.
pub(super) fn span(params: &Params, prefix: &str) -> Result<Span, Error> {
    let before = params.name("before")?.map(str::to_owned);
    if before.as_ref().is_some_and(|cursor| !cursor.starts_with(prefix)) {
        return Err(Error::invalid("before", NOT_OF_THIS_LIST));
    }
    Ok(Span { before, limit: limit(params, RECORDS_MOST)? })
}

fn limit(params: &Params, most: usize) -> Result<usize, Error> {
    let limit = params.number("limit")?.unwrap_or(most);
    match (1..=most).contains(&limit) {
        true => Ok(limit),
        false => Err(Error::invalid("limit", format!("is {limit}; use 1 to {most}"))),
    }
}

/// Returns the place that an answer said as `next`.
fn place(cursor: &str, prefix: &str) -> Result<Place, Error> {
    let read = || {
        let (at, id) = cursor.split_once('.')?;
        check_name("before", id).ok()?;
        let created_at = Timestamp::from_unix_micros(at.parse().ok()?)?;
        id.starts_with(prefix).then(|| Place { created_at, id: id.to_owned() })
    };
    read().ok_or_else(|| Error::invalid("before", NOT_OF_THIS_LIST))
}
