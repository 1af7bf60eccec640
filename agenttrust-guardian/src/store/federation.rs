//! The table of federation providers. Each has a gateway key of its own, which comes and goes with it.

use agenttrust::Timestamp;
use agenttrust::model::{FederationRule, TrustLevel};

use super::changes::{Kind, append_change};
use super::db::query;
use super::issued::{self, Gone};
use super::keys::{self, KeyEnd, KeyRow};
use super::row::from_row;
use super::{Store, StoreError, Transaction, from_json, from_micros, to_json, unreadable};

/// The largest number of federation providers of an organisation.
pub(crate) const FEDERATION_PROVIDERS_MOST: i64 = 50;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, org_id, issuer, name, jwks_uri, authorization_endpoint, token_endpoint, trust_level, \
             audiences, rules, version, key_id, created_by, created_at, updated_at FROM federation_providers ",
            $rest
        )
    };
}

const COUNT: &str = "SELECT COUNT(*) FROM federation_providers WHERE org_id = $1";
// Those that are in the way of one of this issuer and name.
const TAKEN: &str = "SELECT id, issuer FROM federation_providers \
                     WHERE org_id = $1 AND (issuer = $2 OR name = $3) AND id <> $4 ORDER BY id";
const INSERT: &str = "INSERT INTO federation_providers (id, org_id, issuer, name, jwks_uri, \
                      authorization_endpoint, token_endpoint, trust_level, audiences, rules, version, key_id, \
                      created_by, created_at, updated_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
const LIST: &str = select!("ORDER BY created_at, id");
const BY_ID: &str = select!("WHERE id = $1");
const UPDATE: &str = "UPDATE federation_providers SET name = $3, trust_level = $4, audiences = $5, rules = $6, \
                      version = $7, updated_at = $8 WHERE id = $1 AND org_id = $2";
const RENAME_GATEWAY: &str = "UPDATE keys SET gateway = $2 WHERE id = $1 AND gateway <> $2";
const DELETE: &str = "DELETE FROM federation_providers WHERE id = $1 AND org_id = $2";

/// A federation provider as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct ProviderRow {
    pub(crate) id: String,
    pub(crate) org_id: String,
    /// The `iss` of its tokens, byte for byte.
    pub(crate) issuer: String,
    pub(crate) jwks_uri: String,
    pub(crate) authorization_endpoint: Option<String>,
    pub(crate) token_endpoint: Option<String>,
    /// The settings of it that may be changed.
    pub(crate) vouching: Vouching,
    /// The number that every change that takes something away from its tokens counts up.
    pub(crate) version: i64,
    /// Its gateway key.
    pub(crate) key_id: String,
    /// The key that registered it.
    pub(crate) created_by: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// The name of a provider, and what its word is taken for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vouching {
    pub(crate) name: String,
    pub(crate) trust_level: TrustLevel,
    /// The audiences that the `aud` of its tokens must name; without any, the Guardian's public URL.
    pub(crate) audiences: Vec<String>,
    /// The first that fits counts.
    pub(crate) rules: Vec<FederationRule>,
}

impl Vouching {
    /// Returns whether a token may do less by this than by what was `before`. Rules behind all others take nothing
    /// away, nor do further audiences or more trust.
    pub(crate) fn takes_from(&self, before: &Self) -> bool {
        let trust = |level: TrustLevel| match level {
            TrustLevel::High => 2,
            TrustLevel::Medium => 1,
            _ => 0,
        };
        let keeps_audiences = match (before.audiences.as_slice(), self.audiences.as_slice()) {
            // None is one too: the Guardian's own.
            ([], after) => after.is_empty(),
            (_, []) => false,
            (before, after) => before.iter().all(|audience| after.contains(audience)),
        };
        trust(self.trust_level) < trust(before.trust_level)
            || !keeps_audiences
            || !self.rules.starts_with(&before.rules)
    }
}

/// The result of keeping or changing a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProviderKept {
    Kept,
    /// The issuer has a provider already: its id.
    Issuing(String),
    /// The name is taken by a provider: its id.
    Named(String),
    /// Its organisation has as many as it may have.
    Full,
    /// The key that registers it was revoked meanwhile.
    KeyRevoked,
    /// The provider is not there any more.
    Gone,
    /// The provider was changed by others meanwhile.
    Changed,
}

from_row! {
    struct Raw {
        id: String,
        org_id: String,
        issuer: String,
        name: String,
        jwks_uri: String,
        authorization_endpoint: Option<String>,
        token_endpoint: Option<String>,
        trust_level: String,
        audiences: String,
        rules: String,
        version: i64,
        key_id: String,
        created_by: String,
        created_at: i64,
        updated_at: i64,
    }
}

impl TryFrom<Raw> for ProviderRow {
    type Error = sqlx::Error;

    fn try_from(raw: Raw) -> Result<Self, sqlx::Error> {
        let trust_level = raw.trust_level.parse();
        Ok(Self {
            vouching: Vouching {
                name: raw.name,
                trust_level: trust_level.map_err(|error| unreadable("trust_level", error))?,
                audiences: from_json("audiences", &raw.audiences)?,
                rules: from_json("rules", &raw.rules)?,
            },
            created_at: from_micros("created_at", raw.created_at)?,
            updated_at: from_micros("updated_at", raw.updated_at)?,
            version: raw.version,
            id: raw.id,
            org_id: raw.org_id,
            issuer: raw.issuer,
            jwks_uri: raw.jwks_uri,
            authorization_endpoint: raw.authorization_endpoint,
            token_endpoint: raw.token_endpoint,
            key_id: raw.key_id,
            created_by: raw.created_by,
        })
    }
}

impl Store {
    /// Keeps a new provider and its gateway key, both or neither.
    pub(crate) async fn insert_provider(
        &self,
        row: ProviderRow,
        key: KeyRow,
    ) -> Result<ProviderKept, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&row.org_id).await?;
            // Who revokes the key that registers holds the same lock, and comes before or after.
            transaction.lock(&row.created_by).await?;
            if keys::is_revoked(&mut transaction, &row.created_by).await? {
                return Ok(ProviderKept::KeyRevoked);
            }
            if let Some(taken) = in_the_way(&mut transaction, &row).await? {
                return Ok(taken);
            }
            let (count,): (i64,) =
                query(COUNT).bind(&row.org_id).fetch_one(&mut transaction).await?;
            if count >= FEDERATION_PROVIDERS_MOST {
                return Ok(ProviderKept::Full);
            }
            keys::insert(&mut transaction, &key).await?;
            insert(&mut transaction, &row).await?;
            append_change(&mut transaction, Kind::Key, &key.org_id, &key.id, key.created_at)
                .await?;
            let (org_id, id) = (&row.org_id, &row.id);
            append_change(&mut transaction, Kind::FederationProvider, org_id, id, row.created_at)
                .await?;
            transaction.commit().await?;
            Ok(ProviderKept::Kept)
        })
        .await
    }

    /// Returns every federation provider, oldest first.
    pub(crate) async fn providers(&self) -> Result<Vec<ProviderRow>, StoreError> {
        self.run(|db| async move {
            let rows: Vec<Raw> = query(LIST).fetch_all(&db).await?;
            rows.into_iter().map(ProviderRow::try_from).collect()
        })
        .await
    }

    /// Returns the federation provider with this id.
    pub(crate) async fn provider(&self, id: String) -> Result<Option<ProviderRow>, StoreError> {
        self.run(move |db| async move {
            let row: Option<Raw> = query(BY_ID).bind(id).fetch_optional(&db).await?;
            row.map(ProviderRow::try_from).transpose()
        })
        .await
    }

    /// Keeps a provider as `row` has it, where it is still as `before` says, and gives its gateway this name. With
    /// another version, the sessions that it vouched for end.
    pub(crate) async fn change_provider(
        &self,
        row: ProviderRow,
        before: ProviderRow,
        gateway: String,
    ) -> Result<ProviderKept, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            transaction.lock(&row.org_id).await?;
            transaction.lock(&row.id).await?;
            let kept: Option<Raw> =
                query(BY_ID).bind(&row.id).fetch_optional(&mut transaction).await?;
            let kept = kept.map(ProviderRow::try_from).transpose()?;
            let stands = |kept: &ProviderRow| {
                kept.vouching == before.vouching && kept.version == before.version
            };
            match kept.filter(|kept| kept.org_id == row.org_id) {
                None => return Ok(ProviderKept::Gone),
                Some(kept) if !stands(&kept) => return Ok(ProviderKept::Changed),
                Some(_) => {}
            }
            if let Some(taken) = in_the_way(&mut transaction, &row).await? {
                return Ok(taken);
            }
            let Vouching { name, trust_level, audiences, rules } = &row.vouching;
            query(UPDATE)
                .bind(&row.id)
                .bind(&row.org_id)
                .bind(name)
                .bind(trust_level.as_str())
                .bind(to_json(audiences))
                .bind(to_json(rules))
                .bind(row.version)
                .bind(row.updated_at.unix_micros())
                .execute(&mut transaction)
                .await?;
            let renamed = query(RENAME_GATEWAY)
                .bind(&row.key_id)
                .bind(gateway)
                .execute(&mut transaction)
                .await?;
            let (org_id, now) = (&row.org_id, row.updated_at);
            if row.version != before.version {
                issued::take_provider(&mut transaction, &row.id, now).await?;
            }
            if renamed > 0 {
                append_change(&mut transaction, Kind::Key, org_id, &row.key_id, now).await?;
            }
            append_change(&mut transaction, Kind::FederationProvider, org_id, &row.id, now).await?;
            transaction.commit().await?;
            Ok(ProviderKept::Kept)
        })
        .await
    }

    /// Removes a provider, ends the sessions that it vouched for, and revokes its gateway key with what was issued
    /// with it; `None` when there is no such provider, and inside what went with the key, where that still worked.
    pub(crate) async fn delete_provider(
        &self,
        id: String,
        key: KeyEnd,
    ) -> Result<Option<Option<Gone>>, StoreError> {
        self.run(move |db| async move {
            let mut transaction = db.begin().await?;
            // In the order in which who opens a session takes them.
            transaction.lock(&key.id).await?;
            transaction.lock(&id).await?;
            let done = query(DELETE).bind(&id).bind(&key.org_id).execute(&mut transaction).await?;
            if done == 0 {
                return Ok(None);
            }
            issued::take_provider(&mut transaction, &id, key.now).await?;
            let revoked = keys::revoke(&mut transaction, &key).await?;
            if revoked.is_some() {
                append_change(&mut transaction, Kind::Key, &key.org_id, &key.id, key.now).await?;
            }
            append_change(&mut transaction, Kind::FederationProvider, &key.org_id, &id, key.now)
                .await?;
            transaction.commit().await?;
            Ok(Some(revoked))
        })
        .await
    }
}

/// Returns what is in the way of a provider of this issuer and name, if anything is.
async fn in_the_way(
    transaction: &mut Transaction,
    row: &ProviderRow,
) -> Result<Option<ProviderKept>, sqlx::Error> {
    let taken: Vec<(String, String)> = query(TAKEN)
        .bind(&row.org_id)
        .bind(&row.issuer)
        .bind(&row.vouching.name)
        .bind(&row.id)
        .fetch_all(transaction)
        .await?;
    let of_issuer = taken.iter().find(|(_, issuer)| *issuer == row.issuer);
    Ok(match (of_issuer, taken.first()) {
        (Some((id, _)), _) => Some(ProviderKept::Issuing(id.clone())),
        (None, Some((id, _))) => Some(ProviderKept::Named(id.clone())),
        (None, None) => None,
    })
}

async fn insert(transaction: &mut Transaction, row: &ProviderRow) -> Result<(), sqlx::Error> {
    let Vouching { name, trust_level, audiences, rules } = &row.vouching;
    query(INSERT)
        .bind(&row.id)
        .bind(&row.org_id)
        .bind(&row.issuer)
        .bind(name)
        .bind(&row.jwks_uri)
        .bind(&row.authorization_endpoint)
        .bind(&row.token_endpoint)
        .bind(trust_level.as_str())
        .bind(to_json(audiences))
        .bind(to_json(rules))
        .bind(row.version)
        .bind(&row.key_id)
        .bind(&row.created_by)
        .bind(row.created_at.unix_micros())
        .bind(row.updated_at.unix_micros())
        .execute(transaction)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_takes_something_away_unless_it_only_adds() {
        let rule = |agent: &str| FederationRule::new(agent);
        let vouching = |trust_level, audiences: &[&str], rules: &[&str]| Vouching {
            name: "partner".to_owned(),
            trust_level,
            audiences: audiences.iter().map(|&audience| audience.to_owned()).collect(),
            rules: rules.iter().map(|agent| rule(agent)).collect(),
        };
        let (low, medium, high) = (TrustLevel::Low, TrustLevel::Medium, TrustLevel::High);
        let before = vouching(medium, &["a"], &["one", "two"]);
        for (after, takes) in [
            (Vouching { name: "other".to_owned(), ..before.clone() }, false),
            (vouching(high, &["b", "a"], &["one", "two", "three"]), false),
            (vouching(low, &["a"], &["one", "two"]), true),
            (vouching(medium, &["b"], &["one", "two"]), true),
            (vouching(medium, &[], &["one", "two"]), true),
            (vouching(medium, &["a"], &["one"]), true),
            (vouching(medium, &["a"], &["two", "one"]), true),
            (vouching(medium, &["a"], &["three", "one", "two"]), true),
        ] {
            assert_eq!(after.takes_from(&before), takes, "{after:?}");
        }
        let own = vouching(medium, &[], &[]);
        assert!(vouching(medium, &["a"], &[]).takes_from(&own) && !own.takes_from(&own));
    }
}
