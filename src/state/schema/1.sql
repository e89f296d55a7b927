-- A source: a folder of the account, and the scope in which its keys are valid.
CREATE TABLE folder (
    id       INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    scope    TEXT NOT NULL,
    in_doubt INTEGER NOT NULL DEFAULT 0 -- 1 while messages are being recognised under new names
);

-- A message that is in the store, or about to be.
CREATE TABLE message (
    id            INTEGER PRIMARY KEY,
    folder        INTEGER NOT NULL REFERENCES folder (id),
    key           BLOB,              -- UIDL or UID; NULL where the server gives no name of its own
    listed_size   INTEGER,           -- octets, as the server listed it
    wire_size     INTEGER NOT NULL,  -- octets with CRLF line ends, as counted here
    digest        BLOB NOT NULL,     -- BLAKE3 of the content
    fingerprint   BLOB NOT NULL,     -- of Message-ID, Date, From, Subject
    -- Not IN: for more than two values SQLite builds a table in memory, for each row that is written.
    status        TEXT NOT NULL
                  CHECK (status = 'arriving' OR status = 'delivered' OR status = 'delete_sent' OR status = 'deleted'),
    place         TEXT,              -- where it was put: Maildir file name, or offset+length in an mbox
    first_seen    INTEGER NOT NULL,  -- seconds since 1970 UTC
    missing_since INTEGER            -- since when listings lack it
);
CREATE UNIQUE INDEX message_key ON message (folder, key) WHERE key IS NOT NULL;
CREATE INDEX message_arriving ON message (folder) WHERE status = 'arriving';

-- A message that the server would not give, with its reason.
CREATE TABLE quarantine (
    folder    INTEGER NOT NULL REFERENCES folder (id),
    key       BLOB NOT NULL,
    reason    TEXT NOT NULL,
    tries     INTEGER NOT NULL,
    last_try  INTEGER NOT NULL,
    PRIMARY KEY (folder, key)
);

-- Small facts about the account, such as the time of the last log-in.
CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- One line a run.
CREATE TABLE run (
    id       INTEGER PRIMARY KEY,
    started  INTEGER NOT NULL,
    seconds  REAL NOT NULL,
    exit     INTEGER NOT NULL,
    counts   TEXT NOT NULL            -- JSON, as in the summary event
);
