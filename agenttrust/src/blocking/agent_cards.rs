//! Agent cards without `.await`.

use std::time::Duration;

use super::resources::resources;
use super::wait;
use crate::client::AgentTrustClient;
use crate::error::Result;
use crate::model::{AgentCard, CardKeys, CardOptions};

resources! {
    /// Generating, reading and publishing agent cards; the async one is [`crate::client::AgentCards`].
    AgentCards by agent_cards {
        /// Generates the card of an agent from what is known of it, and returns it.
        ///
        /// # Errors
        ///
        /// As for the async [`generate`](crate::client::AgentCards::generate).
        fn generate(&self, agent_id: &str) -> AgentCard;

        /// Does the same as [`generate`](Self::generate), with more that our Guardian knows.
        ///
        /// # Errors
        ///
        /// As for the async [`generate_with`](crate::client::AgentCards::generate_with).
        fn generate_with(&self, agent_id: &str, options: &CardOptions) -> AgentCard;

        /// Returns the card of an agent, whether it is published or not.
        ///
        /// # Errors
        ///
        /// As for the async [`get`](crate::client::AgentCards::get).
        fn get(&self, agent_id: &str) -> AgentCard;

        /// Returns what was said of the card of an agent, with where the agent itself is reached.
        ///
        /// # Errors
        ///
        /// As for the async [`options`](crate::client::AgentCards::options).
        fn options(&self, agent_id: &str) -> CardOptions;

        /// Publishes the card of an agent, so that everybody may read it.
        ///
        /// # Errors
        ///
        /// As for the async [`publish`](crate::client::AgentCards::publish).
        fn publish(&self, agent_id: &str) -> AgentCard;

        /// Takes the card of an agent back: it is kept, and published no more.
        ///
        /// # Errors
        ///
        /// As for the async [`withdraw`](crate::client::AgentCards::withdraw).
        fn withdraw(&self, agent_id: &str) -> ();

        /// Returns the published card of an agent, which anybody may read.
        ///
        /// # Errors
        ///
        /// As for the async [`get_public`](crate::client::AgentCards::get_public).
        fn get_public(&self, agent_id: &str) -> AgentCard;

        /// Returns the keys by which the Guardian signs cards, the newest first.
        ///
        /// # Errors
        ///
        /// As for the async [`signing_keys`](crate::client::AgentCards::signing_keys).
        fn signing_keys(&self) -> CardKeys;

        /// Has the Guardian sign cards by a new key, and returns the keys that there are then.
        ///
        /// # Errors
        ///
        /// As for the async [`rotate_key`](crate::client::AgentCards::rotate_key).
        fn rotate_key(&self; overlap: Option<Duration>) -> CardKeys;
    }
}
