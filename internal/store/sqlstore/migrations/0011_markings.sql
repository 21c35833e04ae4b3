-- +goose Up

-- The markings that nobody understands, and the handling classes whose objects
-- they hold: whole ones, or, where whole is 0, parts of them.
CREATE TABLE held_marking (
    program TEXT NOT NULL,
    ref     TEXT NOT NULL,
    class   BIGINT NOT NULL,
    whole   BIGINT NOT NULL,
    objects BIGINT NOT NULL,
    PRIMARY KEY (program, ref, class)
) {{clustered}};
CREATE INDEX held_marking_class ON held_marking (class);

-- What was held before. A class that several markings hold is not listed: which
-- of them nobody defined is not known any more.
INSERT INTO held_marking (program, ref, class, whole, objects)
    SELECT a.program, c.markings, c.id, 1, 0
    FROM handling_class AS c JOIN artifact AS a ON a.number = c.artifact
    WHERE c.held = 1 AND a.ready = 1 AND c.markings <> '' AND c.markings NOT LIKE '% %';

-- What those who run a program say that a marking asks; handling is JSON.
CREATE TABLE marking_resolution (
    program  TEXT NOT NULL,
    ref      TEXT NOT NULL,
    handling TEXT NOT NULL,
    reason   TEXT NOT NULL,
    by_whom  TEXT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (program, ref)
) {{clustered}};
