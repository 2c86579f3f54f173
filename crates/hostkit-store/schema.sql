-- The whole schema as it is after all migrations; a test keeps the two equal.
-- Times are RFC 3339 text; bodies are JSON; sealed values are encrypted.
CREATE TABLE project (
    name       TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    deleting   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE environment (
    project    TEXT NOT NULL REFERENCES project (name) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    created_at TEXT NOT NULL,
    release    TEXT,
    generation INTEGER,
    previous   TEXT,
    stopped    INTEGER NOT NULL DEFAULT 0,
    counts     TEXT NOT NULL DEFAULT '{}', canary TEXT,
    PRIMARY KEY (project, name)
) STRICT;

CREATE TABLE port (
    port        INTEGER PRIMARY KEY,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    process     TEXT NOT NULL,
    UNIQUE (project, environment, process),
    FOREIGN KEY (project, environment) REFERENCES environment (project, name) ON DELETE CASCADE
) STRICT;

CREATE TABLE variable (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    name        TEXT NOT NULL,
    sealed      BLOB NOT NULL,
    updated_at  TEXT NOT NULL,
    updated_by  TEXT NOT NULL,
    PRIMARY KEY (project, environment, name),
    FOREIGN KEY (project, environment) REFERENCES environment (project, name) ON DELETE CASCADE
) STRICT;

CREATE TABLE variable_change (
    id          INTEGER PRIMARY KEY,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    name        TEXT NOT NULL,
    removed     INTEGER NOT NULL,
    at          TEXT NOT NULL,
    by          TEXT NOT NULL,
    FOREIGN KEY (project, environment) REFERENCES environment (project, name) ON DELETE CASCADE
) STRICT;

CREATE INDEX variable_change_of ON variable_change (project, environment, name);

CREATE TABLE release (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    name        TEXT NOT NULL,
    created_at  TEXT NOT NULL,
    body        TEXT NOT NULL,
    variables   BLOB NOT NULL,
    PRIMARY KEY (project, environment, name),
    FOREIGN KEY (project, environment) REFERENCES environment (project, name) ON DELETE CASCADE
) STRICT;

-- AUTOINCREMENT: the number of a deployment names its instances and must never come again.
CREATE TABLE deployment (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    act         TEXT NOT NULL,
    trigger     TEXT NOT NULL,
    state       TEXT NOT NULL,
    release     TEXT,
    skipped_for INTEGER,
    failure     TEXT,
    probe       TEXT,
    saga        TEXT,
    created_at  TEXT NOT NULL,
    started_at  TEXT,
    finished_at TEXT,
    FOREIGN KEY (project, environment) REFERENCES environment (project, name) ON DELETE CASCADE
) STRICT;

CREATE INDEX deployment_of ON deployment (project, environment, id);
CREATE INDEX deployment_unfinished ON deployment (state) WHERE state IN ('queued', 'running');

CREATE TABLE step (
    deployment   INTEGER NOT NULL REFERENCES deployment (id) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    name         TEXT NOT NULL,
    state        TEXT NOT NULL,
    started_at   TEXT NOT NULL,
    milliseconds INTEGER,
    PRIMARY KEY (deployment, position)
) STRICT;

CREATE TABLE event (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          TEXT NOT NULL,
    project     TEXT,
    environment TEXT,
    body        TEXT NOT NULL
) STRICT;

CREATE INDEX event_of ON event (project, environment, id);

CREATE TABLE token (
    name       TEXT PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE,
    role       TEXT NOT NULL,
    project    TEXT REFERENCES project (name) ON DELETE CASCADE,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE domain (
    host        TEXT PRIMARY KEY,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    added_at    TEXT NOT NULL,
    added_by    TEXT NOT NULL,
    FOREIGN KEY (project, environment) REFERENCES environment (project, name) ON DELETE CASCADE
) STRICT;

CREATE INDEX domain_of ON domain (project, environment);

CREATE TABLE addon (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    kind        TEXT NOT NULL,
    port        INTEGER UNIQUE,
    operator    BLOB NOT NULL,
    settings    TEXT NOT NULL,
    rotation    INTEGER,
    removing    INTEGER NOT NULL DEFAULT 0,
    created_at  TEXT NOT NULL,
    PRIMARY KEY (project, environment, kind),
    FOREIGN KEY (project, environment) REFERENCES environment (project, name) ON DELETE CASCADE
) STRICT;

CREATE TABLE credential (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    kind        TEXT NOT NULL,
    number      INTEGER NOT NULL,
    sealed      BLOB NOT NULL,
    created_at  TEXT NOT NULL,
    PRIMARY KEY (project, environment, kind, number),
    FOREIGN KEY (project, environment, kind) REFERENCES addon (project, environment, kind) ON DELETE CASCADE
) STRICT;

-- Programs of add-ons that serve all projects: where each is found, and what HostKit itself gets in with.
CREATE TABLE shared_service (
    role     TEXT PRIMARY KEY,
    port     INTEGER NOT NULL UNIQUE,
    operator BLOB NOT NULL
) STRICT;

-- Backups of environments. They outlive the projects that they were made of, and so does what was counted: a number is
-- never used again.
CREATE TABLE backup (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    number      INTEGER NOT NULL,
    run         INTEGER NOT NULL,
    at          TEXT NOT NULL,
    state       TEXT NOT NULL,
    cause       TEXT NOT NULL,
    held        INTEGER NOT NULL DEFAULT 0,
    place       TEXT NOT NULL,
    parts       TEXT NOT NULL,
    ended_at    TEXT,
    failure     TEXT,
    PRIMARY KEY (project, environment, number)
) STRICT;

CREATE TABLE backup_count (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    last        INTEGER NOT NULL,
    PRIMARY KEY (project, environment)
) STRICT;

-- When an environment is backed up and what stays, where that was chosen.
CREATE TABLE backup_schedule (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    schedule    TEXT NOT NULL,
    PRIMARY KEY (project, environment),
    FOREIGN KEY (project, environment) REFERENCES environment (project, name) ON DELETE CASCADE
) STRICT;

-- One row: where backups are kept (sealed, for it may have secrets), and which key's recovery kit somebody has.
CREATE TABLE backup_place (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    target    BLOB,
    confirmed TEXT
) STRICT;

-- Add-ons that were ready once: data that are not there any more were lost, and are not to be made anew in silence.
CREATE TABLE addon_made (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    kind        TEXT NOT NULL,
    PRIMARY KEY (project, environment, kind),
    FOREIGN KEY (project, environment, kind) REFERENCES addon (project, environment, kind) ON DELETE CASCADE
) STRICT;
