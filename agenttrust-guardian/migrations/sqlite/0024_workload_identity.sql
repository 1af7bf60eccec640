-- Nonces and proofs that were used once, and so no more: until no one would take them anyway.
CREATE TABLE used_proofs (
    id         TEXT NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX used_proofs_by_end ON used_proofs (expires_at);

-- Whether checks of the agent need a proof that it has its private key.
ALTER TABLE agents ADD COLUMN requires_proof BOOLEAN NOT NULL DEFAULT FALSE;

-- Of a session from a workload token: the key that this is bound to, its hash, and the API key that it was issued with.
ALTER TABLE sessions ADD COLUMN key_thumbprint TEXT;
ALTER TABLE sessions ADD COLUMN workload_hash TEXT;
ALTER TABLE sessions ADD COLUMN workload_key_id TEXT;
