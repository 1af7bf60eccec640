-- The session in which someone asked to be told of a task: once it is over, they are told nothing more.
ALTER TABLE task_pushes ADD COLUMN session_id TEXT;
