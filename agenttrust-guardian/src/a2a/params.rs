//! What is given to a method, member by member. One that is not known is skipped, as A2A has it, and told as such.

use agenttrust::Timestamp;
use serde_json::{Map, Value};

use crate::domain::names::check_name;
use crate::domain::numbers::{digits, whole};
use crate::domain::task::ParseError;

/// The members of an object, and where it stands.
#[derive(Debug)]
pub(super) struct Params {
    members: Map<String, Value>,
    /// The path before the name of a member, as in `configuration.`.
    at: String,
}

impl Params {
    pub(super) const fn new(members: Map<String, Value>) -> Self {
        Self { members, at: String::new() }
    }

    /// Returns the names of what is left: what nothing was read of.
    pub(super) fn left(&self) -> impl Iterator<Item = String> {
        self.members.keys().map(|member| format!("{}{member}", self.at))
    }

    /// Returns what is wrong with a member.
    pub(super) fn wrong(&self, member: &str, problem: impl AsRef<str>) -> ParseError {
        ParseError::of(&format!("{}{member}", self.at), problem)
    }

    /// Returns a member that is there.
    pub(super) fn take(&mut self, member: &str) -> Option<Value> {
        self.members.remove(member).filter(|value| !value.is_null())
    }

    /// Returns a member that must be there.
    pub(super) fn need(&mut self, member: &str) -> Result<Value, ParseError> {
        self.take(member).ok_or_else(|| self.wrong(member, "is missing; give it a value"))
    }

    /// Returns a text; absent and empty are the same, as proto3 has it.
    pub(super) fn text(&mut self, member: &str) -> Result<Option<String>, ParseError> {
        match self.take(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(_) => Err(self.wrong(member, "is no text")),
        }
    }

    /// Returns an id; absent and empty are the same.
    pub(super) fn id(&mut self, member: &str) -> Result<Option<String>, ParseError> {
        let Some(id) = self.text(member)? else { return Ok(None) };
        let field = format!("{}{member}", self.at);
        match check_name(&field, &id) {
            Ok(()) => Ok(Some(id)),
            // The sentence begins with the field.
            Err(error) => {
                let problem = error.message().trim_start_matches(&field).trim_start().to_owned();
                Err(ParseError::of(&field, problem))
            }
        }
    }

    /// Returns an id that must be there.
    pub(super) fn need_id(&mut self, member: &str) -> Result<String, ParseError> {
        self.id(member)?.ok_or_else(|| self.wrong(member, "is missing; give it a value"))
    }

    /// Returns a yes or no; absent is no answer.
    pub(super) fn truth(&mut self, member: &str) -> Result<Option<bool>, ParseError> {
        match self.take(member) {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(truth)),
            Some(_) => Err(self.wrong(member, "is neither true nor false")),
        }
    }

    /// Returns a number from nothing up. As proto3 takes it: also as a text, and with a fraction of zero.
    pub(super) fn count(&mut self, member: &str) -> Result<Option<usize>, ParseError> {
        let Some(value) = self.take(member) else { return Ok(None) };
        let number = match value {
            Value::String(text) => digits(&text),
            number => whole::<_, u64>(number).ok(),
        };
        let fits = number.and_then(|number| i32::try_from(number).ok());
        match fits.and_then(|number| usize::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(member, "is no whole number from 0 to 2147483647")),
        }
    }

    /// Returns a point in time.
    pub(super) fn time(&mut self, member: &str) -> Result<Option<Timestamp>, ParseError> {
        let Some(text) = self.text(member)? else { return Ok(None) };
        let time = text.parse().map_err(|_| {
            self.wrong(member, "is no point in time; write it as 2026-01-02T03:04:05Z")
        })?;
        Ok(Some(time))
    }

    /// Returns a list of texts.
    pub(super) fn texts(&mut self, member: &str) -> Result<Vec<String>, ParseError> {
        let list = match self.take(member) {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(self.wrong(member, "is no list")),
        };
        let text = |item| match item {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong(member, "holds something that is no text")),
        };
        list.into_iter().map(text).collect()
    }

    /// Returns what may hold anything.
    pub(super) fn map(&mut self, member: &str) -> Result<Map<String, Value>, ParseError> {
        match self.take(member) {
            None => Ok(Map::new()),
            Some(Value::Object(members)) => Ok(members),
            Some(_) => Err(self.wrong(member, "is no object")),
        }
    }

    /// Returns an object in it.
    pub(super) fn inner(&mut self, member: &str) -> Result<Option<Self>, ParseError> {
        match self.take(member) {
            None => Ok(None),
            Some(Value::Object(members)) => {
                Ok(Some(Self { members, at: format!("{}{member}.", self.at) }))
            }
            Some(_) => Err(self.wrong(member, "is no object")),
        }
    }
}
