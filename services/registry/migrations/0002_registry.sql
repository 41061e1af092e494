-- The registry: acts, and the newest state of what they put. Earlier states are in the acts (whole)
-- and in the history of the watched tables (as published).
SET LOCAL lock_timeout = '10s';

CREATE TABLE genesis (
    once           boolean     PRIMARY KEY DEFAULT true CHECK (once),
    administrators text[]      NOT NULL,
    threshold      integer     NOT NULL CHECK (threshold >= 2),
    log_index      bigint      NOT NULL CHECK (log_index = 0),
    recorded_at    timestamptz NOT NULL
);

CREATE TABLE act (
    id          uuid        PRIMARY KEY,
    reason      text        NOT NULL,
    -- The changes as proposed (protobuf); what the digest in the log is taken over.
    changes     bytea       NOT NULL,
    proposer    text        NOT NULL,
    proposed_at timestamptz NOT NULL,
    applied_at  timestamptz,
    log_index   bigint,
    CHECK ((applied_at IS NULL) = (log_index IS NULL))
);

CREATE TABLE act_approval (
    act         uuid        NOT NULL REFERENCES act (id),
    person      text        NOT NULL,
    approved_at timestamptz NOT NULL,
    PRIMARY KEY (act, person)
);

CREATE TABLE institution (
    id                   text   PRIMARY KEY,
    active               boolean NOT NULL,
    managing_institution text   NOT NULL,
    capacities           text[] NOT NULL,
    name_fr              text   NOT NULL,
    name_nl              text   NOT NULL,
    name_de              text   NOT NULL,
    name_en              text   NOT NULL,
    acronym_fr           text   NOT NULL,
    acronym_nl           text   NOT NULL,
    sector               text   NOT NULL,
    act                  uuid   NOT NULL REFERENCES act (id)
);

CREATE TABLE application (
    institution text    NOT NULL REFERENCES institution (id),
    id          text    NOT NULL,
    active      boolean NOT NULL,
    endpoint    text    NOT NULL,
    act         uuid    NOT NULL REFERENCES act (id),
    PRIMARY KEY (institution, id)
);

-- No act: enrolled by the genesis.
CREATE TABLE person (
    id          text   PRIMARY KEY,
    roles       text[] NOT NULL,
    institution text   NOT NULL,
    act         uuid   REFERENCES act (id)
);

CREATE TABLE revocation (
    serial     text        PRIMARY KEY,
    revoked_at timestamptz NOT NULL,
    act        uuid        NOT NULL REFERENCES act (id)
);

CREATE TABLE data_element (
    id               text PRIMARY KEY,
    label_fr         text NOT NULL,
    label_nl         text NOT NULL,
    label_de         text NOT NULL,
    label_en         text NOT NULL,
    type             text NOT NULL,
    code_list        text NOT NULL,
    sensitivity      text NOT NULL,
    authentic_source text NOT NULL REFERENCES institution (id),
    legal_basis      text NOT NULL,
    act              uuid NOT NULL REFERENCES act (id)
);

CREATE TABLE code (
    list     text NOT NULL,
    code     text NOT NULL,
    label_fr text NOT NULL,
    label_nl text NOT NULL,
    label_de text NOT NULL,
    label_en text NOT NULL,
    act      uuid NOT NULL REFERENCES act (id),
    PRIMARY KEY (list, code)
);

CREATE TABLE exchange_service (
    id                text    NOT NULL,
    version           integer NOT NULL CHECK (version > 0),
    title_fr          text    NOT NULL,
    title_nl          text    NOT NULL,
    title_de          text    NOT NULL,
    title_en          text    NOT NULL,
    question_message  text    NOT NULL,
    answer_message    text    NOT NULL,
    schema            bytea   NOT NULL,
    sources           text[]  NOT NULL,
    elements          text[]  NOT NULL,
    source_timeout_ms integer NOT NULL,
    act               uuid    NOT NULL REFERENCES act (id),
    PRIMARY KEY (id, version)
);
