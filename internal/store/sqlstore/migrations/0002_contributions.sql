-- +goose Up

-- Grows with everything that members write: feeds hold more, verdicts stay.
INSERT INTO counter (name, n) VALUES ('contribution', 1);

-- The position of a run's first object: the object at position p of the run's
-- artifact has date_added = base + (p - first) * step.
ALTER TABLE feed_run ADD COLUMN first BIGINT NOT NULL DEFAULT 0;

-- The release that holds what members write: one for each program.
ALTER TABLE release ADD COLUMN standing BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX release_standing ON release (program) WHERE standing = 1;

-- What one organisation writes into one program. Of its file only the first
-- size bytes are known, and of its positions the first n are taken.
CREATE TABLE journal (
    artifact BIGINT PRIMARY KEY,
    program  TEXT NOT NULL,
    org      TEXT NOT NULL,
    readers  TEXT NOT NULL, -- the cohorts that it was opened to
    size     BIGINT NOT NULL,
    n        BIGINT NOT NULL
);
CREATE INDEX journal_org ON journal (program, org, artifact);

-- What became of a request to add objects (TAXII 2.1 §4.3), kept 48 hours.
CREATE TABLE contribution_status (
    id           TEXT PRIMARY KEY,
    program      TEXT NOT NULL,
    org          TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    total        BIGINT NOT NULL,
    success      BIGINT NOT NULL,
    failure      BIGINT NOT NULL,
    details      {{bytes}} NOT NULL,
    -- of a request that is not worked off: its bytes, who sent it, how far it is
    spool        TEXT NOT NULL,
    actor        TEXT NOT NULL,
    done         BIGINT NOT NULL
);
CREATE INDEX contribution_status_age ON contribution_status (requested_at);
CREATE INDEX contribution_status_waiting ON contribution_status (requested_at, id) WHERE spool <> '';
