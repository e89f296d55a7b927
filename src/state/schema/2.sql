-- What two-way sync knows of a message: a row with both keys is a pair.
ALTER TABLE message ADD COLUMN local_key BLOB;               -- Maildir file name up to the ':'; NULL where it is not known
ALTER TABLE message ADD COLUMN marks TEXT NOT NULL DEFAULT ''; -- agreed last: Maildir letters, then keywords, each after a space
ALTER TABLE message ADD COLUMN gone TEXT CHECK (gone IN ('remote', 'local')); -- deleted there, and the other side keeps it
ALTER TABLE message ADD COLUMN pending_remote TEXT;          -- marks that may have been changed there and are not agreed
ALTER TABLE message ADD COLUMN pending_local TEXT;
CREATE UNIQUE INDEX message_local_key ON message (folder, local_key) WHERE local_key IS NOT NULL;
UPDATE OR IGNORE message SET local_key = CAST(substr(place, 5, instr(substr(place, 5) || ':', ':') - 1) AS BLOB)
    WHERE substr(place, 1, 4) IN ('new/', 'cur/');

-- How a folder was found at the end of the last sync that left nothing open in it.
ALTER TABLE folder ADD COLUMN synced INTEGER NOT NULL DEFAULT 0; -- 1 once a sync came to its end
ALTER TABLE folder ADD COLUMN messages INTEGER;              -- on the server
ALTER TABLE folder ADD COLUMN uidnext INTEGER;
ALTER TABLE folder ADD COLUMN highestmodseq INTEGER;
ALTER TABLE folder ADD COLUMN cur_time INTEGER;              -- nanoseconds since 1970 UTC
ALTER TABLE folder ADD COLUMN new_time INTEGER;

-- A message on its way into a folder of the server: appended, or moved there.
CREATE TABLE intent (
    id          INTEGER PRIMARY KEY,
    folder      INTEGER NOT NULL REFERENCES folder (id), -- where it is to stand
    row         INTEGER REFERENCES message (id) ON DELETE SET NULL, -- the message's row, where it has one already
    local_key   BLOB NOT NULL,
    wire_size   INTEGER NOT NULL,
    digest      BLOB NOT NULL,
    fingerprint BLOB NOT NULL,
    marks       TEXT NOT NULL,   -- agreed once it stands there
    uidnext     INTEGER NOT NULL -- the folder's before it was sent: it has this UID or a higher one
);
