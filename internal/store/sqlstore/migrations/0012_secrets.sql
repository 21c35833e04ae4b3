-- +goose Up

-- Keys that the exchange makes for itself, at first use.
CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value {{bytes}} NOT NULL
);
