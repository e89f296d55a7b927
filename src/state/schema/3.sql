-- HIGHESTMODSEQ up to which the pairs of a folder hold all that the server had; NULL where they do not.
ALTER TABLE folder ADD COLUMN baseline INTEGER;
