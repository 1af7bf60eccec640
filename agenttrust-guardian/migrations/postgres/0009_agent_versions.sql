-- Which of its sets of capabilities an agent has, and what is left of those of before to what was issued then.
ALTER TABLE agents ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE agents ADD COLUMN past TEXT NOT NULL DEFAULT '[]';

-- Under which of them a token or session was issued: it reaches what the agent had ever since.
ALTER TABLE tokens ADD COLUMN agent_version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE sessions ADD COLUMN agent_version BIGINT NOT NULL DEFAULT 1;
