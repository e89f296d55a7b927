-- The messages of a folder are read without a look at those of all others.
CREATE INDEX message_folder ON message (folder);
