-- Add-ons that were ready once: data that are not there any more were lost, and are not to be made anew in silence.
CREATE TABLE addon_made (
    project     TEXT NOT NULL,
    environment TEXT NOT NULL,
    kind        TEXT NOT NULL,
    PRIMARY KEY (project, environment, kind),
    FOREIGN KEY (project, environment, kind) REFERENCES addon (project, environment, kind) ON DELETE CASCADE
) STRICT;
