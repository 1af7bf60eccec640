//! SDK guide, section 11: what an agent tells others of itself, published for everybody, and verified by who reads it.
//!
//! A card is as good as its signature. Which keys are trusted is for the reader to say: here those of the Guardian
//! that it works with anyway, and never those that a card names.

use agenttrust::model::CardOptions;
use agenttrust::{AgentTrustClient, AgentTrustError, blocking};
use agenttrust_examples::bot;

fn main() -> anyhow::Result<()> {
    agenttrust_examples::run(asynchronous, blocking)
}

async fn asynchronous(client: AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["web_search"])).await?;

    // Generate an Agent Card
    let card = client.agent_cards().generate(&agent.id).await?;
    println!("  {}: {:?}", card.name, card.capabilities.streaming);

    // More than the agent's record says of it
    let options = CardOptions::default().description("Finds papers and sums them up");
    client.agent_cards().generate_with(&agent.id, &options).await?;

    // Publish the card (makes it publicly discoverable)
    assert!(client.agent_cards().get_public(&agent.id).await.is_err());
    client.agent_cards().publish(&agent.id).await?;

    // Retrieve a public Agent Card (no auth required), and believe it
    let keys = client.agent_cards().signing_keys().await?.trusted();
    let public_card = client.agent_cards().get_public(&agent.id).await?;
    let signed = public_card.verify_signature(&keys);
    assert!(signed.is_ok(), "{signed:?}");
    println!("  {} is reached at {:?}", public_card.description, public_card.primary_url());
    assert_eq!(public_card.agent_public_key_pem().as_deref(), Some(agent.public_key.as_str()));
    assert_eq!(public_card.trust_score(), None, "of a new agent too little is known");

    // A key is rotated: who trusts the former one goes on believing cards for a while
    client.agent_cards().rotate_key(None).await?;
    let public_card = client.agent_cards().get_public(&agent.id).await?;
    assert!(public_card.verify_signature(&keys).is_ok());

    // Take it back
    client.agent_cards().withdraw(&agent.id).await?;
    assert!(client.agent_cards().get_public(&agent.id).await.is_err());
    Ok(())
}

fn blocking(client: blocking::AgentTrustClient) -> Result<(), AgentTrustError> {
    let agent = client.agents().create(&bot(&["web_search"]))?;

    // Generate an Agent Card
    let card = client.agent_cards().generate(&agent.id)?;
    println!("  {}: {:?}", card.name, card.capabilities.streaming);

    // More than the agent's record says of it
    let options = CardOptions::default().description("Finds papers and sums them up");
    client.agent_cards().generate_with(&agent.id, &options)?;

    // Publish the card (makes it publicly discoverable)
    assert!(client.agent_cards().get_public(&agent.id).is_err());
    client.agent_cards().publish(&agent.id)?;

    // Retrieve a public Agent Card (no auth required), and believe it
    let keys = client.agent_cards().signing_keys()?.trusted();
    let public_card = client.agent_cards().get_public(&agent.id)?;
    let signed = public_card.verify_signature(&keys);
    assert!(signed.is_ok(), "{signed:?}");
    println!("  {} is reached at {:?}", public_card.description, public_card.primary_url());
    assert_eq!(public_card.agent_public_key_pem().as_deref(), Some(agent.public_key.as_str()));
    assert_eq!(public_card.trust_score(), None, "of a new agent too little is known");

    // A key is rotated: who trusts the former one goes on believing cards for a while
    client.agent_cards().rotate_key(None)?;
    let public_card = client.agent_cards().get_public(&agent.id)?;
    assert!(public_card.verify_signature(&keys).is_ok());

    // Take it back
    client.agent_cards().withdraw(&agent.id)?;
    assert!(client.agent_cards().get_public(&agent.id).is_err());
    Ok(())
}
