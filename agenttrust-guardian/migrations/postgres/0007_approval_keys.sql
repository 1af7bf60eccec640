-- The name of the guard's key that an input was digested under: it tells another key from another input.
ALTER TABLE approvals ADD COLUMN key_id TEXT;
-- Why it was decided so, in the words of who decided.
ALTER TABLE approvals ADD COLUMN decision_reason TEXT;
