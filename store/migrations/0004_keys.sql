-- Data keys, wrapped by a key-encryption key: no secret that this does not guard. A destroyed key has no wrapped (NULL). The revision is a
-- value of 'data_keys'.
CREATE TABLE data_keys (
    id         {{.Text}} NOT NULL PRIMARY KEY,
    department {{.Text}} NOT NULL,
    period     {{.Text}} NOT NULL,
    generation BIGINT NOT NULL,
    kek        {{.Text}} NOT NULL,
    wrapped    {{.Bytes}},
    created    BIGINT NOT NULL,
    destroyed  BIGINT NOT NULL,
    shredded   BOOLEAN NOT NULL,
    mac        {{.Bytes}} NOT NULL,
    revision   BIGINT NOT NULL UNIQUE
);
CREATE UNIQUE INDEX data_keys_generations ON data_keys (department, generation);
INSERT INTO counters (name, value) VALUES ('data_keys', 0);

-- By whose key a licence is sealed: the head of a sealed value (docs/formats.md).
CREATE INDEX licences_by_key ON licences (substr(sealed, 1, 9));

-- What only the root key can say of the database: 'root', that it belongs to it; 'codes', that every row has its authentication code. root is the
-- key's id.
CREATE TABLE key_checks (
    name {{.Text}} NOT NULL PRIMARY KEY,
    root {{.Text}} NOT NULL,
    mac  {{.Bytes}} NOT NULL
);

-- Work on keys that outlives the process that began it. body is JSON. The number is a value of 'key_jobs'.
CREATE TABLE key_jobs (
    number   BIGINT NOT NULL PRIMARY KEY,
    state    {{.Text}} NOT NULL CHECK (state IN ('proposed', 'rejected', 'running', 'waiting', 'done', 'failed')),
    body     {{.Text}} NOT NULL,
    revision BIGINT NOT NULL,
    mac      {{.Bytes}} NOT NULL
);
INSERT INTO counters (name, value) VALUES ('key_jobs', 0);

-- Authentication codes of rows (docs/formats.md). NULL: from before this step, until they are computed once; afterwards refused. objects is the
-- digest of the whole registry as this version has it.
ALTER TABLE licences ADD COLUMN mac {{.Bytes}};
ALTER TABLE registry_objects ADD COLUMN mac {{.Bytes}};
ALTER TABLE licence_codes ADD COLUMN mac {{.Bytes}};
ALTER TABLE pending_changes ADD COLUMN mac {{.Bytes}};
ALTER TABLE policy_versions ADD COLUMN objects {{.Bytes}};
ALTER TABLE policy_versions ADD COLUMN mac {{.Bytes}};
