-- +goose Up

-- The key with which the exchange signs what it says to one party (C2SP
-- signed-note). There is one row.
CREATE TABLE signing_key (
    id      BIGINT PRIMARY KEY,
    private TEXT NOT NULL,
    public  TEXT NOT NULL,
    made_at BIGINT NOT NULL
);
