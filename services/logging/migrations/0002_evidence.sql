-- Evidence and privacy: what was erased, what is held, what is shown later, what is searched for.

-- A class and month whose Transit key was deleted. Final once no snapshot of Vault holds the key.
CREATE TABLE erasure (
    data_key_id integer PRIMARY KEY REFERENCES data_key,
    erased_at timestamptz NOT NULL,
    final_at timestamptz NOT NULL,
    -- The log's entries that say so; the second once it is final.
    index bigint NOT NULL,
    final_index bigint
);

-- A legal hold: a key of its own. What it covers stands in the evidence of the entry at `index`.
CREATE TABLE hold (
    hold_id uuid PRIMARY KEY,
    log_id integer NOT NULL,
    index bigint NOT NULL,
    placed_at timestamptz NOT NULL,
    released_at timestamptz,
    transit_key text NOT NULL,
    wrapped text NOT NULL
);

-- Evidence under the key of a hold: outlives that of its month.
CREATE TABLE held_entry (
    index bigint NOT NULL,
    log_id integer NOT NULL,
    hold_id uuid NOT NULL REFERENCES hold,
    evidence bytea STORAGE EXTERNAL NOT NULL,
    PRIMARY KEY (log_id, index, hold_id)
);

CREATE INDEX held_entry_hold ON held_entry (log_id, hold_id, index);

-- Uses that their subject is shown only from `until` on, unless the deferral was ended before. Which
-- they are stands in the evidence of the entry at `index`.
CREATE TABLE deferral (
    deferral_id uuid PRIMARY KEY,
    log_id integer NOT NULL,
    index bigint NOT NULL,
    until timestamptz NOT NULL
);

-- HMAC(key of the class and month, what is searched for) -> leaves. Made from the evidence after the
-- fact, so that no append waits for it; it can be made anew.
CREATE TABLE term_entry (
    index bigint NOT NULL,
    log_id integer NOT NULL,
    term_mac bytea STORAGE PLAIN NOT NULL,
    PRIMARY KEY (log_id, term_mac, index)
);

-- How far that was made: every entry before `size` can be found by its terms.
CREATE TABLE term_index (
    log_id integer PRIMARY KEY,
    size bigint NOT NULL
);

-- The Merkle root over the sorted pairs of the subject index, a day (UTC) each: the entries
-- [first, until). It is logged at `index`.
CREATE TABLE subject_root (
    log_id integer NOT NULL,
    day date NOT NULL,
    first bigint NOT NULL,
    until bigint NOT NULL,
    pairs bigint NOT NULL,
    root bytea NOT NULL,
    index bigint NOT NULL,
    PRIMARY KEY (log_id, day)
);

-- The pairs of a day stand together, in the order in which they were written: a summary of each few
-- pages finds them, and costs an append nothing.
CREATE INDEX subject_entry_place ON subject_entry USING brin (index) WITH (pages_per_range = 32);
