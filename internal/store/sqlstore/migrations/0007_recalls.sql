-- +goose Up

-- 1: some of its objects were taken back, so its bytes as a whole are given to nobody.
ALTER TABLE artifact ADD COLUMN lessened BIGINT NOT NULL DEFAULT 0;
-- 1: nothing of its expiry is to be told any more.
ALTER TABLE artifact ADD COLUMN settled BIGINT NOT NULL DEFAULT 0;
CREATE INDEX artifact_unsettled ON artifact (number) WHERE settled = 0;

-- What was taken back. An act by the clock has no organisation.
CREATE TABLE recall (
    id           TEXT PRIMARY KEY,
    kind         TEXT NOT NULL,
    program      TEXT NOT NULL,
    release      TEXT NOT NULL,
    artifact     TEXT NOT NULL,
    number       BIGINT NOT NULL,
    title        TEXT NOT NULL,
    object       TEXT NOT NULL,
    tlp          BIGINT NOT NULL,
    persons      TEXT NOT NULL,
    by_org       TEXT NOT NULL,
    person       TEXT NOT NULL,
    owners       TEXT NOT NULL,
    at           BIGINT NOT NULL,
    effective_at BIGINT NOT NULL,
    reason       TEXT NOT NULL,
    message      TEXT NOT NULL,
    replacement  TEXT NOT NULL,
    was          TEXT NOT NULL,
    handling     TEXT NOT NULL,
    objects      BIGINT NOT NULL,
    tombstones   BIGINT NOT NULL,
    event        BIGINT NOT NULL,
    reminded_at  BIGINT NOT NULL
);
CREATE INDEX recall_program ON recall (program, at);
CREATE INDEX recall_at ON recall (at);

-- Who owns what was taken back.
CREATE TABLE recall_owner (
    org    TEXT NOT NULL,
    recall TEXT NOT NULL,
    PRIMARY KEY (org, recall)
) {{clustered}};

-- Who was given it, or offered it, as of the act, and what became of it there.
CREATE TABLE recall_holder (
    recall      TEXT NOT NULL,
    org         TEXT NOT NULL,
    near        TEXT NOT NULL,
    since       BIGINT NOT NULL,
    loses       BIGINT NOT NULL,
    tombs       BIGINT NOT NULL,
    answer      TEXT NOT NULL,
    note        TEXT NOT NULL,
    person      TEXT NOT NULL,
    answered_at BIGINT NOT NULL,
    reminders   BIGINT NOT NULL,
    reminded_at BIGINT NOT NULL,
    PRIMARY KEY (recall, org)
) {{clustered}};
CREATE INDEX recall_holder_org ON recall_holder (org, recall);
-- Those who are asked and silent.
CREATE INDEX recall_holder_silent ON recall_holder (reminders, recall) WHERE loses = 1 AND answered_at = 0 AND near <> 'offered';

-- Whether a notice was taken by a webhook.
CREATE INDEX webhook_delivery_subject ON webhook_delivery (subject) WHERE subject <> '';
