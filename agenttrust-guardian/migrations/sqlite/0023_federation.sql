-- Whose word is taken on who somebody is.
CREATE TABLE federation_providers (
    id                     TEXT NOT NULL PRIMARY KEY,
    org_id                 TEXT NOT NULL,
    -- What the iss of its tokens is, byte for byte.
    issuer                 TEXT NOT NULL,
    name                   TEXT NOT NULL,
    jwks_uri               TEXT NOT NULL,
    authorization_endpoint TEXT,
    token_endpoint         TEXT,
    trust_level            TEXT NOT NULL,
    audiences              TEXT NOT NULL,
    rules                  TEXT NOT NULL,
    -- Counted up by every change that takes something away: sessions that were opened before it end.
    version                BIGINT NOT NULL,
    -- The gateway key by which the Guardian asks for those that come with its tokens.
    key_id                 TEXT NOT NULL REFERENCES keys (id),
    created_by             TEXT NOT NULL,
    created_at             BIGINT NOT NULL,
    updated_at             BIGINT NOT NULL
);
CREATE UNIQUE INDEX federation_providers_by_issuer ON federation_providers (org_id, issuer);
CREATE UNIQUE INDEX federation_providers_by_name ON federation_providers (org_id, name);

-- Who vouched for those that a session was opened for: the provider as it was then, and the hash of the token.
ALTER TABLE sessions ADD COLUMN provider_id TEXT;
ALTER TABLE sessions ADD COLUMN provider_version BIGINT;
ALTER TABLE sessions ADD COLUMN issuer TEXT;
ALTER TABLE sessions ADD COLUMN trust_level TEXT;
ALTER TABLE sessions ADD COLUMN federated_hash TEXT;
CREATE INDEX sessions_by_provider ON sessions (provider_id);

-- What a token is for: agent or federation.
ALTER TABLE tokens ADD COLUMN kind TEXT NOT NULL DEFAULT 'agent';
