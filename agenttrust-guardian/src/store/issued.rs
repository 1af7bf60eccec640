//! What was issued and opened, at any remove: a session from a token, a token in that session, a session from
//! that one. It is taken back whole, in the transaction that takes back what it was made from.

use agenttrust::Timestamp;

use super::Transaction;
use super::db::query;

/// The statement that sets `$end` of the sessions in `gone`: those of `$roots`, and all that were made from them.
macro_rules! made_from {
    ($roots:literal, $end:literal) => {
        concat!(
            "WITH RECURSIVE gone (id) AS (",
            $roots,
            " UNION SELECT sessions.id FROM gone JOIN tokens ON tokens.session_id = gone.id \
             JOIN sessions ON sessions.token_id = tokens.id) ",
            $end
        )
    };
}

macro_rules! end_sessions {
    ($roots:literal) => {
        made_from!(
            $roots,
            "UPDATE sessions SET ended_at = $2 \
             WHERE id IN (SELECT id FROM gone) AND ended_at IS NULL AND expires_at > $2"
        )
    };
}

macro_rules! revoke_tokens_in {
    ($roots:literal) => {
        made_from!(
            $roots,
            "UPDATE tokens SET revoked_at = $2 \
             WHERE session_id IN (SELECT id FROM gone) AND revoked_at IS NULL AND expires_at > $2"
        )
    };
}

/// The statement that sets `$end` of the delegations in `below`, those for which `$roots` holds and all that were made
/// from them, and of the sessions in `gone`, theirs and all that were made from these.
macro_rules! delegated {
    ($roots:literal, $end:literal) => {
        concat!(
            "WITH RECURSIVE below (id) AS (SELECT id FROM delegations WHERE ",
            $roots,
            " UNION SELECT delegations.id FROM below \
             JOIN delegations ON delegations.parent_id = below.id), \
             gone (id) AS (SELECT id FROM sessions WHERE delegation_id IN (SELECT id FROM below) \
             UNION SELECT sessions.id FROM gone JOIN tokens ON tokens.session_id = gone.id \
             JOIN sessions ON sessions.token_id = tokens.id) ",
            $end
        )
    };
}

/// The statements that take delegations back, with all that was made from them.
macro_rules! take_delegations {
    ($roots:literal) => {
        [
            delegated!(
                $roots,
                "UPDATE tokens SET revoked_at = $2 WHERE session_id IN (SELECT id FROM gone) \
                 AND revoked_at IS NULL AND expires_at > $2"
            ),
            delegated!(
                $roots,
                "UPDATE sessions SET ended_at = $2 WHERE id IN (SELECT id FROM gone) \
                 AND ended_at IS NULL AND expires_at > $2"
            ),
            delegated!(
                $roots,
                "UPDATE delegations SET revoked_at = $2 WHERE id IN (SELECT id FROM below) \
                 AND revoked_at IS NULL AND expires_at > $2"
            ),
        ]
    };
}

const TAKE_DELEGATION: [&str; 3] = take_delegations!("id = $1");
const TAKE_DELEGATIONS_OF_KEY: [&str; 3] = take_delegations!("created_by = $1");
const TAKE_DELEGATIONS_OF_AGENT: [&str; 3] =
    take_delegations!("from_agent_id = $1 OR to_agent_id = $1");

const REVOKE_TOKEN: &str = "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
const REVOKE_TOKENS_OF_KEY: &str = "UPDATE tokens SET revoked_at = $2 \
                                    WHERE issued_by = $1 AND revoked_at IS NULL AND expires_at > $2";

const TOKENS_OF_TOKEN: &str = revoke_tokens_in!("SELECT id FROM sessions WHERE token_id = $1");
const SESSIONS_OF_TOKEN: &str = end_sessions!("SELECT id FROM sessions WHERE token_id = $1");
const TOKENS_OF_SESSION: &str = revoke_tokens_in!("SELECT id FROM sessions WHERE id = $1");
const SESSIONS_OF_SESSION: &str = end_sessions!("SELECT id FROM sessions WHERE id = $1");
const TOKENS_OF_PROVIDER: &str =
    revoke_tokens_in!("SELECT id FROM sessions WHERE provider_id = $1");
const SESSIONS_OF_PROVIDER: &str = end_sessions!("SELECT id FROM sessions WHERE provider_id = $1");
const TOKENS_OF_KEY: &str = revoke_tokens_in!(
    "SELECT id FROM sessions WHERE opened_by = $1 UNION SELECT sessions.id FROM tokens \
     JOIN sessions ON sessions.token_id = tokens.id WHERE tokens.issued_by = $1"
);
const SESSIONS_OF_KEY: &str = end_sessions!(
    "SELECT id FROM sessions WHERE opened_by = $1 UNION SELECT sessions.id FROM tokens \
     JOIN sessions ON sessions.token_id = tokens.id WHERE tokens.issued_by = $1"
);

/// The numbers of what was taken back and worked until then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) tokens: u64,
    pub(crate) sessions: u64,
    pub(crate) delegations: u64,
}

/// Revokes a token, with all that was made from it.
pub(super) async fn take_token(
    transaction: &mut Transaction,
    id: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    for statement in [REVOKE_TOKEN, TOKENS_OF_TOKEN, SESSIONS_OF_TOKEN] {
        run(transaction, statement, id, now).await?;
    }
    Ok(())
}

/// Ends a session, with all that was made from it.
pub(super) async fn take_session(
    transaction: &mut Transaction,
    id: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    for statement in [TOKENS_OF_SESSION, SESSIONS_OF_SESSION] {
        run(transaction, statement, id, now).await?;
    }
    Ok(())
}

/// Ends every session that a federation provider vouched for, with all that was made from it.
pub(super) async fn take_provider(
    transaction: &mut Transaction,
    id: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    for statement in [TOKENS_OF_PROVIDER, SESSIONS_OF_PROVIDER] {
        run(transaction, statement, id, now).await?;
    }
    Ok(())
}

/// Revokes a delegation, with all that was made from it.
pub(super) async fn take_delegation(
    transaction: &mut Transaction,
    id: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    for statement in TAKE_DELEGATION {
        run(transaction, statement, id, now).await?;
    }
    Ok(())
}

/// Revokes what an agent gave and what it was given, with all that was made from it.
pub(super) async fn take_delegations_of_agent(
    transaction: &mut Transaction,
    agent_id: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    for statement in TAKE_DELEGATIONS_OF_AGENT {
        run(transaction, statement, agent_id, now).await?;
    }
    Ok(())
}

/// Takes back what was issued and opened with a key, with all that was made from it.
pub(super) async fn take_issued(
    transaction: &mut Transaction,
    key_id: &str,
    now: Timestamp,
) -> Result<Gone, sqlx::Error> {
    let mut tokens = run(transaction, REVOKE_TOKENS_OF_KEY, key_id, now).await?;
    tokens += run(transaction, TOKENS_OF_KEY, key_id, now).await?;
    let mut sessions = run(transaction, SESSIONS_OF_KEY, key_id, now).await?;
    let [of_tokens, of_sessions, delegations] = TAKE_DELEGATIONS_OF_KEY;
    tokens += run(transaction, of_tokens, key_id, now).await?;
    sessions += run(transaction, of_sessions, key_id, now).await?;
    let delegations = run(transaction, delegations, key_id, now).await?;
    Ok(Gone { tokens, sessions, delegations })
}

async fn run(
    transaction: &mut Transaction,
    statement: &'static str,
    id: &str,
    now: Timestamp,
) -> Result<u64, sqlx::Error> {
    query(statement).bind(id).bind(now.unix_micros()).execute(transaction).await
}
