//! How far the agent may go: its capabilities, then the ceilings of its session and floor.

use agenttrust::model::CapabilitySet;

use super::session::SessionContext;
use crate::domain::names::spelt;
use crate::registry::AgentEntry;

/// Returns why the tool, or a scope that it declares, is out of the agent's reach.
pub(super) fn outside(
    tool: &str,
    scopes: &[String],
    entry: &AgentEntry,
    session: &SessionContext,
) -> Option<String> {
    // Who acts under a delegation has what that gives, and nothing of its own.
    let chain = session.chain();
    if let Some(why) = chain.and_then(|chain| chain.refusal(tool, scopes)) {
        return Some(why);
    }
    let entry = chain.map_or(entry, |chain| &chain.root);
    let agent = &entry.agent.id;
    if entry.capabilities.is_empty() {
        return Some(format!(
            "agent {agent:?} has no capabilities, so it may use no tool; \
             register it with one that covers {tool:?}{}",
            in_writing(agent, tool)
        ));
    }
    if !entry.capabilities.covers(tool) {
        return Some(format!(
            "agent {agent:?} has no capability that covers tool {tool:?}; \
             register it with one that does{}{}",
            in_writing(agent, tool),
            mistaken(tool, &entry.capabilities)
        ));
    }
    if let Some(scope) = scopes.iter().find(|scope| !entry.capabilities.covers(scope)) {
        return Some(format!(
            "tool {tool:?} declares scope {scope:?}, which no capability of agent {agent:?} covers; \
             register it with one that does{}{}",
            in_writing(agent, scope),
            mistaken(scope, &entry.capabilities)
        ));
    }
    let names = || std::iter::once(tool).chain(scopes.iter().map(String::as_str));
    let began_with = session.began_with();
    if let Some(name) = names().find(|name| began_with.is_some_and(|had| !had.covers(name))) {
        return Some(match chain {
            None => format!(
                "agent {agent:?} was given {name:?} after this session began, or the token that it was made from \
                 was issued, and neither widens; begin a new session, with a new token"
            ),
            Some(_) => format!(
                "agent {agent:?} lost {name:?} and was given it again after it had delegated it, and a delegation \
                 never widens; have another one made"
            ),
        });
    }
    for limits in session.limits() {
        if let Some(name) = names().find(|name| !limits.covers(name)) {
            return Some(format!(
                "{name:?} is outside the scope ceiling {} of this {} session",
                spelt(limits.ceiling()),
                session.mode(),
            ));
        }
    }
    None
}

/// Returns the capability that covers `name` and nothing else, as it is written in a program and on the command line,
/// and how the agent that is there comes by it.
///
/// A caller makes the name up and a person copies the line, so it never covers more than that one name.
fn in_writing(agent: &str, name: &str) -> String {
    // With a `*` in it the capability would be another one, which may be everything.
    if name.contains('*') || CapabilitySet::parse(&[name]).is_err() {
        return ", which only one that ends in `*` can: no capability is written like this name"
            .to_owned();
    }
    let program = format!(": capabilities: [{name:?}]");
    let means_itself = |letter: char| letter.is_ascii_alphanumeric() || "_:/.-".contains(letter);
    if name.starts_with('-') || !name.chars().all(means_itself) {
        return program;
    }
    format!(
        "{program}, or --capability {name}; one that is registered gets it with `agenttrust agents grant {agent} \
         {name}`"
    )
}

/// Returns a hint about the first capability that begins with the same word as `name`: it was perhaps written for that
/// name, and covers something else.
fn mistaken(name: &str, capabilities: &CapabilitySet) -> String {
    let wanted = first_word(name);
    let alike = capabilities.names().find(|capability| first_word(capability) == wanted);
    let Some(capability) = alike.filter(|_| !wanted.is_empty()) else { return String::new() };
    let covered = match capability.strip_suffix('*') {
        Some(prefix) => match prefix.strip_suffix(':').filter(|stem| !stem.contains(':')) {
            Some(stem) => format!("what begins with {prefix:?} or {:?}", format!("{stem}_")),
            None => format!("what begins with {prefix:?}"),
        },
        None => match capability.split_once(':').filter(|(_, after)| !after.contains(':')) {
            Some((before, after)) => {
                format!("{capability:?} and {:?}", format!("{before}_{after}"))
            }
            None => format!("{capability:?}"),
        },
    };
    format!("; its capability {capability:?} covers {covered}, and nothing else")
}

/// Returns what a name begins with, whatever comes before and after, in lower case.
fn first_word(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_alphanumeric());
    words.map(str::to_lowercase).find(|word| !word.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_written_covers_the_name_and_nothing_wider() {
        for name in ["db_delete", "db:delete", "http/GET/notes"] {
            let written = format!(
                ": capabilities: [{name:?}], or --capability {name}; one that is registered gets it with \
                 `agenttrust agents grant agt_1 {name}`"
            );
            assert_eq!(in_writing("agt_1", name), written);
        }
        for (name, written) in [
            // A shell would read these otherwise.
            ("http/GET/{id}", ": capabilities: [\"http/GET/{id}\"]"),
            ("send mail", ": capabilities: [\"send mail\"]"),
            ("a;reboot", ": capabilities: [\"a;reboot\"]"),
            ("--key", ": capabilities: [\"--key\"]"),
        ] {
            assert_eq!(in_writing("agt_1", name), written);
        }
        // Copied, these would be other capabilities, or none.
        for name in ["*", "db:*", "a/*", "a*b", "db:", ":db"] {
            let said = in_writing("agt_1", name);
            assert!(!said.contains("capabilities:") && !said.contains("--capability"), "{said}");
            assert!(!said.contains("agents grant"), "{said}");
        }
    }

    #[test]
    fn capability_that_was_meant_is_named_with_what_it_covers() {
        for (capability, name, covers) in [
            ("http:read", "http/GET/notes", "\"http:read\" and \"http_read\""),
            ("http", "http/GET/notes", "\"http\""),
            ("http:*", "http/GET/notes", "what begins with \"http:\" or \"http_\""),
            ("http/POST/*", "http/GET/notes", "what begins with \"http/POST/\""),
            (" files:read", "files:read", "\" files:read\" and \" files_read\""),
            ("files read", "files_read", "\"files read\""),
            ("Files:read", "files_read", "\"Files:read\" and \"Files_read\""),
            ("a:b:*", "a:c", "what begins with \"a:b:\""),
        ] {
            let set = CapabilitySet::parse(&["other", capability]).unwrap();
            assert!(!set.covers(name));
            let said = format!("; its capability {capability:?} covers {covers}, and nothing else");
            assert_eq!(mistaken(name, &set), said);
        }
        let other = CapabilitySet::parse(&["mail:send", "--"]).unwrap();
        assert_eq!(mistaken("db_delete", &other), "");
        assert_eq!(mistaken("/", &other), "");
    }
}
