-- +goose Up

-- The logs that the events were carried into, one after the other. Entry i of a
-- log is the event base + 1 + i. size and root are those at which it was closed;
-- closed_at is 0 before.
CREATE TABLE ledger_log (
    number    BIGINT PRIMARY KEY,
    origin    TEXT NOT NULL,
    base      BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT NOT NULL,
    size      BIGINT NOT NULL,
    root      {{bytes}}
);

-- The keys of a log (C2SP signed-note). Each signs checkpoints from a size on, and
-- up to another one; -1: it still signs.
CREATE TABLE ledger_key (
    log     BIGINT NOT NULL,
    public  TEXT NOT NULL,
    private TEXT NOT NULL,
    since   BIGINT NOT NULL,
    until   BIGINT NOT NULL,
    PRIMARY KEY (log, public)
);

-- The newest checkpoint of a log that any of several nodes has told of. Where one
-- process alone uses the store, there is no row.
CREATE TABLE ledger_head (
    log        BIGINT PRIMARY KEY,
    size       BIGINT NOT NULL,
    checkpoint {{bytes}} NOT NULL,
    node       TEXT NOT NULL
);
