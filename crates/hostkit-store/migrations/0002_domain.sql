-- Host names that were added to environments; each once in the installation.
CREATE TABLE domain (
    host        TEXT PRIMARY KEY,
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    added_at    TEXT NOT NULL,
    added_by    TEXT NOT NULL,
    FOREIGN KEY (project, environment) REFERENCES environment (project, name) ON DELETE CASCADE
) STRICT;

CREATE INDEX domain_of ON domain (project, environment);
