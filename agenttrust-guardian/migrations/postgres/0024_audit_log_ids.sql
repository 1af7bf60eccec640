-- Which log a checkpoint is of, whatever its name: none in those of earlier versions.
ALTER TABLE audit_checkpoints ADD COLUMN log_id TEXT;
ALTER TABLE audit_cuts ADD COLUMN log_id TEXT;
-- Which log has this name: the first that begins says it, also where two begin at once.
CREATE TABLE audit_logs (
    log TEXT PRIMARY KEY,
    log_id TEXT NOT NULL
);
