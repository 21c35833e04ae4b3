-- +goose Up

-- What the markings behind a handling class say, as JSON; empty: a label alone.
ALTER TABLE handling_class ADD COLUMN terms TEXT NOT NULL DEFAULT '';

ALTER TABLE artifact ADD COLUMN recalled_at BIGINT NOT NULL DEFAULT 0;
-- Lists, as JSON.
ALTER TABLE artifact ADD COLUMN originators TEXT NOT NULL DEFAULT '[]';
ALTER TABLE artifact ADD COLUMN derived_from TEXT NOT NULL DEFAULT '[]';
ALTER TABLE artifact ADD COLUMN relation TEXT NOT NULL DEFAULT '';
-- 1: every reference of its objects leads to one of them.
ALTER TABLE artifact ADD COLUMN self_contained BIGINT NOT NULL DEFAULT 0;

-- When an artifact was given to one organisation by itself, whatever its
-- audience was given, and until when; 0: without end.
CREATE TABLE org_opening (
    artifact  BIGINT NOT NULL,
    org       TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    until_at  BIGINT NOT NULL,
    PRIMARY KEY (artifact, org)
) {{clustered}};
