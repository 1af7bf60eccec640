//! Where the agent that a task is for is reached.

use serde::Deserialize;

use crate::domain::Error;
use crate::domain::task::Version;
use crate::engine::Engine;
use crate::outbound::a2a::{Binding, Interface};
use crate::store::Upstream;

/// The options of a card, as far as they are about reaching the agent.
#[derive(Deserialize)]
struct Options {
    #[serde(default)]
    interfaces: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    url: String,
    protocol_binding: String,
    protocol_version: String,
}

/// Returns the interfaces that were named for an agent, the preferred one first; none where it fetches its tasks from
/// its inbox. One that may not be called any more is left out.
///
/// # Errors
///
/// Unavailable where the database does not answer, where what it holds cannot be read, and where none of those that
/// were named may be called: what is meant for an endpoint is put into no inbox.
pub(crate) async fn of(
    engine: &Engine,
    org_id: &str,
    agent_id: &str,
) -> Result<Vec<Interface>, Error> {
    let kept = engine.store.card_options(agent_id.to_owned(), org_id.to_owned()).await?;
    let Some(text) = kept else { return Ok(Vec::new()) };
    let options: Options = serde_json::from_str(&text).map_err(|error| {
        tracing::error!(%error, agent_id, "where an agent is reached cannot be read");
        Error::unavailable("where the agent is reached cannot be read; generate its card again")
    })?;
    let known: Vec<Interface> =
        options.interfaces.iter().filter_map(|named| interface(engine, named)).collect();
    if known.is_empty() && !options.interfaces.is_empty() {
        return Err(Error::unavailable(format!(
            "agent {agent_id:?} is not called at any of the URLs that were named for it; look at the rules for outbound \
             calls, or name others"
        )));
    }
    Ok(known)
}

fn interface(engine: &Engine, named: &Named) -> Option<Interface> {
    let url = engine.outbound.target(&named.url).ok()?;
    let binding = match named.protocol_binding.as_str() {
        "JSONRPC" => Binding::JsonRpc,
        "HTTP+JSON" => Binding::HttpJson,
        _ => return None,
    };
    let version = Version::of(&named.protocol_version)?;
    Some(Interface { url, binding, version })
}

/// Returns the interface that a task went to, where its target is still reached there.
pub(super) fn again<'i>(known: &'i [Interface], upstream: &Upstream) -> Option<&'i Interface> {
    known.iter().find(|known| {
        known.url.as_str() == upstream.url
            && upstream.binding == word(known.binding)
            && upstream.version == known.version.as_str()
    })
}

/// Returns what a task is known by at this interface.
pub(super) fn upstream(interface: &Interface, task_id: String, context_id: String) -> Upstream {
    Upstream {
        url: interface.url.to_string(),
        binding: word(interface.binding).to_owned(),
        version: interface.version.as_str().to_owned(),
        task_id,
        context_id,
        took: None,
    }
}

fn word(binding: Binding) -> &'static str {
    match binding {
        Binding::JsonRpc => "JSONRPC",
        Binding::HttpJson => "HTTP+JSON",
    }
}
