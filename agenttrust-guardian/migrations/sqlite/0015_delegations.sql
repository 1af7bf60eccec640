-- What one agent lets another do in its place. Every chain begins with the delegation root_id.
CREATE TABLE delegations (
    id            TEXT NOT NULL PRIMARY KEY,
    org_id        TEXT NOT NULL,
    from_agent_id TEXT NOT NULL REFERENCES agents (id),
    to_agent_id   TEXT NOT NULL REFERENCES agents (id),
    parent_id     TEXT,
    root_id       TEXT NOT NULL,
    scope         TEXT NOT NULL,
    restrictions  TEXT NOT NULL,
    created_by    TEXT NOT NULL,
    -- Which of its sets of capabilities the giver had when it gave.
    agent_version BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    revoked_at    BIGINT
);
CREATE INDEX delegations_by_giver ON delegations (from_agent_id);
CREATE INDEX delegations_by_receiver ON delegations (to_agent_id);
CREATE INDEX delegations_by_parent ON delegations (parent_id);
CREATE INDEX delegations_by_age ON delegations (org_id, created_at, id);
CREATE INDEX delegations_by_expiry ON delegations (expires_at, id);

-- The delegation that a session was opened from.
ALTER TABLE sessions ADD COLUMN delegation_id TEXT;
CREATE INDEX sessions_by_delegation ON sessions (delegation_id);

-- For whom the agent of a held call asks, the nearest first.
ALTER TABLE approvals ADD COLUMN on_behalf_of TEXT;
