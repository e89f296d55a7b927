-- The messages of a folder are read without a look at those of all others.
CREATE INDEX message_folder ON message (folder);

-- HIGHESTMODSEQ up to which the pairs of a folder hold all that the server had; NULL where they do not.
ALTER TABLE folder ADD COLUMN baseline INTEGER;
