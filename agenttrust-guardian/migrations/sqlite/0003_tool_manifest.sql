-- What programs declare of their tools; effects that an operator set stay in tool_effects.
INSERT INTO settings (name, value) VALUES ('tools_version', 0);

CREATE TABLE tool_manifest (
    org_id      TEXT NOT NULL,
    tool        TEXT NOT NULL,
    effect      TEXT,
    scopes      TEXT NOT NULL,
    arguments   TEXT NOT NULL,
    places      TEXT NOT NULL,
    vouched     BOOLEAN NOT NULL,
    declared_by TEXT NOT NULL,
    declared_at BIGINT NOT NULL,
    PRIMARY KEY (org_id, tool)
);
