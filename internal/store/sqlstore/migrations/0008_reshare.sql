-- +goose Up

-- What somebody asked the originators of an item, as JSON. The columns beside it
-- are those that are searched.
CREATE TABLE reshare (
    id        TEXT NOT NULL PRIMARY KEY,
    program   TEXT NOT NULL,
    org       TEXT NOT NULL, -- that asks
    artifact  BIGINT NOT NULL,
    object    TEXT NOT NULL, -- the STIX object in it; empty: the artifact as a whole
    state     TEXT NOT NULL,
    asked_at  BIGINT NOT NULL,
    answer_by BIGINT NOT NULL,
    body      TEXT NOT NULL
);
CREATE INDEX reshare_program ON reshare (program, asked_at, id);
CREATE INDEX reshare_due ON reshare (answer_by) WHERE state = 'open';
CREATE INDEX reshare_item ON reshare (artifact, object);

-- Who takes part in a request: who asks, and the originators.
CREATE TABLE reshare_party (
    org      TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    reshare  TEXT NOT NULL,
    PRIMARY KEY (org, asked_at, reshare)
) {{clustered}};

CREATE INDEX artifact_derived ON artifact (program) WHERE derived_from <> '[]';
