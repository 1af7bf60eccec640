//! Agent cards: generating, reading and publishing them, and the keys that they are signed with (SDK guide, section
//! 11).

use std::time::Duration;

use serde::Serialize;

use super::AgentTrustClient;
use super::path::segment;
use crate::error::Result;
use crate::model::{AgentCard, CardKeys, CardOptions};

/// See [`AgentTrustClient::agent_cards`].
#[derive(Clone, Copy, Debug)]
pub struct AgentCards<'a> {
    client: &'a AgentTrustClient,
}

impl<'a> AgentCards<'a> {
    pub(super) fn new(client: &'a AgentTrustClient) -> Self {
        Self { client }
    }

    /// Generates the card of an agent from what is known of it, and returns it. Needs an operator's or admin's key.
    ///
    /// A card that is published already changes for everybody.
    ///
    /// ```
    /// # use agenttrust::AgentTrustClient;
    /// # let client = AgentTrustClient::builder().service(tower::service_fn(
    /// #     |request: http::Request<bytes::Bytes>| async move {
    /// #         assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/api/v1/agents/agt_1/card"));
    /// #         assert!(request.body().is_empty());
    /// #         Ok::<_, std::io::Error>(http::Response::new(r#"{"name": "researcher"}"#.to_owned()))
    /// #     },
    /// # )).build()?;
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let card = client.agent_cards().generate("agt_1").await?;
    /// println!("{}: {:?}", card.name, card.capabilities);
    /// # assert_eq!(card.name, "researcher");
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// # })?;
    /// # Ok::<(), agenttrust::AgentTrustError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such agent,
    /// [`AgentRevoked`](crate::AgentTrustError::AgentRevoked) for one that is revoked,
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not do this.
    pub async fn generate(&self, agent_id: &str) -> Result<AgentCard> {
        self.client.post(path(agent_id)?).send().await?.object("card")
    }

    /// Does the same as [`generate`](Self::generate), with more that our Guardian knows: what the agent is for, and
    /// where it is reached.
    ///
    /// # Errors
    ///
    /// As for [`generate`](Self::generate), and [`Validation`](crate::AgentTrustError::Validation) for what cannot be
    /// part of a card and for an address that may not be called.
    pub async fn generate_with(&self, agent_id: &str, options: &CardOptions) -> Result<AgentCard> {
        self.client.post(path(agent_id)?).json(options).send().await?.object("card")
    }

    /// Returns the card of an agent, whether it is published or not.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such agent, or none was generated yet;
    /// [`Authorization`](crate::AgentTrustError::Authorization) for an agent that the key may not read.
    pub async fn get(&self, agent_id: &str) -> Result<AgentCard> {
        self.client.get(path(agent_id)?).send().await?.object("card")
    }

    /// Returns what was said of the card of an agent, with where the agent itself is reached, which no card tells. An
    /// extension of our Guardian; needs an operator's or admin's key.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub async fn options(&self, agent_id: &str) -> Result<CardOptions> {
        self.client.get(format!("{}/options", path(agent_id)?)).send().await?.json()
    }

    /// Publishes the card of an agent, so that everybody may [read it](Self::get_public). Needs an operator's or
    /// admin's key.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get), and [`AgentRevoked`](crate::AgentTrustError::AgentRevoked) for an agent that is
    /// revoked.
    pub async fn publish(&self, agent_id: &str) -> Result<AgentCard> {
        self.client.put(published(agent_id)?).send().await?.object("card")
    }

    /// Takes the card of an agent back: it is kept, and published no more. An extension of our Guardian; needs an
    /// operator's or admin's key.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub async fn withdraw(&self, agent_id: &str) -> Result<()> {
        self.client.delete(published(agent_id)?).send().await.map(drop)
    }

    /// Returns the published card of an agent, which anybody may read, with a key or without.
    ///
    /// What it says is as good as its [signature](AgentCard::verify_signature).
    ///
    /// ```no_run
    /// # async fn example(client: agenttrust::AgentTrustClient) -> Result<(), Box<dyn std::error::Error>> {
    /// // The keys of a Guardian that is trusted, kept for as long as it is.
    /// let keys = client.agent_cards().signing_keys().await?.trusted();
    ///
    /// let card = client.agent_cards().get_public("agt_1").await?;
    /// card.verify_signature(&keys)?;
    /// println!("{} is reached at {:?}", card.name, card.primary_url());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) when there is no such agent, its card is not published, or it is
    /// revoked or suspended.
    pub async fn get_public(&self, agent_id: &str) -> Result<AgentCard> {
        let path = format!("/a2a/agents/{}/agent.json", segment("agent id", agent_id)?);
        self.client.get(path).send().await?.object("card")
    }

    /// Returns the keys by which the Guardian signs cards, the newest first: an extension of ours.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::AgentTrustError::NotFound) where the gateway publishes none.
    pub async fn signing_keys(&self) -> Result<CardKeys> {
        self.client.get("/.well-known/jwks.json").send().await?.json()
    }

    /// Has the Guardian sign cards by a new key, and returns the keys that there are then: an extension of ours. Needs
    /// an admin's key.
    ///
    /// The former key goes on signing beside the new one for `overlap`, 7 days by default, so that callers who trust it
    /// have time to trust the other. With no time at all, cards are believed by it no more.
    ///
    /// # Errors
    ///
    /// [`Authorization`](crate::AgentTrustError::Authorization) for a key that may not do this,
    /// [`Validation`](crate::AgentTrustError::Validation) for an overlap of more than 30 days.
    pub async fn rotate_key(&self, overlap: Option<Duration>) -> Result<CardKeys> {
        #[derive(Serialize)]
        struct Rotate {
            #[serde(skip_serializing_if = "Option::is_none")]
            overlap: Option<u64>,
        }
        let body = Rotate { overlap: overlap.map(|overlap| overlap.as_secs()) };
        self.client.post("/api/v1/cards/keys/rotate").json(&body).send().await?.json()
    }
}

fn path(agent_id: &str) -> Result<String> {
    Ok(format!("/api/v1/agents/{}/card", segment("agent id", agent_id)?))
}

fn published(agent_id: &str) -> Result<String> {
    Ok(format!("{}/publish", path(agent_id)?))
}
