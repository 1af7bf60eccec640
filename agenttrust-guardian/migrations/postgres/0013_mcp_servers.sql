-- The MCP servers that stand behind this Guardian.
CREATE TABLE mcp_servers (
    id            TEXT NOT NULL PRIMARY KEY,
    org_id        TEXT NOT NULL,
    -- What its tools are called by, as in name/tool.
    name          TEXT NOT NULL,
    url           TEXT NOT NULL,
    capabilities  TEXT NOT NULL,
    -- What is sent to it as Authorization, sealed.
    credentials   TEXT,
    -- The gateway key by which the Guardian asks for agents that come with a token.
    key_id        TEXT NOT NULL REFERENCES keys (id),
    created_by    TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    -- When its tools were last other ones than before.
    tools_seen_at BIGINT
);
CREATE UNIQUE INDEX mcp_servers_by_name ON mcp_servers (org_id, name);

-- Their tools, as they were when they were first seen or accepted. Kept when they are gone: one that comes back is
-- compared.
CREATE TABLE mcp_tools (
    server_id          TEXT NOT NULL REFERENCES mcp_servers (id),
    name               TEXT NOT NULL,
    digest             TEXT NOT NULL,
    definition         TEXT NOT NULL,
    effect_hint        TEXT,
    -- What the server lists instead; without a definition where it is too long to be kept.
    changed_digest     TEXT,
    changed_definition TEXT,
    is_gone            BOOLEAN NOT NULL,
    -- What the audit was told of it last, and when.
    told               TEXT,
    told_at            BIGINT,
    first_seen_at      BIGINT NOT NULL,
    accepted_by        TEXT,
    accepted_at        BIGINT,
    PRIMARY KEY (server_id, name)
);
