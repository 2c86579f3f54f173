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
