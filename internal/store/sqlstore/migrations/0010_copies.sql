-- +goose Up

-- Which object a redacted copy is of, by the hash of the copy's identifier. Who
-- asks for a copy is answered by what is decided for him: a row here says only
-- where to look.
CREATE TABLE object_copy (
    id_hash BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    PRIMARY KEY (id_hash, seq)
) {{clustered}};

-- Identifiers of objects that were taken out: references to them are withheld.
CREATE TABLE object_gone (
    id_hash BIGINT NOT NULL,
    program TEXT NOT NULL,
    PRIMARY KEY (id_hash, program)
) {{clustered}};
