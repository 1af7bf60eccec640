-- Which approval a request for access came to, by the Idempotency-Key that it was made under: the same request once more
-- is told of the same one, and another request under the same key is refused.
CREATE TABLE access_requests (
    key_id          TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    -- The digest of all that was submitted.
    body            TEXT NOT NULL,
    approval_id     TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (key_id, idempotency_key)
);
CREATE INDEX access_requests_by_approval ON access_requests (approval_id);
