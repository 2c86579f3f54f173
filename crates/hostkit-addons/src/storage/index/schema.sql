-- The index of one storage server. Keys are bytes, so that they are ordered as S3 orders them. Times are milliseconds
-- since 1970 in UTC.

CREATE TABLE bucket (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    -- Of its objects and of parts that wait for the rest; kept by the triggers below.
    bytes INTEGER NOT NULL DEFAULT 0,
    objects INTEGER NOT NULL DEFAULT 0,
    cors TEXT,
    lifecycle TEXT
) STRICT;

CREATE TABLE object (
    id INTEGER PRIMARY KEY,
    bucket INTEGER NOT NULL REFERENCES bucket (id),
    key BLOB NOT NULL,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    etag TEXT NOT NULL,
    -- 24 bytes for each file: its name, then how many bytes it has (little-endian).
    pieces BLOB NOT NULL,
    details TEXT NOT NULL,
    tags TEXT,
    UNIQUE (bucket, key)
) STRICT;

CREATE TABLE upload (
    id TEXT PRIMARY KEY,
    bucket INTEGER NOT NULL REFERENCES bucket (id),
    key BLOB NOT NULL,
    created INTEGER NOT NULL,
    details TEXT NOT NULL,
    tags TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX upload_by_key ON upload (bucket, key, id);

CREATE TABLE part (
    upload TEXT NOT NULL REFERENCES upload (id),
    number INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    etag TEXT NOT NULL,
    content BLOB NOT NULL,
    checksums TEXT NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

-- How many objects and parts consist of a file. What is not here is nobody's.
CREATE TABLE content_use (
    content BLOB PRIMARY KEY,
    uses INTEGER NOT NULL CHECK (uses > 0)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER object_added AFTER INSERT ON object BEGIN
    UPDATE bucket SET bytes = bytes + NEW.size, objects = objects + 1 WHERE id = NEW.bucket;
END;
CREATE TRIGGER object_removed AFTER DELETE ON object BEGIN
    UPDATE bucket SET bytes = bytes - OLD.size, objects = objects - 1 WHERE id = OLD.bucket;
END;
CREATE TRIGGER part_added AFTER INSERT ON part BEGIN
    UPDATE bucket SET bytes = bytes + NEW.size WHERE id = NEW.bucket;
END;
CREATE TRIGGER part_removed AFTER DELETE ON part BEGIN
    UPDATE bucket SET bytes = bytes - OLD.size WHERE id = OLD.bucket;
END;
