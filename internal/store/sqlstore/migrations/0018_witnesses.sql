-- +goose Up

-- What each witness cosigned last of a log. Keys are public keys as charters name
-- them. failure is a short name; empty: the last time went well.
CREATE TABLE witness_state (
    log         BIGINT NOT NULL,
    witness_key TEXT NOT NULL,
    listed_at   BIGINT NOT NULL,
    size        BIGINT NOT NULL,
    signed_at   BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    failure     TEXT NOT NULL,
    failed_at   BIGINT NOT NULL,
    PRIMARY KEY (log, witness_key)
) {{clustered}};

-- Checkpoints that witnesses cosigned, as the log signed them, and the lines of
-- their signatures.
CREATE TABLE cosigned (
    log        BIGINT NOT NULL,
    size       BIGINT NOT NULL,
    checkpoint {{bytes}} NOT NULL,
    PRIMARY KEY (log, size)
) {{clustered}};
CREATE TABLE cosignature (
    log         BIGINT NOT NULL,
    size        BIGINT NOT NULL,
    witness_key TEXT NOT NULL,
    line        TEXT NOT NULL,
    signed_at   BIGINT NOT NULL,
    PRIMARY KEY (log, size, witness_key)
) {{clustered}};

-- What speaks against the ledger, once for each program that it concerns. ours and
-- theirs are signed checkpoints; theirs is empty where there is a witness's word
-- alone.
CREATE TABLE witness_disagreement (
    id          BIGINT PRIMARY KEY,
    program     TEXT NOT NULL,
    log         BIGINT NOT NULL,
    witness_key TEXT NOT NULL,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    size        BIGINT NOT NULL,
    root        TEXT NOT NULL,
    ours        {{bytes}} NOT NULL,
    theirs      {{bytes}} NOT NULL,
    at          BIGINT NOT NULL,
    resolved_at BIGINT NOT NULL,
    resolved_by TEXT NOT NULL,
    reason      TEXT NOT NULL
);
CREATE INDEX witness_disagreement_program ON witness_disagreement (program, log);

INSERT INTO counter (name, n) VALUES ('witness_disagreement', 0);
