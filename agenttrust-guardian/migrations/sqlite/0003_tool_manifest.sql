-- What operators and admins declare of tools; effects that they set stay in tool_effects.
CREATE TABLE tool_manifest (
    org_id      TEXT NOT NULL,
    tool        TEXT NOT NULL,
    effect      TEXT,
    scopes      TEXT NOT NULL,
    arguments   TEXT NOT NULL,
    places      TEXT NOT NULL,
    declared_by TEXT NOT NULL,
    declared_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, tool)
);

-- The effects that the keys of agents raised tools to.
CREATE TABLE tool_raised (
    org_id    TEXT NOT NULL,
    tool      TEXT NOT NULL,
    effect    TEXT NOT NULL,
    raised_by TEXT NOT NULL,
    raised_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, tool)
);
