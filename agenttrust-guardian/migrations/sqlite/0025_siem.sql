-- Where what the audit has is sent to.
CREATE TABLE siem_destinations (
    id            TEXT NOT NULL PRIMARY KEY,
    org_id        TEXT NOT NULL,
    -- For people.
    name          TEXT NOT NULL,
    kind          TEXT NOT NULL,
    format        TEXT NOT NULL,
    endpoint      TEXT NOT NULL,
    -- Sealed: what the receiver lets in by, or what messages to it are signed with.
    secret        TEXT,
    batch_size    BIGINT NOT NULL,
    flush_seconds BIGINT NOT NULL,
    -- Empty means everything.
    event_types   TEXT NOT NULL,
    is_active     BOOLEAN NOT NULL,
    -- Counted up by every change of what is above, and when it is sent back: who sends by an earlier one stops.
    epoch         BIGINT NOT NULL,
    created_by    TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    -- When it is tried again, how often it failed since it last took something, and since when.
    next_at       BIGINT NOT NULL DEFAULT 0,
    attempts      BIGINT NOT NULL DEFAULT 0,
    failing_since BIGINT,
    last_error    TEXT,
    last_status   BIGINT,
    -- The replica that sends to it, and until when it is that one's own.
    lease_owner   TEXT,
    lease_until   BIGINT NOT NULL DEFAULT 0,
    -- How many that were set aside are not kept any more.
    dropped       BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX siem_destinations_by_org ON siem_destinations (org_id, created_at, id);

-- Up to which row of each log nothing is owed to a destination.
CREATE TABLE siem_cursors (
    destination_id TEXT NOT NULL REFERENCES siem_destinations (id) ON DELETE CASCADE,
    log            TEXT NOT NULL,
    seq            BIGINT NOT NULL,
    PRIMARY KEY (destination_id, log)
);

-- What became of the newest sendings.
CREATE TABLE siem_deliveries (
    id             TEXT NOT NULL PRIMARY KEY,
    destination_id TEXT NOT NULL REFERENCES siem_destinations (id) ON DELETE CASCADE,
    batch_size     BIGINT NOT NULL,
    status         TEXT NOT NULL,
    status_code    BIGINT,
    error          TEXT,
    delivered_at   BIGINT NOT NULL
);
CREATE INDEX siem_deliveries_by_destination ON siem_deliveries (destination_id, id);

-- Rows that a destination refused for good, or that could not be sent: they are still in the audit.
CREATE TABLE siem_set_aside (
    id             TEXT NOT NULL PRIMARY KEY,
    destination_id TEXT NOT NULL REFERENCES siem_destinations (id) ON DELETE CASCADE,
    event_id       TEXT,
    log            TEXT NOT NULL,
    seq            BIGINT NOT NULL,
    -- As the row has it.
    at             TEXT NOT NULL,
    kind           TEXT NOT NULL,
    status_code    BIGINT,
    reason         TEXT NOT NULL,
    set_aside_at   BIGINT NOT NULL
);
CREATE INDEX siem_set_aside_by_destination ON siem_set_aside (destination_id, id);
