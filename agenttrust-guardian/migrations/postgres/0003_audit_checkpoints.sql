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
DROP TRIGGER audit_rows_never_change ON audit;
CREATE FUNCTION audit_goes_after_a_cut() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM audit_cuts WHERE log = OLD.log AND seq >= OLD.seq) THEN
        RAISE EXCEPTION 'the audit log is append-only';
    END IF;
    RETURN OLD;
END;
$$;
CREATE TRIGGER audit_rows_never_change BEFORE UPDATE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_rows_never_go BEFORE DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_goes_after_a_cut();
CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_checkpoints_never_change BEFORE UPDATE ON audit_checkpoints
FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_checkpoints_never_go BEFORE DELETE ON audit_checkpoints
FOR EACH ROW EXECUTE FUNCTION audit_goes_after_a_cut();
CREATE TRIGGER audit_cuts_never_change BEFORE UPDATE OR DELETE ON audit_cuts
FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
