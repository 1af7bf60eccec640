-- How many decisions each log holds for a session: one row a log, so that replicas never wait for each
-- other to count. Written in the transaction of the rows that are counted.
CREATE TABLE session_counts (
    session_id       TEXT   NOT NULL,
    log              TEXT   NOT NULL,
    total_calls      BIGINT NOT NULL,
    read_calls       BIGINT NOT NULL,
    denied_calls     BIGINT NOT NULL,
    last_activity_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, log)
);
INSERT INTO session_counts
SELECT id, '', total_calls, read_calls, denied_calls, last_activity_at FROM sessions
WHERE total_calls > 0;
ALTER TABLE sessions DROP COLUMN total_calls;
ALTER TABLE sessions DROP COLUMN read_calls;
ALTER TABLE sessions DROP COLUMN write_calls;
ALTER TABLE sessions DROP COLUMN denied_calls;
ALTER TABLE sessions DROP COLUMN last_activity_at;

-- What a policy's limit has let through in the window that began with the first call. session_id is empty
-- where the agent's calls are counted together.
CREATE TABLE budgets (
    policy     TEXT   NOT NULL,
    agent_id   TEXT   NOT NULL,
    session_id TEXT   NOT NULL,
    opened_at  BIGINT NOT NULL,
    used       BIGINT NOT NULL,
    PRIMARY KEY (policy, agent_id, session_id)
);
CREATE INDEX budgets_by_age ON budgets (opened_at);

-- The latest denials of an agent, and whether its burst was told of already.
CREATE TABLE denials (
    agent_id TEXT    NOT NULL PRIMARY KEY,
    latest   TEXT    NOT NULL,
    kept_at  BIGINT  NOT NULL,
    told     BOOLEAN NOT NULL
);
CREATE INDEX denials_by_age ON denials (kept_at);

-- What this database's Guardians know and nobody else does, made at their first start.
CREATE TABLE secrets (
    name   TEXT  NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL
);

-- A stage of a check is believed once, whichever replica hears of it.
ALTER TABLE telemetry ADD COLUMN stage TEXT;
CREATE UNIQUE INDEX telemetry_believed_once ON telemetry (check_id, stage) WHERE verified;
