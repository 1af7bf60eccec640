-- Tasks that one agent asks of another.
CREATE TABLE tasks (
    id              TEXT NOT NULL PRIMARY KEY,
    org_id          TEXT NOT NULL,
    context_id      TEXT NOT NULL,
    -- Who asks: an agent, or a key that asks for itself.
    source          TEXT NOT NULL,
    source_agent_id TEXT,
    target_agent_id TEXT NOT NULL,
    -- In A2A's words, and what they are said in: the task as its caller sees it.
    state           TEXT NOT NULL,
    task            TEXT NOT NULL,
    -- How long that is: a page of a list has only so much.
    bytes           BIGINT NOT NULL,
    -- Where the target is reached, and the ids that it gave; nothing of it is shown.
    upstream        TEXT,
    -- When the target was last asked after it.
    asked_at        BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    changed_at      BIGINT NOT NULL
);
CREATE INDEX tasks_by_change ON tasks (org_id, changed_at, id);
CREATE INDEX tasks_of_source ON tasks (org_id, source, changed_at, id);
CREATE INDEX tasks_of_target ON tasks (org_id, target_agent_id, changed_at, id);
CREATE INDEX tasks_in_context ON tasks (org_id, source, context_id, created_at);
CREATE INDEX tasks_by_age ON tasks (changed_at);
-- What is under way is counted for each new one.
CREATE INDEX tasks_under_way_of ON tasks (org_id, source)
    WHERE state NOT IN ('completed', 'failed', 'canceled', 'rejected');
CREATE INDEX tasks_under_way_for ON tasks (org_id, target_agent_id)
    WHERE state NOT IN ('completed', 'failed', 'canceled', 'rejected');

-- Messages of tasks, and where each is on its way. One messageId of one source is one message.
CREATE TABLE task_messages (
    id              TEXT NOT NULL PRIMARY KEY,
    task_id         TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    org_id          TEXT NOT NULL,
    source          TEXT NOT NULL,
    message_id      TEXT NOT NULL,
    target_agent_id TEXT NOT NULL,
    -- SHA-256 of what was sent: the same id with something else is refused.
    digest          TEXT NOT NULL,
    body            TEXT NOT NULL,
    -- With what was asked: a check after a restart is the same check.
    key_id          TEXT NOT NULL,
    session_id      TEXT,
    phase           TEXT NOT NULL,
    approval_id     TEXT,
    check_id        TEXT,
    -- Whose it is while it is checked, sent or worked on, and until when.
    claim           TEXT,
    claimed_until   BIGINT NOT NULL DEFAULT 0,
    -- When it is looked at again.
    next_at         BIGINT NOT NULL DEFAULT 0,
    attempts        BIGINT NOT NULL DEFAULT 0,
    -- How the task stood before this message.
    state_before    TEXT,
    created_at      BIGINT NOT NULL,
    begun_at        BIGINT NOT NULL
);
CREATE UNIQUE INDEX task_messages_by_id ON task_messages (org_id, source, message_id);
CREATE INDEX task_messages_of ON task_messages (task_id, created_at, id);
CREATE INDEX task_messages_due ON task_messages (phase, next_at);
CREATE INDEX task_messages_in_inbox ON task_messages (org_id, target_agent_id, phase, created_at, id);
