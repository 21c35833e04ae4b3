-- +goose Up

-- Who is to be told by mail that which notice waits.
CREATE TABLE mail (
    notice    TEXT NOT NULL,
    person    TEXT NOT NULL,
    kind      TEXT NOT NULL,
    state     TEXT NOT NULL,
    attempts  BIGINT NOT NULL,
    queued_at BIGINT NOT NULL,
    next_at   BIGINT NOT NULL,
    sent_at   BIGINT NOT NULL,
    PRIMARY KEY (notice, person)
);
CREATE INDEX mail_due ON mail (person, next_at) WHERE state = 'pending';
CREATE INDEX mail_sent ON mail (person, sent_at);

-- The last event whose notices were queued: one row at most.
CREATE TABLE mail_cursor (
    id    BIGINT PRIMARY KEY,
    event BIGINT NOT NULL
);

CREATE INDEX notice_event ON notice (event);
