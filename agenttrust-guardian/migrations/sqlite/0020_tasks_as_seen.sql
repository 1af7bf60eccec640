-- What the target of a task sees of it: nothing while none of its messages has reached it, and then how the task stood
-- when it last heard of it, whatever is said about messages that have not.
ALTER TABLE tasks ADD COLUMN seen TEXT;
ALTER TABLE tasks ADD COLUMN seen_state TEXT;
ALTER TABLE tasks ADD COLUMN seen_at BIGINT;
-- Of tasks from before, those that are known to have reached it, without what was said about them.
UPDATE tasks SET
    seen = json_object('state', CASE WHEN state = 'auth-required' THEN 'TASK_STATE_WORKING'
        ELSE json_extract(task, '$.status.state') END),
    seen_state = CASE WHEN state = 'auth-required' THEN 'working' ELSE state END,
    seen_at = changed_at
WHERE upstream IS NOT NULL OR state = 'completed' OR EXISTS (SELECT 1 FROM task_messages m WHERE m.task_id = tasks.id
    AND m.phase IN ('sent', 'inbox', 'leased'));
CREATE INDEX tasks_seen_by_target ON tasks (org_id, target_agent_id, seen_at, id) WHERE seen_at IS NOT NULL;
-- Each sender has a share of what is under way for an agent.
CREATE INDEX tasks_under_way_between ON tasks (org_id, target_agent_id, source)
    WHERE state NOT IN ('completed', 'failed', 'canceled', 'rejected');
-- The approval by which a message goes: it is that message's own, also after a restart.
ALTER TABLE task_messages ADD COLUMN approved_by TEXT;
