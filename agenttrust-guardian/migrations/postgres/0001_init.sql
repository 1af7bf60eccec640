-- Points in time are microseconds since 1970. Lists and maps are JSON. Secrets are here only as
-- SHA-256, in hexadecimal.

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO settings (name, value) VALUES ('changes', 0);

CREATE TABLE agents (
    id            TEXT NOT NULL PRIMARY KEY,
    org_id        TEXT NOT NULL,
    name          TEXT NOT NULL,
    framework     TEXT NOT NULL,
    public_key    TEXT NOT NULL,
    status        TEXT NOT NULL,
    capabilities  TEXT NOT NULL,
    metadata      TEXT NOT NULL,
    floor_mode    TEXT NOT NULL,
    floor_ceiling TEXT,
    created_at    BIGINT NOT NULL,
    revoked_at    BIGINT,
    revoked_for   TEXT
);

CREATE TABLE keys (
    id         TEXT NOT NULL PRIMARY KEY,
    org_id     TEXT NOT NULL,
    hash       TEXT NOT NULL UNIQUE,
    role       TEXT NOT NULL,
    agents     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE TABLE tokens (
    id         TEXT NOT NULL PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE,
    org_id     TEXT NOT NULL,
    agent_id   TEXT NOT NULL REFERENCES agents (id),
    scopes     TEXT NOT NULL,
    audience   TEXT NOT NULL,
    session_id TEXT,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX tokens_by_agent ON tokens (agent_id);
CREATE INDEX tokens_by_expiry ON tokens (expires_at);

CREATE TABLE sessions (
    id               TEXT NOT NULL PRIMARY KEY,
    org_id           TEXT NOT NULL,
    agent_id         TEXT NOT NULL REFERENCES agents (id),
    source           TEXT NOT NULL,
    server_id        TEXT NOT NULL,
    mode             TEXT NOT NULL,
    scope_ceiling    TEXT,
    token_id         TEXT,
    created_at       BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    ended_at         BIGINT,
    last_activity_at BIGINT NOT NULL,
    opened_by        TEXT,
    total_calls      BIGINT NOT NULL DEFAULT 0,
    read_calls       BIGINT NOT NULL DEFAULT 0,
    write_calls      BIGINT NOT NULL DEFAULT 0,
    denied_calls     BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX sessions_by_agent ON sessions (agent_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE tool_effects (
    org_id TEXT NOT NULL,
    tool   TEXT NOT NULL,
    effect TEXT NOT NULL,
    set_by TEXT NOT NULL,
    set_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, tool)
);

-- What an approval is bound to stays in columns of its own: joined text could be made to collide.
CREATE TABLE approvals (
    id             TEXT NOT NULL PRIMARY KEY,
    org_id         TEXT NOT NULL,
    agent_id       TEXT NOT NULL REFERENCES agents (id),
    session_id     TEXT NOT NULL,
    tool           TEXT NOT NULL,
    effect         TEXT NOT NULL,
    bound_to       TEXT NOT NULL,
    bound_value    TEXT NOT NULL,
    summary        TEXT,
    reason         TEXT NOT NULL,
    status         TEXT NOT NULL,
    quorum         BIGINT NOT NULL,
    window_micros  BIGINT NOT NULL,
    single_use     BOOLEAN NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    decided_at     BIGINT,
    decided_by     TEXT,
    decided_by_key TEXT,
    input          TEXT,
    uses           BIGINT NOT NULL DEFAULT 0,
    used_by_check  TEXT,
    used_at        BIGINT
);
CREATE UNIQUE INDEX approvals_one_pending ON approvals
    (org_id, agent_id, session_id, tool, effect, bound_to, bound_value) WHERE status = 'pending';
CREATE INDEX approvals_by_agent ON approvals (agent_id, status, expires_at);
CREATE INDEX approvals_by_expiry ON approvals (status, expires_at);

-- Every key that asked under an approval: none of them may decide it.
CREATE TABLE approval_askers (
    approval_id TEXT NOT NULL REFERENCES approvals (id),
    key_id      TEXT NOT NULL,
    PRIMARY KEY (approval_id, key_id)
);

CREATE TABLE approval_votes (
    approval_id TEXT NOT NULL REFERENCES approvals (id),
    key_id      TEXT NOT NULL,
    decided_by  TEXT,
    voted_at    BIGINT NOT NULL,
    PRIMARY KEY (approval_id, key_id)
);

CREATE TABLE telemetry (
    id          TEXT NOT NULL PRIMARY KEY,
    org_id      TEXT NOT NULL,
    agent_id    TEXT NOT NULL REFERENCES agents (id),
    session_id  TEXT NOT NULL,
    key_id      TEXT NOT NULL,
    event_type  TEXT NOT NULL,
    tool        TEXT NOT NULL,
    duration_ms BIGINT NOT NULL,
    success     BOOLEAN NOT NULL,
    error_type  TEXT,
    happened_at BIGINT,
    received_at BIGINT NOT NULL,
    check_id    TEXT,
    verified    BOOLEAN NOT NULL
);
CREATE INDEX telemetry_by_agent ON telemetry (agent_id, received_at);
CREATE INDEX telemetry_by_age ON telemetry (received_at);

-- What operators and admins declare of tools; effects that they set stay in tool_effects.
CREATE TABLE tool_manifest (
    org_id      TEXT NOT NULL,
    tool        TEXT NOT NULL,
    effect      TEXT,
    scopes      TEXT NOT NULL,
    arguments   TEXT NOT NULL,
    places      TEXT NOT NULL,
    declared_by TEXT NOT NULL,
    declared_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, tool)
);

-- The effects that the keys of agents raised tools to.
CREATE TABLE tool_raised (
    org_id    TEXT NOT NULL,
    tool      TEXT NOT NULL,
    effect    TEXT NOT NULL,
    raised_by TEXT NOT NULL,
    raised_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, tool)
);

-- What changed, in the order of commits: memory follows it. The number of the newest is in settings.
CREATE TABLE changes (
    seq     BIGINT NOT NULL PRIMARY KEY,
    kind    TEXT   NOT NULL,
    org_id  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE INDEX changes_by_age ON changes (made_at);

-- The audit log of every replica: append-only, every row bound to the one before it by its hash.
CREATE TABLE audit (
    log       TEXT   NOT NULL,
    seq       BIGINT NOT NULL,
    at        TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    org_id    TEXT   NOT NULL,
    agent_id  TEXT,
    actor     TEXT,
    body      TEXT   NOT NULL,
    prev_hash BYTEA  NOT NULL,
    hash      BYTEA  NOT NULL,
    PRIMARY KEY (log, seq)
);
CREATE INDEX audit_by_agent ON audit (agent_id, log, seq);

-- This stops a mistake, not an attacker: who can drop a trigger is found by the hash chain instead.
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END;
$$;
CREATE TRIGGER audit_rows_never_change BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
