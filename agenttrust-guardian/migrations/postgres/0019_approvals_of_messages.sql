-- An approval that a message of a task asked for lets go that message and no other, however much alike they are: the id
-- of the row of that message, or nothing for every other check.
ALTER TABLE approvals ADD COLUMN task_message TEXT NOT NULL DEFAULT '';
UPDATE approvals SET task_message = COALESCE((SELECT MIN(id) FROM task_messages WHERE approval_id = approvals.id), '')
    WHERE status IN ('pending', 'approved');

DROP INDEX approvals_one_pending;
CREATE UNIQUE INDEX approvals_one_pending ON approvals
    (org_id, agent_id, session_id, tool, effect, scopes_hash, bound_to, bound_value, task_message)
    WHERE status = 'pending';
CREATE INDEX approvals_by_task_message ON approvals (task_message) WHERE task_message <> '';
