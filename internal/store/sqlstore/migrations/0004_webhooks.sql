-- +goose Up

INSERT INTO counter (name, n) VALUES ('webhook_delivery', 0);

-- keys holds what messages are signed with: whoever reads this column can sign
-- as the exchange does to these receivers.
CREATE TABLE webhook (
    id            TEXT PRIMARY KEY,
    org           TEXT NOT NULL,
    person        TEXT NOT NULL,
    token         TEXT NOT NULL,
    program       TEXT NOT NULL,
    url           TEXT NOT NULL,
    state         TEXT NOT NULL,
    reason        TEXT NOT NULL,
    notices       BIGINT NOT NULL,
    ceiling       BIGINT NOT NULL,
    machine       BIGINT NOT NULL,
    keys          TEXT NOT NULL,
    added         BIGINT NOT NULL,
    notice_event  BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    failing_since BIGINT NOT NULL
);
CREATE INDEX webhook_org ON webhook (org, id);
CREATE INDEX webhook_state ON webhook (state, id);

CREATE TABLE webhook_delivery (
    number      BIGINT PRIMARY KEY,
    id          TEXT NOT NULL,
    webhook     TEXT NOT NULL,
    kind        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    after_added BIGINT NOT NULL,
    last_added  BIGINT NOT NULL,
    objects     BIGINT NOT NULL,
    more        BIGINT NOT NULL,
    queued_at   BIGINT NOT NULL,
    state       TEXT NOT NULL,
    attempts    BIGINT NOT NULL,
    next_at     BIGINT NOT NULL,
    sent_at     BIGINT NOT NULL,
    status      BIGINT NOT NULL,
    latency_us  BIGINT NOT NULL,
    error       TEXT NOT NULL,
    UNIQUE (webhook, id)
);
CREATE INDEX webhook_delivery_of ON webhook_delivery (webhook, number);
CREATE INDEX webhook_delivery_due ON webhook_delivery (state, next_at);
