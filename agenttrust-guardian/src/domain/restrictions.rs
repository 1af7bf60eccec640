//! What narrows a delegation beyond its scope: read from what a caller sends, and compared with what it is made
//! from.

use agenttrust::model::{CapabilityError, CapabilitySet, DelegationRestrictions};
use serde_json::{Map, Value};

use super::Error;
use super::names::check_names;
use super::spelling::nearest;

/// The restrictions that there are.
const KNOWN: [&str; 4] = ["tools", "servers", "max_calls", "not_after"];
/// The most calls that can be counted.
const CALLS_MOST: u64 = 1_000_000_000;

/// Reads restrictions.
///
/// # Errors
///
/// Invalid for one that is not known, since it would narrow nothing, and for one that is not as it must be.
pub(crate) fn from_json(sent: &Map<String, Value>) -> Result<DelegationRestrictions, Error> {
    let mut restrictions = DelegationRestrictions::default();
    for (name, value) in sent {
        let field = format!("restrictions.{name}");
        match name.as_str() {
            "tools" => restrictions.tools = Some(list(&field, value)?),
            "servers" => restrictions.servers = Some(list(&field, value)?),
            "max_calls" => restrictions.max_calls = Some(calls(&field, value)?),
            "not_after" => {
                let at = value.as_str().and_then(|at| at.parse().ok());
                let problem = "is no point in time; write it as \"2026-01-02T03:04:05Z\"";
                restrictions.not_after = Some(at.ok_or_else(|| Error::invalid(&field, problem))?);
            }
            unknown => return Err(not_known(unknown)),
        }
    }
    if let Some(tools) = &restrictions.tools {
        CapabilitySet::parse(tools)
            .map_err(|error| Error::capability("restrictions.tools", &error))?;
    }
    Ok(restrictions)
}

fn not_known(name: &str) -> Error {
    let shown: String = name.chars().take(40).collect();
    let meant = nearest(name, KNOWN);
    let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    Error::invalid(
        "restrictions",
        format!("has {shown:?}, which is no restriction: use {}{meant}", KNOWN.join(", ")),
    )
}

fn list(field: &str, value: &Value) -> Result<Vec<String>, Error> {
    let names = value.as_array().and_then(|names| {
        names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    let names = names.ok_or_else(|| Error::invalid(field, "is not a list of names"))?;
    if names.is_empty() {
        let problem = "is empty, which would allow nothing; name some, or leave it out for all";
        return Err(Error::invalid(field, problem));
    }
    check_names(field, &names)?;
    Ok(names)
}

fn calls(field: &str, value: &Value) -> Result<u32, Error> {
    let calls = value.as_u64().filter(|calls| (1..=CALLS_MOST).contains(calls));
    calls
        .and_then(|calls| u32::try_from(calls).ok())
        .ok_or_else(|| Error::invalid(field, format!("is no whole number from 1 to {CALLS_MOST}")))
}

/// Refuses restrictions that are looser than those of the delegation that they are made from.
///
/// # Errors
///
/// Forbidden.
pub(crate) fn need_tighter(
    parent: &DelegationRestrictions,
    made: &DelegationRestrictions,
) -> Result<(), Error> {
    let looser = |name: &str, what: String| {
        Error::forbidden(format!(
            "restrictions.{name} {what}, which is more than the parent delegation lets through; it can only be \
             tighter"
        ))
    };
    if let (Some(outer), Some(inner)) = (&parent.tools, &made.tools) {
        let unreadable = |error: CapabilityError| Error::capability("restrictions.tools", &error);
        let outer = CapabilitySet::parse(outer).map_err(unreadable)?;
        let inner = CapabilitySet::parse(inner).map_err(unreadable)?;
        if let Some(tool) = outer.first_uncovered(&inner) {
            return Err(looser("tools", format!("names {tool:?}")));
        }
    }
    if let (Some(outer), Some(inner)) = (&parent.servers, &made.servers)
        && let Some(server) = inner.iter().find(|server| !outer.contains(server))
    {
        return Err(looser("servers", format!("names {server:?}")));
    }
    match (parent.max_calls, made.max_calls) {
        (Some(outer), Some(inner)) if inner > outer => {
            return Err(looser("max_calls", format!("is {inner} and the parent's {outer}")));
        }
        _ => {}
    }
    match (parent.not_after, made.not_after) {
        (Some(outer), Some(inner)) if inner > outer => {
            Err(looser("not_after", format!("is {inner} and the parent's {outer}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(sent: Value) -> Result<DelegationRestrictions, String> {
        let sent = sent.as_object().cloned().unwrap_or_default();
        from_json(&sent).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn restriction_that_is_not_known_or_not_as_it_must_be_is_refused() {
        let known = json!({
            "tools": ["files:*"], "servers": ["github"], "max_calls": 3, "not_after": "2026-12-01T00:00:00Z",
        });
        let restrictions = read(known).unwrap();
        assert_eq!(restrictions.max_calls, Some(3));
        assert!(restrictions.not_after.is_some());
        assert_eq!(read(json!({})).unwrap(), DelegationRestrictions::default());
        for (sent, said) in [
            (json!({ "tool": ["a"] }), "did you mean tools?"),
            (json!({ "maxCalls": 3 }), "did you mean max_calls?"),
            (json!({ "budget": 3 }), "use tools, servers, max_calls, not_after"),
            (json!({ "tools": "a" }), "restrictions.tools is not a list"),
            (json!({ "tools": [1] }), "restrictions.tools is not a list"),
            (json!({ "tools": [] }), "would allow nothing"),
            (json!({ "tools": ["a*"] }), "restrictions.tools"),
            (json!({ "tools": null }), "restrictions.tools is not a list"),
            (json!({ "servers": {} }), "restrictions.servers is not a list"),
            (json!({ "servers": [""] }), "is empty"),
            (json!({ "max_calls": 0 }), "from 1 to"),
            (json!({ "max_calls": -1 }), "from 1 to"),
            (json!({ "max_calls": 1.5 }), "from 1 to"),
            (json!({ "max_calls": "3" }), "from 1 to"),
            (json!({ "max_calls": 9_223_372_036_854_775_807_i64 }), "from 1 to"),
            (json!({ "not_after": 3 }), "is no point in time"),
            (json!({ "not_after": "tomorrow" }), "is no point in time"),
        ] {
            let problem = read(sent.clone()).unwrap_err();
            assert!(problem.contains(said), "{sent}: {problem}");
        }
    }

    #[test]
    fn restrictions_in_a_chain_are_only_ever_tighter() {
        let parent = read(json!({
            "tools": ["files:*"], "servers": ["a", "b"], "max_calls": 3, "not_after": "2026-12-01T00:00:00Z",
        }))
        .unwrap();
        for tighter in [
            json!({}),
            json!({ "tools": ["files:read"], "servers": ["b"], "max_calls": 3 }),
            json!({ "not_after": "2026-12-01T00:00:00Z" }),
        ] {
            need_tighter(&parent, &read(tighter).unwrap()).unwrap();
        }
        for (looser, said) in [
            (json!({ "tools": ["*"] }), "restrictions.tools names \"*\""),
            (json!({ "tools": ["files/*"] }), "restrictions.tools"),
            (json!({ "servers": ["a", "c"] }), "restrictions.servers names \"c\""),
            (json!({ "max_calls": 4 }), "is 4 and the parent's 3"),
            (json!({ "not_after": "2026-12-01T00:00:01Z" }), "restrictions.not_after"),
        ] {
            let problem = need_tighter(&parent, &read(looser).unwrap()).unwrap_err();
            assert!(problem.message().contains(said), "{}", problem.message());
        }
        need_tighter(&DelegationRestrictions::default(), &parent).unwrap();
    }
}
