//! The table of agent cards, and the outcomes that a card tells of.

use agenttrust::Timestamp;
use agenttrust::model::{AgentCard, CardOptions};

use super::changes::{Kind, append_change};
use super::db::query;
use super::row::from_row;
use super::{Store, StoreError, from_json, from_micros, to_json};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT agent_id, org_id, options, card, generated_at, published_at FROM agent_cards ",
            $rest
        )
    };
}

const LIST: &str = select!("ORDER BY agent_id");
const OF_AGENT: &str = select!("WHERE agent_id = $1");
const GENERATED_AT: &str = "SELECT generated_at FROM agent_cards WHERE agent_id = $1";
const PUT: &str = "INSERT INTO agent_cards (agent_id, org_id, options, card, generated_at) \
                   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (agent_id) DO UPDATE SET \
                   options = $3, card = $4, generated_at = $5";
const PUBLISH: &str = "UPDATE agent_cards SET published_at = COALESCE(published_at, $3) \
                       WHERE agent_id = $1 AND org_id = $2";
const WITHDRAW: &str =
    "UPDATE agent_cards SET published_at = NULL WHERE agent_id = $1 AND org_id = $2";
const OUTCOMES: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN success THEN 1 ELSE 0 END), 0) AS BIGINT) \
                        FROM telemetry WHERE agent_id = $1 AND received_at >= $2 AND verified AND stage = 'end'";

/// The card of one agent.
#[derive(Clone, Debug)]
pub(crate) struct CardRow {
    pub(crate) agent_id: String,
    pub(crate) org_id: String,
    /// The facts that the card was made from, and the address of the agent itself.
    pub(crate) options: CardOptions,
    /// The card, without signatures.
    pub(crate) card: AgentCard,
    pub(crate) generated_at: Timestamp,
    /// The time since when the card is public.
    pub(crate) published_at: Option<Timestamp>,
}

/// The number of calls of an agent by their outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcomes {
    pub(crate) all: i64,
    pub(crate) good: i64,
}

from_row! {
    struct Raw {
        agent_id: String,
        org_id: String,
        options: String,
        card: String,
        generated_at: i64,
        published_at: Option<i64>,
    }
}

impl TryFrom<Raw> for CardRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        let published = raw.published_at.map(|at| from_micros("published_at", at)).transpose()?;
        Ok(Self {
            agent_id: raw.agent_id,
            org_id: raw.org_id,
            options: from_json("options", &raw.options)?,
            card: from_json("card", &raw.card)?,
            generated_at: from_micros("generated_at", raw.generated_at)?,
            published_at: published,
        })
    }
}

impl Store {
    /// Returns every card.
    pub(crate) async fn cards(&self) -> Result<Vec<CardRow>, StoreError> {
        self.run(|db| async move {
            let rows: Vec<Raw> = query(LIST).fetch_all(&db).await?;
            rows.into_iter().map(CardRow::try_from).collect()
        })
        .await
    }

    /// Returns the card of this agent.
    pub(crate) async fn card(&self, agent_id: String) -> Result<Option<CardRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<Raw> = query(OF_AGENT).bind(agent_id).fetch_optional(&db).await?;
            row.map(CardRow::try_from).transpose()
        })
        .await
    }

    /// Keeps a card that was made from the one of `seen`, published or not as that is; `false` where it is another one
    /// by now.
    pub(crate) async fn put_card(
        &self,
        row: CardRow,
        seen: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&row.agent_id).await?;
            let found: Option<(i64,)> =
                query(GENERATED_AT).bind(&row.agent_id).fetch_optional(&mut transaction).await?;
            if found.map(|(at,)| at) != seen.map(Timestamp::unix_micros) {
                return Ok(false);
            }
            query(PUT)
                .bind(&row.agent_id)
                .bind(&row.org_id)
                .bind(to_json(&row.options))
                .bind(to_json(&row.card))
                .bind(row.generated_at.unix_micros())
                .execute(&mut transaction)
                .await?;
            append_change(
                &mut transaction,
                Kind::Card,
                &row.org_id,
                &row.agent_id,
                row.generated_at,
            )
            .await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Publishes the card of this agent; `false` where it has none.
    pub(crate) async fn publish_card(
        &self,
        org_id: String,
        agent_id: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            let publish = query(PUBLISH).bind(&agent_id).bind(&org_id).bind(now.unix_micros());
            let done = publish.execute(&mut transaction).await?;
            if done == 0 {
                return Ok(false);
            }
            append_change(&mut transaction, Kind::Card, &org_id, &agent_id, now).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Withdraws the card of this agent from the public; `false` where it has no card.
    pub(crate) async fn withdraw_card(
        &self,
        org_id: String,
        agent_id: String,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            let withdraw = query(WITHDRAW).bind(&agent_id).bind(&org_id);
            let done = withdraw.execute(&mut transaction).await?;
            if done == 0 {
                return Ok(false);
            }
            append_change(&mut transaction, Kind::Card, &org_id, &agent_id, now).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Returns how the calls of this agent ended, as reports that are believed say, since then.
    pub(crate) async fn outcomes_since(
        &self,
        agent_id: String,
        since: Timestamp,
    ) -> Result<Outcomes, StoreError> {
        self.run(move |db| async move {
            let (all, good): (i64, i64) =
                query(OUTCOMES).bind(agent_id).bind(since.unix_micros()).fetch_one(&db).await?;
            Ok(Outcomes { all, good })
        })
        .await
    }
}
