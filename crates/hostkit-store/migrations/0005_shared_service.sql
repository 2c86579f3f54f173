-- Programs of add-ons that serve all projects: where each is found, and what HostKit itself gets in with.
CREATE TABLE shared_service (
    role     TEXT PRIMARY KEY,
    port     INTEGER NOT NULL UNIQUE,
    operator BLOB NOT NULL
) STRICT;
