-- What agents tell others of themselves.
CREATE TABLE agent_cards (
    agent_id     TEXT NOT NULL PRIMARY KEY REFERENCES agents (id),
    org_id       TEXT NOT NULL,
    -- What was said of the card, and where the agent itself is reached.
    options      TEXT NOT NULL,
    -- The card, without its signatures: it is signed when it is read.
    card         TEXT NOT NULL,
    generated_at BIGINT NOT NULL,
    -- Since when everybody may read it.
    published_at BIGINT
);

-- The keys that sign cards.
CREATE TABLE card_keys (
    id         TEXT NOT NULL PRIMARY KEY,
    -- The public half, 32 bytes in base64url.
    public_key TEXT NOT NULL,
    -- The private half, sealed.
    secret     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Until when a key is taken that another one took the place of.
    ends_at    BIGINT
);
-- One key is the newest.
CREATE UNIQUE INDEX card_keys_newest ON card_keys ((ends_at IS NULL)) WHERE ends_at IS NULL;
