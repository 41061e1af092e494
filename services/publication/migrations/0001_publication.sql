-- What is shown to everybody. Nothing here is anybody's secret.
SET LOCAL lock_timeout = '10s';

-- The snapshot of each collection that is shown.
CREATE TABLE snapshot (
    collection text        PRIMARY KEY
        CHECK (collection IN ('authorizations', 'catalogue', 'indicators', 'log')),
    version    bigint      NOT NULL CHECK (version >= 0),
    made_at    timestamptz NOT NULL,
    digest     bytea       NOT NULL CHECK (length(digest) = 32)
);

-- Its documents. `edition` is the snapshot's digest: what has another one is gone with the next push.
CREATE TABLE document (
    path       text  PRIMARY KEY,
    collection text  NOT NULL,
    edition    bytea NOT NULL,
    etag       text  NOT NULL,
    content    bytea NOT NULL
);

CREATE INDEX document_collection ON document (collection);

-- Tiles of the log (C2SP tlog-tiles), 32 octets a hash. The last one of a level grows until it is full.
CREATE TABLE tile (
    level  smallint NOT NULL,
    index  bigint   NOT NULL,
    hashes bytea    STORAGE EXTERNAL NOT NULL
        CHECK (length(hashes) BETWEEN 32 AND 8192 AND length(hashes) % 32 = 0),
    PRIMARY KEY (level, index)
);
