-- The machines that poll: one connection is one token. What is known of its polls
-- is written every few seconds. Cursors are date_added values.
CREATE TABLE connection (
    id           TEXT PRIMARY KEY,
    token        TEXT NOT NULL UNIQUE,
    org          TEXT NOT NULL,
    client       TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    removed_at   BIGINT NOT NULL,
    polls        BIGINT NOT NULL,
    objects      BIGINT NOT NULL,
    last_objects BIGINT NOT NULL,
    last_at      BIGINT NOT NULL,
    last_status  BIGINT NOT NULL,
    last_after   BIGINT NOT NULL,
    last_cursor  BIGINT NOT NULL,
    usual        BIGINT NOT NULL,
    loop_at      BIGINT NOT NULL,
    restart_at   BIGINT NOT NULL,
    skip_at      BIGINT NOT NULL
);
CREATE INDEX connection_org ON connection (org, id);

-- The newest requests of a machine that were refused, numbered from the oldest.
CREATE TABLE connection_error (
    connection TEXT NOT NULL,
    n          BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    request    TEXT NOT NULL,
    status     BIGINT NOT NULL,
    problem    TEXT NOT NULL,
    PRIMARY KEY (connection, n)
) {{clustered}};
