//! Bodies of AuthZEN: an object of JSON that can be read in one way only. What AuthZEN does not know is skipped, as it
//! demands; what it knows must be as it says.

use agenttrust::internal::dpop::is_unambiguous;
use agenttrust::model::AGENT_SUBJECT;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value, json};

use super::super::auth::Caller;
use super::super::body::Payload;
use super::super::ignored::printable;
use super::super::params::header;
use crate::domain::names::{check_input, check_name};
use crate::domain::{Error, ErrorKind, Permission};
use crate::services::access::Evaluation;

/// The greatest length of the id of a subject or a resource, in bytes.
const ID_MAX_BYTES: usize = 1_024;
/// The types of subjects that an agent acts for.
const PEOPLE: [&str; 2] = ["user", "identity"];

/// Returns a body as an object.
pub(super) async fn object(
    headers: &HeaderMap,
    payload: Payload,
) -> Result<Map<String, Value>, Error> {
    need_json(headers)?;
    read(&payload.raw().await?)
}

/// Returns the same; one that is empty has no members.
pub(super) async fn object_or_empty(
    headers: &HeaderMap,
    payload: Payload,
) -> Result<Map<String, Value>, Error> {
    let bytes = payload.raw().await?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    need_json(headers)?;
    read(&bytes)
}

fn need_json(headers: &HeaderMap) -> Result<(), Error> {
    let said = header(headers, CONTENT_TYPE.as_str())?.unwrap_or_default();
    let media_type = said.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Error::invalid("Content-Type", "is not application/json; send the body as that"))
}

fn read(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::invalid("body", "is not JSON: it is not UTF-8"))?;
    let value: Value = serde_json::from_str(text).map_err(|error| {
        Error::invalid("body", format!("is not JSON: {}", printable(&error.to_string())))
    })?;
    let Value::Object(members) = value else {
        return Err(Error::invalid("body", "is not as it must be: expected an object"));
    };
    if !is_unambiguous(bytes) {
        let twice = "says a member twice, of which readers take one or the other; say each once";
        return Err(Error::invalid("body", twice));
    }
    Ok(members)
}

/// Returns a member of an object, where it is there and not `null`.
pub(super) fn member<'m>(of: &'m Map<String, Value>, name: &str) -> Option<&'m Value> {
    of.get(name).filter(|value| !value.is_null())
}

/// Returns a member that is an object.
pub(super) fn object_in<'m>(
    of: &'m Map<String, Value>,
    (at, name): (&str, &str),
) -> Result<Option<&'m Map<String, Value>>, Error> {
    match member(of, name) {
        None => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(_) => Err(wrong(at, name, "an object")),
    }
}

/// Returns a member that is a text.
pub(super) fn text_in<'m>(
    of: &'m Map<String, Value>,
    (at, name): (&str, &str),
) -> Result<Option<&'m str>, Error> {
    match member(of, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(at, name, "a text")),
    }
}

pub(super) fn wrong(at: &str, name: &str, wanted: &str) -> Error {
    Error::invalid(&format!("{at}{name}"), format!("is not as it must be: expected {wanted}"))
}

/// Returns what is said where these are missing, all of them at once.
pub(super) fn missing(names: &[String]) -> Error {
    match names {
        [others @ .., first, last] => {
            let others: String = others.iter().map(|name| format!("{name}, ")).collect();
            let all = format!("{others}{first} and {last} are missing; give each a value");
            Error::new(ErrorKind::Invalid, all).with(json!({ "field": names.first() }))
        }
        names => Error::invalid(&names.concat(), "is missing; give it a value"),
    }
}

/// Returns those of these members that an object lacks; the object itself, where it is not there.
pub(super) fn lacking(
    name: &str,
    object: Option<&Map<String, Value>>,
    members: &[&str],
) -> Vec<String> {
    let Some(object) = object else { return vec![name.to_owned()] };
    let lacking = members.iter().filter(|member_name| member(object, member_name).is_none());
    lacking.map(|member_name| format!("{name}.{member_name}")).collect()
}

/// The four of an evaluation, or those of them that are said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entities<'m> {
    subject: Option<&'m Map<String, Value>>,
    action: Option<&'m Map<String, Value>>,
    resource: Option<&'m Map<String, Value>>,
    context: Option<&'m Map<String, Value>>,
}

impl<'m> Entities<'m> {
    /// Returns those of a body, or of an evaluation at this place in it. One that is too large for an approver is
    /// refused here, before every evaluation of a list that it is the default of would have a copy.
    pub(super) fn of(said: &'m Map<String, Value>, at: &str) -> Result<Self, Error> {
        let entity = |name| {
            member(said, name).map_or(Ok(()), |it| check_input(&format!("{at}{name}"), it))?;
            object_in(said, (at, name))
        };
        Ok(Self {
            subject: entity("subject")?,
            action: entity("action")?,
            resource: entity("resource")?,
            context: entity("context")?,
        })
    }

    /// Returns these, and where one is not said the one of `defaults`.
    pub(super) fn or(self, defaults: Self) -> Self {
        Self {
            subject: self.subject.or(defaults.subject),
            action: self.action.or(defaults.action),
            resource: self.resource.or(defaults.resource),
            context: self.context.or(defaults.context),
        }
    }

    /// Returns what they lack that an evaluation has.
    pub(super) fn lacking(&self, at: &str) -> Vec<String> {
        let entities = [
            ("subject", self.subject, &["type", "id"][..]),
            ("action", self.action, &["name"]),
            ("resource", self.resource, &["type", "id"]),
        ];
        let lacking = entities
            .map(|(name, entity, members)| lacking(&format!("{at}{name}"), entity, members));
        lacking.concat()
    }

    /// Returns the subject, the action and the resource, each with the members that it must have.
    fn whole(self, at: &str) -> Result<[&'m Map<String, Value>; 3], Error> {
        let lacks = self.lacking(at);
        match (self.subject, self.action, self.resource) {
            (Some(subject), Some(action), Some(resource)) if lacks.is_empty() => {
                Ok([subject, action, resource])
            }
            _ => Err(missing(&lacks)),
        }
    }

    /// Returns the agent that the evaluation is a check of: its subject, or the one that acts for its subject, which is
    /// the agent of the caller's key or the one that it names.
    pub(super) fn agent(self, caller: &Caller, at: &str) -> Result<String, Error> {
        let [subject, ..] = self.whole(at)?;
        let (kind, id) = party(subject, &format!("{at}subject."))?;
        let agent_id = if kind == AGENT_SUBJECT {
            check_name(&format!("{at}subject.id"), &id)?;
            id
        } else if PEOPLE.contains(&kind.as_str()) {
            acting(caller, &kind, at)?
        } else {
            let kind = printable(&kind);
            return Err(Error::invalid(
                &format!("{at}subject.type"),
                format!(
                    "is {kind:?}, which is not known; use \"agent\" with the id of an agent, or \"user\" or \"identity\" for \
                     a person for whom an agent acts"
                ),
            ));
        };
        caller.need_for(Permission::Check, &agent_id)?;
        Ok(agent_id)
    }

    /// Returns the evaluation that they are.
    pub(super) fn evaluation(self, at: &str) -> Result<Evaluation, Error> {
        let [subject, action, resource] = self.whole(at)?;
        let mut evaluation = Evaluation::default();
        let said = &mut evaluation.said;
        let place = |name: &str| format!("{at}{name}.");
        (said.subject.kind, said.subject.id) = party(subject, &place("subject"))?;
        said.subject.properties = properties(subject, &place("subject"))?;
        said.action.name = name(action, (&place("action"), "name"))?;
        said.action.properties = properties(action, &place("action"))?;
        (said.resource.kind, said.resource.id) = party(resource, &place("resource"))?;
        said.resource.properties = properties(resource, &place("resource"))?;
        said.context = self.context.cloned().unwrap_or_default();
        for (name, entity) in [
            ("subject", Some(subject)),
            ("action", Some(action)),
            ("resource", Some(resource)),
            ("context", self.context),
        ] {
            if let Some(entity) = entity {
                evaluation.as_sent.insert(name.to_owned(), entity.clone().into());
            }
        }
        if let Some(context) = self.context {
            let at = place("context");
            let session_id = text_in(context, (&at, "session_id"))?.filter(|id| !id.is_empty());
            session_id.map_or(Ok(()), |id| check_name(&format!("{at}session_id"), id))?;
            evaluation.session_id = session_id.map(str::to_owned);
            if let Some(approval) = object_in(context, (&at, "approval"))? {
                evaluation.approval_id = Some(name(approval, (&format!("{at}approval."), "id"))?);
            }
        }
        Ok(evaluation)
    }
}

fn properties(of: &Map<String, Value>, at: &str) -> Result<Map<String, Value>, Error> {
    Ok(object_in(of, (at, "properties"))?.cloned().unwrap_or_default())
}

/// Returns the type and the id of a subject or a resource.
fn party(of: &Map<String, Value>, at: &str) -> Result<(String, String), Error> {
    let kind = name(of, (at, "type"))?;
    let field = format!("{at}id");
    let id = text_in(of, (at, "id"))?.ok_or_else(|| missing(std::slice::from_ref(&field)))?;
    if id.is_empty() {
        return Err(Error::invalid(&field, "is empty; give it a value"));
    }
    if id.len() > ID_MAX_BYTES {
        let long = format!("is {} bytes long; {ID_MAX_BYTES} is the most", id.len());
        return Err(Error::invalid(&field, long));
    }
    if id.chars().any(char::is_control) {
        return Err(Error::invalid(&field, "holds a control character; remove it"));
    }
    Ok((kind, id.to_owned()))
}

fn name(of: &Map<String, Value>, (at, name): (&str, &str)) -> Result<String, Error> {
    let field = format!("{at}{name}");
    let text = text_in(of, (at, name))?.ok_or_else(|| missing(std::slice::from_ref(&field)))?;
    check_name(&field, text)?;
    Ok(text.to_owned())
}

fn acting(caller: &Caller, kind: &str, at: &str) -> Result<String, Error> {
    if let Some(named) = &caller.named {
        return Ok(named.clone());
    }
    match caller.key.agents.as_slice() {
        [agent_id] => Ok(agent_id.clone()),
        _ => Err(Error::invalid(
            &format!("{at}subject.type"),
            format!(
                "is {kind:?}, a person for whom an agent acts, and the request does not say which one does; name the agent in \
                 X-Agent-ID, or ask with a key of that one agent"
            ),
        )),
    }
}
