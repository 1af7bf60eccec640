-- Points in time are microseconds since 1970. Lists and maps are JSON. Secrets are here only as
-- SHA-256, in hexadecimal.

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO settings (name, value) VALUES ('keys_version', 0);

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
