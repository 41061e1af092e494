-- The life of a deliberation. A dossier is a request until it is published; its acts are append-only.
-- A deliberation's row is its newest version; earlier ones are in deliberation_past. Rows of grants
-- are never changed in their terms: what replaces one has the next ordinal and names what it follows.
SET LOCAL lock_timeout = '10s';

CREATE TABLE dossier (
    id          uuid        PRIMARY KEY,
    institution text        NOT NULL,
    stage       text        NOT NULL,
    -- crossroads.authorization.v1.Draft
    draft       bytea       NOT NULL,
    number      text        NOT NULL
);

CREATE TABLE dossier_act (
    dossier   uuid        NOT NULL REFERENCES dossier (id),
    ordinal   integer     NOT NULL CHECK (ordinal > 0),
    step      text        NOT NULL,
    by        text        NOT NULL,
    at        timestamptz NOT NULL,
    outcome   text        NOT NULL,
    text      text        NOT NULL,
    log_index bigint      NOT NULL,
    PRIMARY KEY (dossier, ordinal)
);

ALTER TABLE deliberation
    ADD text_fr           text    NOT NULL DEFAULT '',
    ADD text_nl           text    NOT NULL DEFAULT '',
    ADD text_de           text    NOT NULL DEFAULT '',
    -- crossroads.authorization.v1.Scope; null where a transcription gave none.
    ADD scope             bytea,
    ADD version           integer NOT NULL DEFAULT 1 CHECK (version > 0),
    ADD state             text    NOT NULL DEFAULT 'PUBLISHED'
        CHECK (state IN ('PUBLISHED', 'SUSPENDED', 'WITHDRAWN')),
    ADD enters_into_force timestamptz,
    -- Who proposed that its suspension be lifted, until somebody else does it.
    ADD lift_proposed_by  text;

CREATE TABLE deliberation_past (
    number            text        NOT NULL REFERENCES deliberation (number),
    version           integer     NOT NULL,
    title_fr          text        NOT NULL,
    title_nl          text        NOT NULL,
    title_de          text        NOT NULL,
    title_en          text        NOT NULL,
    chamber           text        NOT NULL,
    decided_on        date        NOT NULL,
    submitted_by      text        NOT NULL,
    submitted_at      timestamptz NOT NULL,
    act_id            uuid        NOT NULL,
    published_by      text,
    published_at      timestamptz,
    text_fr           text        NOT NULL,
    text_nl           text        NOT NULL,
    text_de           text        NOT NULL,
    scope             bytea,
    state             text        NOT NULL,
    enters_into_force timestamptz,
    log_index         bigint,
    PRIMARY KEY (number, version)
);

ALTER TABLE grant_row
    -- Of the deliberation.
    ADD version     integer NOT NULL DEFAULT 1 CHECK (version > 0),
    ADD follows     text REFERENCES grant_row (id),
    -- Null: as the deliberation says, which had no other version then.
    ADD proposed_by text,
    ADD approved_by text,
    -- Taken off the record by a suspension that may be lifted.
    ADD suspended   boolean NOT NULL DEFAULT false;
