-- What the keys of an agent raise the effect of a tool to counts for that agent alone.
CREATE TABLE tool_raised_by_agents (
    org_id    TEXT NOT NULL,
    -- Empty for all agents of the organisation.
    agent_id  TEXT NOT NULL,
    tool      TEXT NOT NULL,
    effect    TEXT NOT NULL,
    raised_by TEXT NOT NULL,
    raised_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, tool, agent_id)
);

-- What was raised before counts for the agents of the key that raised it ...
INSERT INTO tool_raised_by_agents (org_id, agent_id, tool, effect, raised_by, raised_at)
SELECT DISTINCT r.org_id, a.value, r.tool, r.effect, r.raised_by, r.raised_at
FROM tool_raised r JOIN keys k ON k.id = r.raised_by CROSS JOIN jsonb_array_elements_text(k.agents::jsonb) AS a (value);

-- ... and for everybody, as it did, where it is not known whose that key was.
INSERT INTO tool_raised_by_agents (org_id, agent_id, tool, effect, raised_by, raised_at)
SELECT org_id, '', tool, effect, raised_by, raised_at FROM tool_raised r
WHERE NOT EXISTS (SELECT 1 FROM tool_raised_by_agents b WHERE b.org_id = r.org_id AND b.tool = r.tool);

DROP TABLE tool_raised;
ALTER TABLE tool_raised_by_agents RENAME TO tool_raised;
CREATE INDEX tool_raised_by_agent ON tool_raised (agent_id);
