-- Where the last check of a migration found the message in the target; 'removed' where one found it before and the last did not.
ALTER TABLE message ADD COLUMN found TEXT;
-- 1 where it was compared there octet by octet.
ALTER TABLE message ADD COLUMN compared INTEGER NOT NULL DEFAULT 0;
