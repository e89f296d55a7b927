-- What a side had when the folder was last left that the pairs do not tell: a message that stands there alone, or one with other marks than are agreed.
CREATE TABLE leftover (
    folder      INTEGER NOT NULL REFERENCES folder (id),
    side        TEXT NOT NULL CHECK (side IN ('remote', 'local')),
    key         BLOB NOT NULL,
    marks       TEXT NOT NULL,
    size        INTEGER,         -- octets as listed
    received_at INTEGER,         -- seconds since 1970 UTC, where it was asked for
    why         TEXT,            -- why it is not copied; NULL where both sides have it
    PRIMARY KEY (folder, side, key)
) WITHOUT ROWID;
-- What was wanted then: under another policy the folder is looked at again.
ALTER TABLE folder ADD COLUMN policy TEXT;
-- 1 for a message on its way to the trash of the server.
ALTER TABLE intent ADD COLUMN discards INTEGER NOT NULL DEFAULT 0;
