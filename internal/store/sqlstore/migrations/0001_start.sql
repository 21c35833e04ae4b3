-- +goose Up

CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    n    BIGINT NOT NULL
);
INSERT INTO counter (name, n) VALUES ('event', 0), ('generation', 1), ('artifact', 0), ('feed', 0), ('class', 0);

CREATE TABLE program (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    charter    TEXT NOT NULL,
    revision   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- The last date_added given in a program: strictly increasing, in commit order.
CREATE TABLE program_clock (
    program TEXT PRIMARY KEY,
    added   BIGINT NOT NULL
);

CREATE TABLE organisation (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    kind           TEXT NOT NULL,
    attributes     TEXT NOT NULL,
    customers      BIGINT NOT NULL,
    client_of      TEXT NOT NULL,
    created_at     BIGINT NOT NULL,
    suspended_at   BIGINT NOT NULL,
    suspend_reason TEXT NOT NULL,
    revision       BIGINT NOT NULL
);

CREATE TABLE jurisdiction (
    code       TEXT PRIMARY KEY,
    compelled  BIGINT NOT NULL,
    within     TEXT NOT NULL,
    source     TEXT NOT NULL,
    valid_from BIGINT NOT NULL
);

CREATE TABLE person (
    id           TEXT PRIMARY KEY,
    org          TEXT NOT NULL,
    login        TEXT NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    email        TEXT NOT NULL,
    roles        TEXT NOT NULL,
    zone         TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    suspended_at BIGINT NOT NULL,
    revision     BIGINT NOT NULL
);
CREATE INDEX person_org ON person (org, id);

CREATE TABLE token (
    id         TEXT PRIMARY KEY,
    person     TEXT NOT NULL,
    org        TEXT NOT NULL,
    name       TEXT NOT NULL,
    hash       {{bytes}} NOT NULL,
    verbs      TEXT NOT NULL,
    program    TEXT NOT NULL,
    ceiling    BIGINT NOT NULL,
    machine    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL,
    last_used  BIGINT NOT NULL
);
CREATE INDEX token_org ON token (org, id);

-- Browser sessions and sign-in links: of the secret only its SHA-256 is kept.
CREATE TABLE session (
    hash       {{bytes}} PRIMARY KEY,
    person     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX session_person ON session (person);
CREATE TABLE link (
    hash       {{bytes}} PRIMARY KEY,
    person     TEXT NOT NULL,
    reusable   BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL
);

CREATE TABLE member (
    program   TEXT NOT NULL,
    org       TEXT NOT NULL,
    state     TEXT NOT NULL,
    audience  TEXT NOT NULL,
    joined_at BIGINT NOT NULL,
    since     BIGINT NOT NULL,
    reason    TEXT NOT NULL,
    PRIMARY KEY (program, org)
);
CREATE INDEX member_org ON member (org, program);

CREATE TABLE acceptance (
    program TEXT NOT NULL,
    org     TEXT NOT NULL,
    version BIGINT NOT NULL,
    person  TEXT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (program, org, version)
);

-- A feed holds what one audience (or, for a catch-up after a move between
-- cohorts, one organisation) was given, in the order in which it was given.
CREATE TABLE feed (
    id       BIGINT PRIMARY KEY,
    program  TEXT NOT NULL,
    audience TEXT NOT NULL,
    org      TEXT NOT NULL,
    UNIQUE (program, audience, org)
);

-- Which stretch of which feeds an organisation reads: added in (from_added, to_added].
CREATE TABLE subscription (
    program    TEXT NOT NULL,
    org        TEXT NOT NULL,
    feed       BIGINT NOT NULL,
    from_added BIGINT NOT NULL,
    to_added   BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    PRIMARY KEY (program, org, feed, from_added)
);

CREATE TABLE release (
    id                TEXT PRIMARY KEY,
    program           TEXT NOT NULL,
    title             TEXT NOT NULL,
    message           TEXT NOT NULL,
    state             TEXT NOT NULL,
    t0                BIGINT NOT NULL,
    rules             TEXT NOT NULL,
    revision          BIGINT NOT NULL,
    version           BIGINT NOT NULL,
    author            TEXT NOT NULL,
    editors           TEXT NOT NULL,
    incomplete_fix_of TEXT NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    public_at         BIGINT NOT NULL,
    closed_at         BIGINT NOT NULL,
    reason            TEXT NOT NULL
);
CREATE INDEX release_program ON release (program, created_at, id);

CREATE TABLE approval (
    release  TEXT NOT NULL,
    revision BIGINT NOT NULL,
    person   TEXT NOT NULL,
    at       BIGINT NOT NULL,
    PRIMARY KEY (release, revision, person)
);

CREATE TABLE wave (
    release   TEXT NOT NULL,
    audience  TEXT NOT NULL,
    at        BIGINT NOT NULL,
    classes   TEXT NOT NULL,
    state     TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    late      BIGINT NOT NULL,
    objects   BIGINT NOT NULL,
    PRIMARY KEY (release, audience, at, state, opened_at)
);
CREATE INDEX wave_due ON wave (state, at);

CREATE TABLE artifact (
    number       BIGINT PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    release      TEXT NOT NULL,
    program      TEXT NOT NULL,
    class        TEXT NOT NULL,
    kind         TEXT NOT NULL,
    title        TEXT NOT NULL,
    filename     TEXT NOT NULL,
    media_type   TEXT NOT NULL,
    handling     TEXT NOT NULL,
    sha256       TEXT NOT NULL,
    size         BIGINT NOT NULL,
    objects      BIGINT NOT NULL,
    originator   TEXT NOT NULL,
    submitted_by TEXT NOT NULL,
    submitted_at BIGINT NOT NULL,
    supersedes   TEXT NOT NULL,
    removed_at   BIGINT NOT NULL,
    -- 0 while its objects are being stored: such an artifact does not exist for anyone
    ready        BIGINT NOT NULL
);
CREATE INDEX artifact_release ON artifact (release, number);
CREATE UNIQUE INDEX artifact_once ON artifact (release, class, sha256, filename) WHERE ready = 1 AND removed_at = 0;

CREATE TABLE handling_class (
    id       BIGINT PRIMARY KEY,
    artifact BIGINT NOT NULL,
    tlp      BIGINT NOT NULL,
    held     BIGINT NOT NULL,
    markings TEXT NOT NULL
);
CREATE INDEX handling_class_artifact ON handling_class (artifact);

-- What feeds need to know of an artifact's objects, up to 128 to a block: see
-- package packed. An object's number, seq, is artifact << 24 | position.
CREATE TABLE object_block (
    seq  {{rowid}} PRIMARY KEY, -- of the block's first object
    body {{bytes}} NOT NULL
);

-- One object of each identifier, by its hash; further ones of the same hash
-- (versions, repetitions) are in object_more, and all of them are contested.
CREATE TABLE object_index (
    id_hash BIGINT PRIMARY KEY,
    seq     BIGINT NOT NULL
) {{clustered}};
CREATE TABLE object_more (
    id_hash BIGINT NOT NULL,
    version BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    PRIMARY KEY (id_hash, version, seq)
) {{clustered}};

-- When an artifact was given to an audience; 'public' is everyone.
CREATE TABLE opening (
    artifact  BIGINT NOT NULL,
    audience  TEXT NOT NULL,
    release   TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    PRIMARY KEY (artifact, audience)
) {{clustered}};
CREATE INDEX opening_release ON opening (release, audience);

-- A feed is a list of runs: run number k brought the artifact's objects into
-- the feed, the one at position p with date_added = base + p * step. The runs of
-- one program never overlap, so their order is the order in which they opened.
CREATE TABLE feed_run (
    feed     BIGINT NOT NULL,
    base     BIGINT NOT NULL,
    step     BIGINT NOT NULL,
    n        BIGINT NOT NULL,
    artifact BIGINT NOT NULL,
    PRIMARY KEY (feed, base)
) {{clustered}};

CREATE TABLE event (
    seq     BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    program TEXT NOT NULL,
    release TEXT NOT NULL,
    org     TEXT NOT NULL,
    person  TEXT NOT NULL,
    token   TEXT NOT NULL,
    body    {{bytes}} NOT NULL
);
CREATE INDEX event_program ON event (program, seq);
CREATE INDEX event_release ON event (release, seq);
CREATE INDEX event_org ON event (org, seq);

CREATE TABLE exposure (
    artifact BIGINT NOT NULL,
    org      TEXT NOT NULL,
    client   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    release  TEXT NOT NULL,
    channel  TEXT NOT NULL,
    at       BIGINT NOT NULL,
    event    BIGINT NOT NULL,
    PRIMARY KEY (artifact, org, client, kind)
) {{clustered}};
CREATE INDEX exposure_release ON exposure (release, at);
CREATE INDEX exposure_org ON exposure (org, release);

CREATE TABLE notice (
    id      TEXT PRIMARY KEY,
    org     TEXT NOT NULL,
    program TEXT NOT NULL,
    release TEXT NOT NULL,
    kind    TEXT NOT NULL,
    at      BIGINT NOT NULL,
    event   BIGINT NOT NULL,
    text    TEXT NOT NULL,
    read_at BIGINT NOT NULL,
    UNIQUE (event, org)
);
CREATE INDEX notice_org ON notice (org, at, id);

CREATE TABLE feedback (
    id      TEXT PRIMARY KEY,
    program TEXT NOT NULL,
    release TEXT NOT NULL,
    org     TEXT NOT NULL,
    person  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    at      BIGINT NOT NULL,
    object  TEXT NOT NULL,
    about   TEXT NOT NULL,
    body    TEXT NOT NULL
);
CREATE INDEX feedback_release ON feedback (release, at, id);

-- Answers to requests with an Idempotency-Key, kept 48 hours.
CREATE TABLE idempotency (
    client  TEXT NOT NULL,
    key     TEXT NOT NULL,
    request {{bytes}} NOT NULL,
    status  BIGINT NOT NULL,
    body    {{bytes}} NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (client, key)
);
