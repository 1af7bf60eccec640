//! Names of the headers that travel with requests and answers.
//!
//! Everything beyond `x-api-key` is an extension that a gateway may ignore.

/// The API key, `sk_live_…`.
pub const API_KEY: &str = "x-api-key";
/// The agent that a request is made for.
pub const AGENT_ID: &str = "x-agent-id";
/// The session that a request to an MCP server is made in.
pub const SESSION_ID: &str = "x-session-id";
/// The digest of a call's input, 64 hexadecimal digits; an approval is bound to it.
pub const INPUT_DIGEST: &str = "agenttrust-input-digest";
/// The part of the input that the digest covers, where that is not the whole input: a word of [`Binds`](super::Binds).
pub const BINDS: &str = "agenttrust-binds";
/// The key that the digest was made under, 16 hexadecimal digits: tells another key from another input, and
/// nothing else of either.
pub const KEY_ID: &str = "agenttrust-key-id";
/// `generated` on a check whose session id its guard made up: such a one is no part of what an approval binds.
pub const SESSION: &str = "agenttrust-session";
/// The place where a token with an audience is used; on the opening of a session from it.
pub const TARGET: &str = "agenttrust-target";
/// The scopes that the tool declares, separated by commas.
pub const SCOPES: &str = "agenttrust-scopes";
/// The check ids of a telemetry batch: one per event, `-` for none, separated by commas.
pub const CHECK_IDS: &str = "agenttrust-check-ids";
/// The parts of a check that the Guardian took into account beyond the SDK guide's, separated by commas; on its answer.
///
/// `digest` says that an approval is bound to the input's digest ([`INPUT_DIGEST`]), `scopes` that the agent has each
/// scope of [`SCOPES`]. A guard denies a call whose scopes were sent and are not named here, unless
/// [`trust_gateway_scopes`](crate::AgentTrustGuardBuilder::trust_gateway_scopes) says otherwise.
pub const ENFORCED: &str = "agenttrust-enforced";
/// A name for one check, so that a repeated request opens no second approval.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The mark of our Guardian, `1`, on each of its answers. A 502, 503 or 504 without it came from something in between.
pub const GUARDIAN: &str = "agenttrust-guardian";
/// The number of milliseconds after which to ask again; on the answer to a check that was not decided in time.
pub const RETRY_AFTER: &str = "agenttrust-retry-after";
/// The members of the body that our Guardian does not know and skipped, separated by commas; on the answer to a request
/// of the SDK guide's.
pub const IGNORED: &str = "agenttrust-ignored";
/// The proof that the sender of a request has the key that its token is bound to (RFC 9449).
pub const DPOP: &str = "dpop";
/// The nonce for the next proof (RFC 9449); on an answer that asks for a proof with a nonce, and on others that have a
/// newer one.
pub const DPOP_NONCE: &str = "dpop-nonce";
/// The proof that came with a workload token; on the opening of a session from that token, by a server that asks for
/// the agents that come to it.
pub const FORWARDED_DPOP: &str = "agenttrust-dpop";
/// The method of the request that [`FORWARDED_DPOP`] came with.
pub const FORWARDED_DPOP_METHOD: &str = "agenttrust-dpop-method";
/// The URL of the request that [`FORWARDED_DPOP`] came with.
pub const FORWARDED_DPOP_URL: &str = "agenttrust-dpop-url";
/// The thumbprint of the key that every further proof is made with; on a session that was opened from a workload token.
pub const KEY_THUMBPRINT: &str = "agenttrust-key-thumbprint";
