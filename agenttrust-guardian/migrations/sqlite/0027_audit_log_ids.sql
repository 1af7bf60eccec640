-- Which log a checkpoint is of, whatever its name: none in those of earlier versions.
ALTER TABLE audit_checkpoints ADD COLUMN log_id TEXT;
ALTER TABLE audit_cuts ADD COLUMN log_id TEXT;
