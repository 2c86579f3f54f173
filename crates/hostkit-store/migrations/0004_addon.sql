-- Add-ons of environments, and what their programs prove themselves with: the newest credential has the highest number.
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
