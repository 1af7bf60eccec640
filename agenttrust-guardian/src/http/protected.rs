//! Protected resources as clients of OAuth look for them (RFC 9728), and the issuers of tokens for them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::Engine;

/// A resource that takes tokens: an MCP server or an agent behind the Guardian (RFC 9728).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProtectedResource {
    /// Its absolute URL, which the audience of a token may name.
    resource: String,
    /// Its name.
    resource_name: String,
    /// The issuers of tokens for it: the federation providers of its organisation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorization_servers: Vec<String>,
    /// The scopes that a token for all of it needs.
    scopes_supported: Vec<String>,
    /// The ways in which a token is sent.
    #[schema(value_type = Vec<String>)]
    bearer_methods_supported: [&'static str; 1],
}

/// A resource of an organisation that is described.
pub(super) struct Described<'a> {
    pub(super) org_id: &'a str,
    pub(super) address: String,
    pub(super) name: &'a str,
    /// The scope that a token for all of it needs.
    pub(super) scope: String,
    /// Whether tokens of issuers are taken there: under an address that only the caller speaks of none is.
    pub(super) is_certain: bool,
}

impl ProtectedResource {
    /// Describes what is reached under an address.
    pub(super) fn new(engine: &Engine, described: Described<'_>) -> Self {
        let Described { org_id, address, name, scope, is_certain } = described;
        let providers = match is_certain {
            true => engine.registry.providers.of_org(org_id),
            false => Vec::new(),
        };
        Self {
            resource: address,
            resource_name: name.to_owned(),
            authorization_servers: providers.iter().map(|it| it.row.issuer.clone()).collect(),
            scopes_supported: vec![scope],
            bearer_methods_supported: ["header"],
        }
    }
}
