#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! - [`guarded`](macro@guarded) puts a check and a report around a function.
//! - [`AgentTrustGuard`] puts them around anything: [`run`](AgentTrustGuard::run) around a future,
//!   [`authorize`](AgentTrustGuard::authorize) and a [`Permit`] around whatever else.
//! - [`AgentTrustClient`] talks to the Guardian that decides: agents and their floors, tokens, checks, sessions,
//!   approvals, reports, tasks for other agents. Operators and admins also manage tools and their effects, API keys,
//!   policies, the audit, webhooks and the destinations of events with it. [`blocking`] mirrors client and guard, all
//!   but the stream of revocations, for code that is not async.
//! - [`tools`] and [`manifest`] list what a program has guarded.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[doc(hidden)]
#[path = "private/mod.rs"]
pub mod __private;
#[doc(hidden)]
pub mod background;
mod backoff;
pub mod blocking;
mod capture;
pub mod client;
mod dpop;
mod error;
mod foreign;
pub mod guard;
mod hex;
#[doc(hidden)]
pub mod internal;
mod keys;
pub mod model;
mod suspend_aware_instant;
mod tools;
pub mod transport;

#[cfg(feature = "macros")]
pub use agenttrust_macros::guarded;

pub use self::client::{
    AgentCredentials, AgentTrustClient, AgentTrustClientBuilder, ApprovalFilter, CheckOptions,
    CheckResponse, IssueOptions, Revocations, StreamFilter,
};
pub use self::dpop::{mint_dpop_proof, mint_dpop_proof_with_key_store};
pub use self::error::{AgentTrustError, Result};
pub use self::foreign::{DenialReason, DenialResponse};
pub use self::guard::{
    Action, AgentIdentity, AgentTrustGuard, AgentTrustGuardBuilder, CallOutcome, FromDenial,
    GuardStats, OnElevation, Outcome, Permit, PermitBasis, PermitHandle,
};
#[cfg(feature = "keychain")]
pub use self::keys::SystemKeychain;
pub use self::keys::{
    AgentKeyPair, FileKeyStore, InMemoryKeyStore, KeyStore, KeychainBackend, KeychainKeyStore,
    generate_agent_key, parse_public_key, sign_with_private_key_pem,
};
pub use self::model::{
    A2ATask, ATI_TRUST_EXTENSION_URI, ActionCheckRequest, Agent, AgentCapabilities, AgentCard,
    AgentCardSignature, AgentCardSkill, AgentExtension, AgentInterface, AgentProvider, AgentStatus,
    Approval, ApprovalStatus, Binds, BoundTo, Challenge, CheckRequest, CheckResult,
    CreateAgentRequest, CreateDelegationRequest, CreateSiemDestinationRequest, Delegation,
    DelegationRestrictions, DelegationState, Effect, ErrorBody, FederatedIntrospection,
    FederatedToken, FederationProvider, FederationRule, Health, HealthStatus, InitSessionRequest,
    IntrospectTokenRequest, IntrospectionResult, IssueFederatedTokenRequest, IssueTokenRequest,
    IssueWimseTokenRequest, McpServer, McpTool, MessageTask, MessageTaskStatus, PopProof,
    PrivateKey, RegisterFederationProviderRequest, RegisterMcpServerRequest, Revocation,
    SecurityScheme, SendTaskRequest, Session, SessionMode, SessionSource, SiemDelivery,
    SiemDestination, SiemFormat, SiemTest, TelemetryEvent, TelemetryEventType, Timestamp, Token,
    ToolArgument, ToolDeclaration, ToolManifest, ToolPlace, TrustLevel,
    UpdateFederationProviderRequest, UpdateSiemDestinationRequest, VerifyFederatedTokenRequest,
    VerifyWimseTokenRequest, WimseToken, WimseVerification,
};
pub use self::tools::{manifest, tools};
pub use self::transport::{TransportError, TransportErrorKind};
