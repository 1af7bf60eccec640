-- Signed statements that a log had this hash at this row. Who removes rows from its end contradicts one.
CREATE TABLE audit_checkpoints (
    log       TEXT   NOT NULL,
    seq       BIGINT NOT NULL,
    hash      TEXT   NOT NULL,
    at        TEXT   NOT NULL,
    key       TEXT   NOT NULL,
    signature TEXT   NOT NULL,
    PRIMARY KEY (log, seq)
);
-- Signed statements that a log begins after this row, because what was before it was let go.
CREATE TABLE audit_cuts (
    log       TEXT   NOT NULL,
    seq       BIGINT NOT NULL,
    hash      TEXT   NOT NULL,
    at        TEXT   NOT NULL,
    key       TEXT   NOT NULL,
    signature TEXT   NOT NULL,
    PRIMARY KEY (log, seq)
);

-- These stop a mistake, not an attacker: who can drop a trigger is found by hashes and signatures instead.
DROP TRIGGER audit_rows_never_go;
CREATE TRIGGER audit_rows_never_go BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM audit_cuts WHERE log = OLD.log AND seq >= OLD.seq)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_checkpoints_never_change BEFORE UPDATE ON audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_checkpoints_never_go BEFORE DELETE ON audit_checkpoints
WHEN NOT EXISTS (SELECT 1 FROM audit_cuts WHERE log = OLD.log AND seq >= OLD.seq)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_cuts_never_change BEFORE UPDATE ON audit_cuts
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_cuts_never_go BEFORE DELETE ON audit_cuts
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
