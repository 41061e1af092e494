-- Watched tables: who publishes a change locks the head row and takes the next version
-- (services/runtime/watch). The history is append-only.
CREATE TABLE watch_head (
    name        text        PRIMARY KEY,
    version     bigint      NOT NULL CHECK (version > 0),
    recorded_at timestamptz NOT NULL
);

CREATE TABLE watch_version (
    name        text        NOT NULL,
    version     bigint      NOT NULL CHECK (version > 0),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (name, version),
    UNIQUE (name, recorded_at)
);

CREATE TABLE watch_row (
    name    text    NOT NULL,
    version bigint  NOT NULL,
    key     text    NOT NULL,
    value   bytea,
    deleted boolean NOT NULL CHECK (deleted = (value IS NULL)),
    PRIMARY KEY (name, key, version)
);

CREATE INDEX watch_row_by_version ON watch_row (name, version);
