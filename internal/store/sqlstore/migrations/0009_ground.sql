-- +goose Up

INSERT INTO counter (name, n) VALUES ('legal_basis', 0);

-- The register of legal bases. It only grows.
CREATE TABLE legal_basis (
    number       BIGINT PRIMARY KEY,
    basis        TEXT NOT NULL,
    jurisdiction TEXT NOT NULL,
    instrument   TEXT NOT NULL,
    in_force     BIGINT NOT NULL,
    valid_from   BIGINT NOT NULL,
    valid_to     BIGINT NOT NULL,
    known_from   BIGINT NOT NULL,
    entered_at   BIGINT NOT NULL,
    conditions   TEXT NOT NULL,
    source       TEXT NOT NULL,
    person       TEXT NOT NULL
);
CREATE INDEX legal_basis_of ON legal_basis (basis, number);

-- How a basis stood for a share (event), as known then. line 0: nothing was
-- known of it. entered is the last line of the basis at that time.
CREATE TABLE legal_share (
    artifact     TEXT NOT NULL,
    event        BIGINT NOT NULL,
    basis        TEXT NOT NULL,
    program      TEXT NOT NULL,
    org          TEXT NOT NULL,
    at           BIGINT NOT NULL,
    in_force     BIGINT NOT NULL,
    covered      BIGINT NOT NULL,
    entered      BIGINT NOT NULL,
    line         BIGINT NOT NULL,
    jurisdiction TEXT NOT NULL,
    instrument   TEXT NOT NULL,
    line_says    BIGINT NOT NULL,
    valid_from   BIGINT NOT NULL,
    valid_to     BIGINT NOT NULL,
    known_from   BIGINT NOT NULL,
    entered_at   BIGINT NOT NULL,
    conditions   TEXT NOT NULL,
    source       TEXT NOT NULL,
    person       TEXT NOT NULL,
    PRIMARY KEY (event, basis)
) {{clustered}};
CREATE INDEX legal_share_artifact ON legal_share (artifact, event);
CREATE INDEX legal_share_org ON legal_share (program, org, event);

-- 1: other members do not learn that it takes part.
ALTER TABLE member ADD COLUMN hidden BIGINT NOT NULL DEFAULT 0;
