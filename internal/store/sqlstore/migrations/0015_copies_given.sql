-- +goose Up

-- Which copies were made for which organisation: what is taken back is revoked
-- there under the identifier that it was given. of is the object's own identifier,
-- seq the version of it; both identifiers also by their hashes.
CREATE TABLE copy_given (
    seq     BIGINT NOT NULL,
    org     TEXT NOT NULL,
    id_hash BIGINT NOT NULL,
    of_hash BIGINT NOT NULL,
    id      TEXT NOT NULL,
    of_id   TEXT NOT NULL,
    PRIMARY KEY (seq, org, id_hash)
) {{clustered}};
CREATE INDEX copy_given_id ON copy_given (org, id_hash);
CREATE INDEX copy_given_of ON copy_given (org, of_hash);
