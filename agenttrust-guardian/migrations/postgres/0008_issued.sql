-- The gateway that a key is of: keys of one name are one gateway.
ALTER TABLE keys ADD COLUMN gateway TEXT;
-- Why it was revoked, and whether what was issued with it was taken back too.
ALTER TABLE keys ADD COLUMN revoked_for TEXT;
ALTER TABLE keys ADD COLUMN took_issued BOOLEAN NOT NULL DEFAULT FALSE;

-- The key that a token was issued with.
ALTER TABLE tokens ADD COLUMN issued_by TEXT;
CREATE INDEX tokens_by_key ON tokens (issued_by);
CREATE INDEX tokens_by_session ON tokens (session_id);
CREATE INDEX tokens_by_age ON tokens (org_id, issued_at, id);

-- The gateway that a session was opened at.
ALTER TABLE sessions ADD COLUMN gateway TEXT;
CREATE INDEX sessions_by_key ON sessions (opened_by);
CREATE INDEX sessions_by_token ON sessions (token_id);
CREATE INDEX sessions_by_age ON sessions (org_id, created_at, id);
