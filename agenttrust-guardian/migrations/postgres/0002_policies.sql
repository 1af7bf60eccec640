-- The policies that were sent; a Guardian that reads a folder instead leaves them alone.
CREATE TABLE policy_files (
    name TEXT NOT NULL PRIMARY KEY,
    text TEXT NOT NULL
);
