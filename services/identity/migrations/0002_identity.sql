-- Keys of persons. `current` is the end of the chain of replacements: the key itself while nothing
-- replaced it. The key is the partition key of everything about a person (architecture, "Where it
-- runs"). History of replacements: the watched table "replacements".
SET LOCAL lock_timeout = '10s';

CREATE TABLE person_key (
    niss        text        PRIMARY KEY CHECK (niss ~ '^[0-9]{11}$'),
    register    text        NOT NULL CHECK (register IN ('RN', 'BIS', 'RAD')),
    current     text        NOT NULL CHECK (current ~ '^[0-9]{11}$'),
    recorded_at timestamptz NOT NULL,
    log_index   bigint      NOT NULL
);

CREATE INDEX person_key_replaced ON person_key (current) WHERE current <> niss;
