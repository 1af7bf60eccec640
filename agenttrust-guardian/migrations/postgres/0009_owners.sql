-- The key that a key was made with, and the person or program that it is of.
ALTER TABLE keys ADD COLUMN made_by TEXT;
ALTER TABLE keys ADD COLUMN owner TEXT;

-- Every key that a key comes from: the one that it was made with, the one that this was made with, and so on.
-- Written once with the key and never removed, whatever becomes of the makers.
CREATE TABLE key_makers (
    key_id   TEXT NOT NULL,
    maker_id TEXT NOT NULL,
    PRIMARY KEY (key_id, maker_id)
);
