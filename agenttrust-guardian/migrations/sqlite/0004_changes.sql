-- What changed, in the order of commits: memory follows it. The number of the newest is in settings.
CREATE TABLE changes (
    seq     BIGINT NOT NULL PRIMARY KEY,
    kind    TEXT   NOT NULL,
    org_id  TEXT   NOT NULL,
    id      TEXT   NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE INDEX changes_by_age ON changes (made_at);
INSERT INTO settings (name, value) VALUES ('changes', 0);
DELETE FROM settings WHERE name = 'keys_version';

-- The key that a session was opened with: asked again with it, the open session is the answer.
ALTER TABLE sessions ADD COLUMN opened_by TEXT;

-- Which log a row is of. A database file has one; each replica on PostgreSQL has its own.
ALTER TABLE audit ADD COLUMN log TEXT NOT NULL DEFAULT '';
