-- The reference directory: who is known where, in which capacity, in which period.
-- Bitemporal: valid_* is when it holds in the world, recorded_* when it was on record here.
CREATE TABLE integration (
    subject text NOT NULL,
    institution text NOT NULL,
    capacity text NOT NULL,
    phase integer NOT NULL,
    valid_from date NOT NULL,
    -- First day after; open when null.
    valid_until date,
    recorded_from timestamptz NOT NULL,
    recorded_until timestamptz,
    -- Who declared it: the institution itself, or the one that manages it.
    declared_by text NOT NULL,
    -- Since when the register of keys is known to hold the subject; until then it counts for nothing.
    verified_at timestamptz,
    -- The log entry of the declaration.
    log_index bigint NOT NULL,
    PRIMARY KEY (subject, institution, capacity, phase, valid_from, recorded_from),
    CHECK (valid_until > valid_from),
    CHECK (recorded_until > recorded_from)
);

-- What is on record now, one row a statement: every exchange reads it.
CREATE UNIQUE INDEX integration_on_record
    ON integration (subject, institution, capacity, phase, valid_from)
    WHERE recorded_until IS NULL;

-- Those that wait for verification.
CREATE INDEX integration_unverified
    ON integration (subject)
    WHERE verified_at IS NULL AND recorded_until IS NULL;

-- Keys of our own, each wrapped by a Transit key.
CREATE TABLE wrapped_key (
    purpose text PRIMARY KEY,
    transit_key text NOT NULL,
    wrapped text NOT NULL,
    created_at timestamptz NOT NULL
);
