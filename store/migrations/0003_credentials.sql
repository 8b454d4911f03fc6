-- credential binds a session to what opened it. Sessions from before this step are bound to nothing, and over.
ALTER TABLE sessions ADD COLUMN credential {{.Text}} NOT NULL DEFAULT '';

-- shifts is a digest of what a change would give and take, as it was when it was proposed.
ALTER TABLE pending_changes ADD COLUMN shifts {{.Text}} NOT NULL DEFAULT '';

-- A declaration is hashes of secrets that are long replaced: nobody needs it once the change was decided.
UPDATE pending_changes SET declaration = NULL WHERE state <> 'open';
