-- Signed statements of a command that it wrote this row behind those of the Guardian whose log it is.
CREATE TABLE audit_added (
    log       TEXT   NOT NULL,
    seq       BIGINT NOT NULL,
    hash      TEXT   NOT NULL,
    at        TEXT   NOT NULL,
    key       TEXT   NOT NULL,
    signature TEXT   NOT NULL,
    log_id    TEXT,
    PRIMARY KEY (log, seq)
);
