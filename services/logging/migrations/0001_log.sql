-- The log. Every large table has the log's partition key first (architecture.md, "Where it runs").

-- One row a log: the row that every batch updates, and that tells a sequencer it was replaced.
CREATE TABLE log_head (
    log_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin text NOT NULL UNIQUE,
    size bigint NOT NULL DEFAULT 0,
    epoch bigint NOT NULL DEFAULT 0,
    recorded_at timestamptz NOT NULL DEFAULT 'epoch'
) WITH (fillfactor = 10);

-- The newest signed checkpoint of a log, replaced by compare-and-set.
CREATE TABLE published_checkpoint (
    log_id integer PRIMARY KEY REFERENCES log_head,
    size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    published_at timestamptz NOT NULL
);

-- Keys of one retention class and month, wrapped by the Transit key of that class and month.
-- Deleting the Transit key erases what the month's evidence and subject index say.
CREATE TABLE data_key (
    data_key_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    retention_class text NOT NULL,
    month date NOT NULL,
    transit_key text NOT NULL,
    wrapped text NOT NULL,
    UNIQUE (retention_class, month)
);

-- The entries. `evidence` is ciphertext, so it is kept as it is, in the row where it fits.
-- Columns of fixed width come first: no padding.
CREATE TABLE entry (
    index bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    deadline timestamptz,
    exchange_id uuid NOT NULL,
    log_id integer NOT NULL,
    attempt integer NOT NULL,
    data_key_id integer NOT NULL,
    kind smallint NOT NULL,
    leaf_hash bytea STORAGE PLAIN NOT NULL,
    evidence bytea STORAGE EXTERNAL NOT NULL,
    PRIMARY KEY (log_id, index)
) WITH (toast_tuple_target = 8160);

CREATE INDEX entry_exchange ON entry (log_id, exchange_id);

-- Entry ids of the last 24 hours: what makes an append idempotent.
CREATE TABLE recent_entry (
    index bigint NOT NULL,
    exchange_id uuid NOT NULL,
    log_id integer NOT NULL,
    attempt integer NOT NULL,
    kind smallint NOT NULL,
    nonce bytea STORAGE PLAIN NOT NULL,
    question_mac bytea STORAGE PLAIN NOT NULL,
    PRIMARY KEY (log_id, exchange_id, kind, attempt)
);

-- How far the sweeper came: every request before `closed` has an outcome, every entry id before
-- `forgotten` was forgotten.
CREATE TABLE sweep (
    log_id integer PRIMARY KEY,
    closed bigint NOT NULL,
    forgotten bigint NOT NULL
);

-- HMAC(key of the class and month, subject's key) -> leaves.
CREATE TABLE subject_entry (
    index bigint NOT NULL,
    log_id integer NOT NULL,
    data_key_id integer NOT NULL,
    subject_mac bytea STORAGE PLAIN NOT NULL,
    PRIMARY KEY (log_id, subject_mac, index)
);

-- Full tiles of the Merkle tree (C2SP tlog-tiles): 256 hashes of 32 octets each.
CREATE TABLE tile (
    log_id integer NOT NULL,
    level smallint NOT NULL,
    index bigint NOT NULL,
    hashes bytea STORAGE EXTERNAL NOT NULL CHECK (octet_length(hashes) = 8192),
    PRIMARY KEY (log_id, level, index)
);

-- Public halves of the keys that sign receipts; each is the leaf at `index`.
CREATE TABLE receipt_key (
    log_id integer NOT NULL,
    index bigint NOT NULL,
    public_key bytea NOT NULL,
    PRIMARY KEY (log_id, index)
);
