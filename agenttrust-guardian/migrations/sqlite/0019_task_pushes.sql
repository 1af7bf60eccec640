-- Whom to tell when a task changes. What was told last is known by when the task had changed then.
CREATE TABLE task_pushes (
    id         TEXT NOT NULL PRIMARY KEY,
    task_id    TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    -- Who is to be told: an agent, or a key that asks for itself; nobody else sees it.
    owner      TEXT NOT NULL,
    -- As its owner names it.
    name       TEXT NOT NULL,
    -- Of A2A, in whose words it is told.
    version    TEXT NOT NULL,
    url        TEXT NOT NULL,
    scheme     TEXT,
    -- Sealed: what is sent along to prove who tells.
    secret     TEXT,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    told_at    BIGINT NOT NULL,
    -- Whose turn it is, and since when it fails.
    next_at    BIGINT NOT NULL DEFAULT 0,
    attempts   BIGINT NOT NULL DEFAULT 0,
    begun_at   BIGINT NOT NULL DEFAULT 0,
    -- Nothing more is told.
    is_over    BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX task_pushes_by_name ON task_pushes (task_id, owner, name);
CREATE INDEX task_pushes_open ON task_pushes (next_at) WHERE is_over = 0;
