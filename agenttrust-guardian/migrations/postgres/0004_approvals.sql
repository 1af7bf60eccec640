-- An approval binds the scopes that the tool needs as well: a sorted list, and its SHA-256, which fits an
-- index however long the list is. The default is that of the empty list.
ALTER TABLE approvals ADD COLUMN scopes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE approvals ADD COLUMN scopes_hash TEXT NOT NULL
    DEFAULT '4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945';

-- How the call went that used it last. Without it, nobody knows whether it ran.
ALTER TABLE approvals ADD COLUMN succeeded BOOLEAN;
ALTER TABLE approvals ADD COLUMN outcome_at BIGINT;

DROP INDEX approvals_one_pending;
CREATE UNIQUE INDEX approvals_one_pending ON approvals
    (org_id, agent_id, session_id, tool, effect, scopes_hash, bound_to, bound_value)
    WHERE status = 'pending';
CREATE INDEX approvals_by_age ON approvals (org_id, created_at, id);
CREATE INDEX approvals_by_use ON approvals (used_by_check) WHERE used_by_check IS NOT NULL;
CREATE INDEX approvals_in_doubt ON approvals (org_id, created_at, id)
    WHERE used_by_check IS NOT NULL AND outcome_at IS NULL;

-- Whom to tell of approvals. The secret is here as it is, because what is sent is signed with it.
CREATE TABLE webhooks (
    id           TEXT   NOT NULL PRIMARY KEY,
    org_id       TEXT   NOT NULL,
    url          TEXT   NOT NULL,
    events       TEXT   NOT NULL,
    secret       TEXT   NOT NULL,
    created_by   TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    disabled_at  BIGINT,
    disabled_for TEXT
);
CREATE INDEX webhooks_by_org ON webhooks (org_id, created_at);

-- What is to be told, written together with what happened. Without a reference to webhooks: one that is
-- removed at the same moment must not undo an approval.
CREATE TABLE webhook_deliveries (
    id          TEXT   NOT NULL PRIMARY KEY,
    webhook_id  TEXT   NOT NULL,
    event       TEXT   NOT NULL,
    body        TEXT   NOT NULL,
    status      TEXT   NOT NULL,
    attempts    BIGINT NOT NULL DEFAULT 0,
    next_at     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    last_status BIGINT,
    last_error  TEXT
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at) WHERE status = 'waiting';
CREATE INDEX webhook_deliveries_of ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at);
