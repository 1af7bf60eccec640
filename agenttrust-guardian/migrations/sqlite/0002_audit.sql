-- The audit log: append-only, every row bound to the one before it by its hash.
CREATE TABLE audit (
    seq       INTEGER PRIMARY KEY NOT NULL,
    at        TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    org_id    TEXT    NOT NULL,
    agent_id  TEXT,
    actor     TEXT,
    body      TEXT    NOT NULL,
    prev_hash BLOB    NOT NULL,
    hash      BLOB    NOT NULL
) STRICT;

CREATE INDEX audit_by_agent ON audit (agent_id, seq);

-- These stop a mistake, not an attacker: who can drop a trigger is found by the hash chain instead.
CREATE TRIGGER audit_rows_never_change BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_rows_never_go BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
