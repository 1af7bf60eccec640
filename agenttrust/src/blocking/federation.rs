//! Federation without `.await`.

use super::resources::resources;
use super::wait;
use crate::client::{AgentTrustClient, FederatedTokenOptions, RegisterFederationProviderOptions};
use crate::error::Result;
use crate::model::{
    FederatedIntrospection, FederatedToken, FederationProvider, FederationTest,
    IssueFederatedTokenRequest, RegisterFederationProviderRequest, Session,
    UpdateFederationProviderRequest, VerifyFederatedTokenRequest,
};

resources! {
    /// Providers whose tokens are accepted, the worth of those tokens, and the sessions that they open; the async one
    /// is [`crate::client::Federation`].
    Federation by federation {
        /// Registers an OpenID Connect provider, whose tokens are taken from then on, and returns it.
        ///
        /// # Errors
        ///
        /// As for the async [`register_provider`](crate::client::Federation::register_provider).
        fn register_provider(&self, request: &RegisterFederationProviderRequest) -> FederationProvider;

        /// Does the same as [`register_provider`](Self::register_provider), and says for whom its tokens have to be and
        /// which agents they are.
        ///
        /// # Errors
        ///
        /// As for the async [`register_provider_with`](crate::client::Federation::register_provider_with).
        fn register_provider_with(&self, request: &RegisterFederationProviderRequest, options: &RegisterFederationProviderOptions) -> FederationProvider;

        /// Returns the providers of the organisation.
        ///
        /// # Errors
        ///
        /// As for the async [`list_providers`](crate::client::Federation::list_providers).
        fn list_providers(&self) -> Vec<FederationProvider>;

        /// Returns the provider with this id.
        ///
        /// # Errors
        ///
        /// As for the async [`get_provider`](crate::client::Federation::get_provider).
        fn get_provider(&self, provider_id: &str) -> FederationProvider;

        /// Changes a provider and returns it as it is now; what `request` says nothing of stays.
        ///
        /// # Errors
        ///
        /// As for the async [`update_provider`](crate::client::Federation::update_provider).
        fn update_provider(&self, provider_id: &str, request: &UpdateFederationProviderRequest) -> FederationProvider;

        /// Deletes a provider: none of its tokens is taken from then on.
        ///
        /// # Errors
        ///
        /// As for the async [`delete_provider`](crate::client::Federation::delete_provider).
        fn delete_provider(&self, provider_id: &str) -> ();

        /// Returns what a token is worth right now: one of a provider, or a federation token of ours.
        ///
        /// # Errors
        ///
        /// As for the async [`verify_token`](crate::client::Federation::verify_token).
        fn verify_token(&self, request: &VerifyFederatedTokenRequest) -> FederatedIntrospection;

        /// Returns the same as [`verify_token`](Self::verify_token), by its other name.
        ///
        /// # Errors
        ///
        /// As for the async [`introspect_token`](crate::client::Federation::introspect_token).
        fn introspect_token(&self, request: &VerifyFederatedTokenRequest) -> FederatedIntrospection;

        /// Does the same as [`introspect_token`](Self::introspect_token), and says where the token is used.
        ///
        /// # Errors
        ///
        /// As for the async [`introspect_token_with`](crate::client::Federation::introspect_token_with).
        fn introspect_token_with(&self, request: &VerifyFederatedTokenRequest, options: &FederatedTokenOptions) -> FederatedIntrospection;

        /// Opens a session for the agent that a token speaks for.
        ///
        /// # Errors
        ///
        /// As for the async [`init_session`](crate::client::Federation::init_session).
        fn init_session(&self, request: &VerifyFederatedTokenRequest) -> Session;

        /// Does the same as [`init_session`](Self::init_session), and says where the token is used.
        ///
        /// # Errors
        ///
        /// As for the async [`init_session_with`](crate::client::Federation::init_session_with).
        fn init_session_with(&self, request: &VerifyFederatedTokenRequest, options: &FederatedTokenOptions) -> Session;

        /// Issues a federation token, `fed_…`.
        ///
        /// # Errors
        ///
        /// As for the async [`issue_token`](crate::client::Federation::issue_token).
        fn issue_token(&self, agent_id: &str, request: &IssueFederatedTokenRequest) -> FederatedToken;

        /// Revokes a federation token at once.
        ///
        /// # Errors
        ///
        /// As for the async [`revoke_token`](crate::client::Federation::revoke_token).
        fn revoke_token(&self, token: &str) -> ();

        /// Lists step by step what a token would do and why, for the operator who sets federation up.
        ///
        /// # Errors
        ///
        /// As for the async [`test_token`](crate::client::Federation::test_token).
        fn test_token(&self, request: &VerifyFederatedTokenRequest) -> FederationTest;
    }
}
