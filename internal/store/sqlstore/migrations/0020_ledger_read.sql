-- +goose Up

-- What the ledger is asked for: the events that touched something, those of which an
-- organisation is a party although its name is not in the column org (owner is 1 for
-- the originators of what a disclosure covers, 0 for who acted), and those of a time.
CREATE TABLE event_subject (
    subject TEXT NOT NULL,
    seq     BIGINT NOT NULL,
    PRIMARY KEY (subject, seq)
) {{clustered}};
CREATE TABLE event_party (
    org   TEXT NOT NULL,
    owner BIGINT NOT NULL,
    seq   BIGINT NOT NULL,
    PRIMARY KEY (org, owner, seq)
) {{clustered}};
-- What is left of the opening of an entry that was erased, as JSON: no more than that
-- something of this kind happened in the program then.
ALTER TABLE event ADD COLUMN kept {{bytes}};
CREATE INDEX event_at ON event (at, seq);
-- Nearly all events are pages and objects that were given; the others are looked for by kind.
CREATE INDEX event_rare ON event (program, kind, seq) WHERE kind <> 'page.serve' AND kind <> 'object.serve';

-- Every charter that was in force, as it was written.
CREATE TABLE charter_version (
    program  TEXT NOT NULL,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (program, revision)
) {{clustered}};
INSERT INTO charter_version (program, revision, document, at) SELECT id, revision, charter, updated_at FROM program;
