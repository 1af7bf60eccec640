//! The agent on a socket: its card where A2A clients look for it, and JSON-RPC beside it.

use std::sync::Arc;

use a2a::{AgentCapabilities, AgentCard, AgentInterface, AgentSkill, TRANSPORT_PROTOCOL_JSONRPC};
use a2a_server::agent_card::agent_card_router;
use a2a_server::jsonrpc::jsonrpc_router;
use a2a_server::{DefaultRequestHandler, InMemoryTaskStore, StaticAgentCard};
use agenttrust_examples::Served;
use axum::Router;

use crate::executor::Librarian;

/// Serves the librarian on a free port of this machine.
///
/// It listens on the loopback address, because callers do not have to say who they are. Every caller acts as the one
/// agent that this is, and can go on with any task that they know the id of. For callers on other machines, put
/// something in front of it that knows them.
pub(crate) async fn serve(librarian: Librarian) -> anyhow::Result<Served> {
    Served::on_loopback_as(|url| {
        let card = Arc::new(StaticAgentCard::new(card(url)));
        let handler = DefaultRequestHandler::new(librarian, InMemoryTaskStore::new());
        Router::new().merge(agent_card_router(card)).nest("/a2a", jsonrpc_router(Arc::new(handler)))
    })
    .await
}

fn card(url: &str) -> AgentCard {
    let text = || vec!["text/plain".to_owned()];
    AgentCard {
        name: "librarian".to_owned(),
        description: "Reads, deletes and publishes documents, as far as it may.".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        supported_interfaces: vec![AgentInterface::new(
            format!("{url}/a2a"),
            TRANSPORT_PROTOCOL_JSONRPC,
        )],
        capabilities: AgentCapabilities { streaming: Some(true), ..Default::default() },
        default_input_modes: text(),
        default_output_modes: text(),
        skills: vec![AgentSkill {
            id: "documents".to_owned(),
            name: "Documents".to_owned(),
            description: "Say a verb and a name.".to_owned(),
            tags: vec!["files".to_owned()],
            examples: Some(vec!["read plan.md".to_owned(), "delete draft.md".to_owned()]),
            input_modes: None,
            output_modes: None,
            security_requirements: None,
        }],
        provider: None,
        documentation_url: None,
        icon_url: None,
        security_schemes: None,
        security_requirements: None,
        signatures: None,
    }
}
