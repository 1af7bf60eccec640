-- A key that is rotated stays itself: only its secret changes. The one before works until old_until.
ALTER TABLE keys ADD COLUMN old_hash TEXT;
ALTER TABLE keys ADD COLUMN old_until BIGINT;
ALTER TABLE keys ADD COLUMN rotated_at BIGINT;
ALTER TABLE keys ADD COLUMN last_used_at BIGINT;
CREATE UNIQUE INDEX keys_by_old_hash ON keys (old_hash);
