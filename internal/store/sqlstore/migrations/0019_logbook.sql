-- +goose Up

-- When a key of a log is to end; 0: nothing was decided.
ALTER TABLE ledger_key ADD COLUMN ends_at BIGINT NOT NULL DEFAULT 0;

-- What a log says of its keys and of its end, as signed notes, in order from 1.
CREATE TABLE ledger_statement (
    log    BIGINT NOT NULL,
    number BIGINT NOT NULL,
    signed {{bytes}} NOT NULL,
    PRIMARY KEY (log, number)
);
