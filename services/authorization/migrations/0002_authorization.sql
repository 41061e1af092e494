-- Deliberations and their grants. Terms never change once submitted; a grant's recorded period opens
-- with publication and closes when the grant is ended. As published, they are in the watched table.
SET LOCAL lock_timeout = '10s';

CREATE TABLE deliberation (
    number       text        PRIMARY KEY,
    title_fr     text        NOT NULL,
    title_nl     text        NOT NULL,
    title_de     text        NOT NULL,
    title_en     text        NOT NULL,
    chamber      text        NOT NULL,
    decided_on   date        NOT NULL,
    submitted_by text        NOT NULL,
    submitted_at timestamptz NOT NULL,
    -- The entry of its publication in the log is found by this id.
    act_id       uuid        NOT NULL UNIQUE,
    published_by text        CHECK (published_by <> submitted_by),
    published_at timestamptz,
    log_index    bigint,
    CHECK ((published_by IS NULL) = (published_at IS NULL)),
    CHECK ((published_by IS NULL) = (log_index IS NULL))
);

CREATE INDEX deliberation_newest ON deliberation (published_at DESC, number DESC)
    WHERE published_at IS NOT NULL;

CREATE TABLE grant_row (
    id                text    PRIMARY KEY,
    deliberation      text    NOT NULL REFERENCES deliberation (number),
    ordinal           integer NOT NULL CHECK (ordinal > 0),
    prohibition       boolean NOT NULL,
    institution       text    NOT NULL,
    application       text    NOT NULL,
    service           text    NOT NULL,
    service_version   integer NOT NULL,
    elements          text[]  NOT NULL,
    purpose           text    NOT NULL,
    legal_basis       text    NOT NULL,
    caller_capacities text[]  NOT NULL,
    source_capacities text[]  NOT NULL,
    data_days_back    bigint  NOT NULL,
    data_max_days     bigint  NOT NULL,
    ways              text[]  NOT NULL,
    volume_per_day    bigint  NOT NULL,
    blocking          boolean NOT NULL,
    valid_from        timestamptz NOT NULL,
    valid_until       timestamptz CHECK (valid_until > valid_from),
    recorded_from     timestamptz,
    recorded_until    timestamptz CHECK (recorded_until >= recorded_from),
    ended_by          text,
    ended_because     text,
    end_log_index     bigint,
    UNIQUE (deliberation, ordinal),
    CHECK ((recorded_until IS NULL) = (ended_by IS NULL))
);
